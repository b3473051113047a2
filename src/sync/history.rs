//! Judges the API's behaviour, and retries refused history.

use tracing::debug;

use crate::extract::{ApiError, Narrowing, PageRequest};
use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::{LoadError, accounts, gaps};
use crate::telemetry::{self, chain};
use crate::time::window::Window;

use super::horizon::EDGE;
use super::job::Job;
use super::plan::Planned;
use super::report::Progress;
use super::run::AccountWorker;
use super::traits::Range;
use super::window::{Books, Fetch};
use super::work::Task;

/// This many unlimited requests show that the hour has room.
const REQUESTS_THAT_SHOW_ROOM: u64 = 120;

impl AccountWorker {
    pub(super) async fn try_history(
        &self,
        task: &Task<'_>,
        books: &Books<'_>,
        progress: &mut Progress,
    ) -> Result<(), LoadError> {
        let known = accounts::history(&self.pool, &self.api.account().account_id).await?;
        let known = known.filter(|history| history.may_be_tried && history.is_wanted);
        let Some(history) = known.filter(|_| matches!(task.job, Job::Poll | Job::Sync)) else {
            return Ok(());
        };
        let older = Planned {
            window: Window {
                start: history.served_from - EDGE,
                end: history.served_from,
            },
            is_probe: false,
            expected: 0.0,
        };
        let fetch = Fetch::begin(older, self.clock.now(), task.pulse);
        let request = PageRequest {
            window: older.window,
            offset: 0,
            limit: 1,
            narrowing: &Narrowing::NONE,
            priority: task.job.priority(),
        };
        let still = match self.api.page(&request, &fetch.tally).await {
            Ok(_) => None,
            Err(ApiError::Unaccepted { .. } | ApiError::Message) => Some(history.served_from),
            Err(error) => {
                debug!(error = %chain(&error), "whether older interactions are served again cannot be seen");
                Some(history.served_from)
            }
        };
        let tried = books.put_off_as_too_old(&fetch, task.job.purpose()).await?;
        progress.add(tried);
        progress.watermark = accounts::note_history(&self.pool, &task.held.lease, still).await?;
        Ok(())
    }

    pub(super) async fn judge_api(&self, progress: &Progress) -> Result<(), LoadError> {
        let account_id = self.api.account().account_id.as_str();
        let history = accounts::history(&self.pool, account_id).await?;
        let unserved = history.filter(|history| history.is_wanted);
        let detail = unserved.map(|history| {
            format!(
                "nothing before {} is served",
                telemetry::instant(history.served_from)
            )
        });
        self.judge(ProblemCode::HistoryNotServed, detail.as_deref())
            .await?;

        // A refresh reads covered windows, which have no gaps.
        let is_ignored = self.traits.get().range == Some(Range::Ignored);
        for (code, is_seen) in [
            (ProblemCode::RecordsOutsideWindow, is_ignored),
            (ProblemCode::ElementsWithoutId, false),
        ] {
            let gaps = gaps::count_of(&self.pool, account_id, code).await?;
            let detail = (is_seen || gaps > 0).then(|| format!("gaps: {gaps}"));
            self.judge(code, detail.as_deref()).await?;
        }

        let shows_room = progress.counters.requests >= REQUESTS_THAT_SHOW_ROOM;
        if self.api.was_hour_used_up() {
            self.judge(ProblemCode::HourlyLimit, Some("")).await?;
        } else if shows_room || self.api.account().limits.per_hour > 0 {
            self.judge(ProblemCode::HourlyLimit, None).await?;
        }
        Ok(())
    }

    async fn judge(&self, code: ProblemCode, detail: Option<&str>) -> Result<(), LoadError> {
        let account_id = &self.api.account().account_id;
        match detail {
            Some(detail) => problems::raise(&self.pool, account_id, code, detail).await?,
            None => problems::clear(&self.pool, account_id, code).await?,
        };
        Ok(())
    }
}
