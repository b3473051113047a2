//! One window: read by its own task, then stored.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use tracing::{error, info, warn};

use crate::extract::{ApiClient, Narrowing, Priority, Tally};
use crate::failpoint;
use crate::ledger::conflict;
use crate::ledger::leases::Lease;
use crate::ledger::problems::{Problem, ProblemCode};
use crate::ledger::{Counters, FailedWindow, LoadError, Purpose, Status, record_failed};
use crate::telemetry::{self, metrics};
use crate::time::pulse::Pulse;
use crate::time::window::Window;
use crate::transform::Interaction;
use crate::transform::privacy::Policy;
use crate::warehouse::{Committed, WindowCommit};

use super::drain::{ReadError, Reader, Reading, Slice, Verdict};
use super::failure::WindowFailure;
use super::plan::Planned;
use super::run::AccountWorker;
use super::traits::SharedTraits;

#[derive(Debug)]
pub(super) struct WindowReport {
    pub(super) counters: Counters,
    pub(super) watermark: Option<DateTime<Utc>>,
    pub(super) failure: Option<WindowFailure>,
}

#[derive(Debug, Clone)]
pub(super) struct Fetch {
    pub(super) planned: Planned,
    pub(super) started_at: DateTime<Utc>,
    /// By the monotonic clock.
    pub(super) began: Instant,
    pub(super) tally: Arc<Tally>,
}

#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) api: Arc<ApiClient>,
    pub(super) traits: Arc<SharedTraits>,
    pub(super) policy: Arc<Policy>,
    pub(super) priority: Priority,
}

impl Source {
    pub(super) fn of(worker: &AccountWorker, priority: Priority) -> Self {
        Self {
            api: Arc::clone(&worker.api),
            traits: Arc::clone(&worker.traits),
            policy: Arc::clone(&worker.settings.policy),
            priority,
        }
    }

