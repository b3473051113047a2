//! Windows that the API refuses.

use chrono::{DateTime, TimeDelta, Utc};

use crate::extract::{ApiError, Narrowing, PageRequest};
use crate::ledger::problems::Problem;
use crate::ledger::{LoadError, Status, accounts};
use crate::telemetry;
use crate::time::window::Window;

use super::super::drain::{ReadError, Reading};
use super::super::failure::{Next, WindowFailure};
use super::super::horizon::{EDGE, Refusal};
use super::super::job::Job;
use super::super::window::{Fetch, WindowReport};
use super::Drive;

const SHORTEST: TimeDelta = TimeDelta::days(1);

const DAYS_BEFORE_THE_EDGE: [i64; 3] = [1, 7, 30];

impl Drive<'_> {
    pub(super) async fn refused(
        &mut self,
        fetch: &Fetch,
        error: &ReadError,
    ) -> Result<WindowReport, LoadError> {
        let window = fetch.planned.window;
        let purpose = self.purpose(window);
        if self.history_ends.is_some_and(|edge| window.end <= edge) {
            return self.books.put_off_as_too_old(fetch, purpose).await;
        }
        let is_newest = window.end >= self.until;
        match self.horizon.refused(window, self.in_flight.len(), is_newest) {
            Refusal::TooLong => {
                let longest = (window.seconds() / 2).max(SHORTEST.num_seconds());
                // A message may have a passing cause.
                if matches!(error, ReadError::Api(ApiError::Unaccepted { .. })) {
                    self.source.traits.learn(|traits| traits.see_too_long(longest));
                }
                self.planner.drifted(window);
            }
            Refusal::TooOld => {
                self.planner.park_before(window.start);
                self.planner.halve(window);
            }
            Refusal::Older => self.planner.park(window),
            Refusal::Undecided => self.planner.again(window),
            Refusal::Edge(edge) if self.is_end(edge, fetch).await => {
                return self.end_history(edge, fetch).await;
            }
            Refusal::Edge(_) | Refusal::Other => {
                self.horizon.was_wrong();
                self.planner.unpark();
                self.source
                    .traits
                    .learn(|traits| traits.length_is_doubtful = true);
                return self
                    .books
                    .fail(fetch, purpose, WindowFailure::of_reading(error))
                    .await;
            }
        }
        self.was_refused_for_now = true;
        self.books
            .store(fetch, purpose, Reading::nothing(), Status::Split)
            .await
    }

    /// Older and newer ranges are tested too, as it may be a hole or an outage. The edge comes last: an
    /// outage may have ended.
    async fn is_end(&self, edge: DateTime<Utc>, fetch: &Fetch) -> bool {
        let before = |end| Window {
            start: end - EDGE,
            end,
        };
        for days in DAYS_BEFORE_THE_EDGE {
            if self.is_refused(before(edge - TimeDelta::days(days)), fetch).await != Some(true) {
                return false;
            }
        }
        let Some(inside) = self.horizon.inside() else {
            return false;
        };
        self.is_refused(inside, fetch).await == Some(false)
            && self.is_refused(before(edge), fetch).await == Some(true)
    }

    /// `None` if unknown.
    async fn is_refused(&self, window: Window, fetch: &Fetch) -> Option<bool> {
        let request = PageRequest {
            window,
            offset: 0,
            limit: 1,
            narrowing: &Narrowing::NONE,
            priority: self.source.priority,
        };
        match self.source.api.page(&request, &fetch.tally).await {
            Ok(_) => Some(false),
            Err(ApiError::Unaccepted { .. } | ApiError::Message) => Some(true),
            Err(_) => None,
        }
    }

    async fn end_history(&mut self, edge: DateTime<Utc>, fetch: &Fetch) -> Result<WindowReport, LoadError> {
        self.history_ends = Some(edge);
        self.planner.forget_before(edge);
        self.source
            .traits
            .learn(|traits| traits.length_is_doubtful = true);
        let (pool, lease) = (&self.books.worker.pool, self.books.lease);
        let watermark = accounts::note_history(pool, lease, Some(edge)).await?;
        let mut report = self
            .books
            .put_off_as_too_old(fetch, self.purpose(fetch.planned.window))
            .await?;
        report.watermark = Some(watermark);
        if matches!(self.job, Job::Backfill { .. }) {
            report.failure = Some(WindowFailure {
                problem: Problem::failed(
                    "history_not_served",
                    format!("the API serves nothing older than {}", telemetry::instant(edge)),
                    "ask for what is newer; the vendor can say how long interactions are kept",
                ),
                next: Next::Continue,
            });
        }
        Ok(report)
    }
}