    pub(super) async fn read(&self, fetch: &Fetch) -> Result<Reading, ReadError> {
        let reader = Reader {
            api: &self.api,
            traits: &self.traits,
            policy: &self.policy,
            tally: &fetch.tally,
        };
        let slice = Slice {
            window: fetch.planned.window,
            narrowing: Narrowing::default(),
            priority: self.priority,
            is_probe: fetch.planned.is_probe && fetch.planned.window.seconds() > 1,
            expected: fetch.planned.expected,
        };
        let mut reading = reader.read(&slice).await?;
        if reading.verdict == Verdict::Strays {
            reading.strays_in = Box::pin(reader.part_with_strays(&slice)).await?;
        }
        failpoint::reach("window.read");
        let may_be_parted = matches!(reading.verdict, Verdict::Overflow | Verdict::Drift);
        if !may_be_parted || slice.window.seconds() > 1 {
            return Ok(reading);
        }
        reader.read_parts(&slice, reading).await
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Books<'a> {
    pub(super) worker: &'a AccountWorker,
    pub(super) lease: &'a Lease,
    pub(super) run_id: i64,
}

impl Books<'_> {
    /// A fault of the data is reported, not returned: others may succeed.
    pub(super) async fn store(
        &self,
        fetch: &Fetch,
        purpose: Purpose,
        reading: Reading,
        status: Status,
    ) -> Result<WindowReport, LoadError> {
        let failure = (status == Status::Gap).then(|| WindowFailure::gap(&reading));
        let (interactions, rejected) = reading.rows.set_aside();
        let interactions: Vec<Interaction> = interactions.into_values().collect();
        let commit = WindowCommit {
            lease: self.lease,
            run_id: self.run_id,
            window: fetch.planned.window,
            purpose,
            status,
            limits: self.worker.limits_of_storing(),
            interactions: &interactions,
            rejected: &rejected,
            time_zone_offset: self.worker.api.account().time_zone_offset,
            keep_raw: self.worker.settings.keep_raw,
            fetched: Counters {
                distinct_records: reading.distinct_records,
                ..fetch.counters()
            },
            reported_total: reading.reported_total,
            started_at: fetch.started_at,
            late: self.worker.settings.late,
            missing_confirm: self.worker.settings.missing_confirm,
            written_at: self.worker.clock.now(),
            problem: failure.as_ref().map(|failure| &failure.problem),
        };
        match self.worker.commit(&commit).await {
            Ok(committed) => {
                self.log_stored(status, &commit, &committed);
                log_discoveries(&committed);
                Ok(WindowReport {
                    counters: committed.counters,
                    watermark: Some(committed.watermark),
                    failure,
                })
            }
            Err(error) if error.is_of_the_data() => {
                telemetry::database_error(&self.worker.api.account().name, error.kind());
                self.fail(fetch, purpose, WindowFailure::of_data(&error)).await
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn fail(
        &self,
        fetch: &Fetch,
        purpose: Purpose,
        failure: WindowFailure,
    ) -> Result<WindowReport, LoadError> {
        let Problem {
            text: error, remedy, ..
        } = &failure.problem;
        error!(error, remedy, "window failed, nothing of it is covered");
        let counters = self.record(fetch, purpose, &failure.problem).await?;
        let took = self.worker.clock.now() - fetch.started_at;
        telemetry::window(
            &self.worker.api.account().name,
            (purpose.as_str(), Status::Failed.as_str()),
            counters.records,
            took,
        );
        Ok(WindowReport {
            counters,
            watermark: None,
            failure: Some(failure),
        })
    }

    pub(super) async fn book_abandoned(
        &self,
        fetch: &Fetch,
        purpose: Purpose,
    ) -> Result<Counters, LoadError> {
        let why = Problem::warning("run_ended", "not read: the run ended before", "");
        self.record(fetch, purpose, &why).await
    }

    pub(super) async fn overtaken(&self, fetch: &Fetch, purpose: Purpose) -> Result<WindowReport, LoadError> {
        let why = Problem::from(&LoadError::Overtaken);
        self.put_aside(fetch, purpose, &why).await
    }

    pub(super) async fn put_off(&self, fetch: &Fetch, purpose: Purpose) -> Result<WindowReport, LoadError> {
        let why = Problem::warning(
            "not_happened_yet",
            "not read: it has not happened yet at the API",
            "",
        );
        self.put_aside(fetch, purpose, &why).await
    }

    pub(super) async fn put_off_as_too_old(
        &self,
        fetch: &Fetch,
        purpose: Purpose,
    ) -> Result<WindowReport, LoadError> {
        let why = ProblemCode::HistoryNotServed.saying("not read: the API serves nothing so old");
        self.put_aside(fetch, purpose, &why).await
    }

    async fn put_aside(
        &self,
        fetch: &Fetch,
        purpose: Purpose,
        why: &Problem,
    ) -> Result<WindowReport, LoadError> {
        Ok(WindowReport {
            counters: self.record(fetch, purpose, why).await?,
            watermark: None,
            failure: None,
        })
    }

    async fn record(
        &self,
        fetch: &Fetch,
        purpose: Purpose,
        problem: &Problem,
    ) -> Result<Counters, LoadError> {
        let counters = fetch.counters();
        let failed = FailedWindow {
            lease: self.lease,
            run_id: self.run_id,
            window: fetch.planned.window,
            purpose,
            counters,
            started_at: fetch.started_at,
            problem,
        };
        let recording = || record_failed(&self.worker.pool, &failed);
        conflict::retry(&self.worker.api.account().name, recording).await?;
        Ok(counters)
    }

    fn log_stored(&self, status: Status, commit: &WindowCommit<'_>, committed: &Committed) {
        let Committed {
            counters,
            watermark,
            counted_alone,
            ..
        } = *committed;
        let account = &self.worker.api.account().name;
        match status {
            Status::Drained => info!(
                pages = counters.pages,
                requests = counters.requests,
                records = counters.records,
                inserted = counters.inserted,
                updated = counters.updated,
                unchanged = counters.unchanged,
                missing = counters.missing,
                withheld = counters.withheld,
                left_out = counters.left_out,
                rejected = counters.rejected,
                watermark = %telemetry::instant(watermark),
                "window drained"
            ),
            Status::Gap => error!(
                error = commit.problem.map(|problem| &problem.text),
                requests = counters.requests,
                records = counters.records,
                reported_total = commit.reported_total,
                remedy = commit.problem.map(|problem| &problem.remedy),
                "gap: records of this window cannot be reached, and are missing"
            ),
            Status::Split | Status::Failed => info!(
                requests = counters.requests,
                reported_total = commit.reported_total,
                "window holds more than can be read at once, reading it in parts"
            ),
        }
        for (result, count) in [
            ("inserted", counters.inserted),
            ("updated", counters.updated),
            ("unchanged", counters.unchanged),
            ("missing", counters.missing),
            ("left_out", counters.left_out),
            ("rejected", counters.rejected),
            ("counted_alone", counted_alone),
        ] {
            telemetry::count(metrics::RECORDS, account, ("result", result), count);
        }
        let took = self.worker.clock.now() - commit.started_at;
        telemetry::window(
            account,
            (commit.purpose.as_str(), status.as_str()),
            counters.records,
            took,
        );
    }
}

impl Fetch {
    pub(super) fn begin(planned: Planned, now: DateTime<Utc>, pulse: &Arc<Pulse>) -> Self {
        Self {
            planned,
            started_at: now,
            began: Instant::now(),
            tally: Tally::of(Arc::clone(pulse)).into(),
        }
    }

    pub(super) fn counters(&self) -> Counters {
        counters(&self.tally)
    }
}

pub(super) fn counters(tally: &Tally) -> Counters {
    Counters {
        windows: 1,
        pages: tally.pages(),
        requests: tally.requests(),
        records: tally.records(),
        retries: tally.retries(),
        rate_limited: tally.rate_limited(),
        ..Counters::default()
    }
}

fn log_discoveries(committed: &Committed) {
    for drift in &committed.new_drift {
        warn!(
            path = drift.path,
            json_type = drift.json_type,
            remedy = "nothing is lost, its values are in the column extra; look for a newer version that has a column for it",
            "the API sends a field that is not known"
        );
    }
    if let Some(moved) = &committed.moved {
        error!(
            minutes = moved.minutes,
            stored = moved.stored,
            kept = moved.kept.len(),
            remedy = ProblemCode::TimeZone.problem().remedy,
            "the starts of sessions have moved by whole quarter hours since they were last read"
        );
    }
    if committed.resolved > 0 {
        info!(
            resolved = committed.resolved,
            "records that were set aside before came well"
        );
    }
}

pub(super) fn is_a_second(window: Window) -> bool {
    window.seconds() <= 1
}
