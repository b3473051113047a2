//! One window, from the API into the tables.

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::extract::{Action, ApiError, Tally};
use crate::load::leases::Lease;
use crate::load::{
    Committed, Counters, FailedWindow, LoadError, Purpose, Status, WindowCommit, commit_window, record_failed,
};
use crate::observe::{self, chain, metrics};
use crate::window::Window;

use super::drain::{DrainError, Drained, drain};
use super::run::AccountWorker;

/// What came of a window.
#[derive(Debug)]
pub(super) struct WindowReport {
    pub(super) counters: Counters,
    /// The new watermark, where the window was drained and stored.
    pub(super) watermark: Option<DateTime<Utc>>,
    pub(super) failure: Option<WindowFailure>,
}

/// A window that is not covered, and what that means for the run.
#[derive(Debug)]
pub(super) struct WindowFailure {
    pub(super) error: String,
    remedy: &'static str,
    pub(super) next: Next,
    /// The API refused us, as opposed to failing.
    pub(super) refused: bool,
}

/// What a run does after a failed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The fault is the window's own.
    Continue,
    /// The fault may be every window's; a few like this end the run.
    ContinueIfFew,
    /// Nothing further can be had for this account now.
    EndRun,
}

/// A window on its way.
struct Loading<'a> {
    worker: &'a AccountWorker,
    lease: &'a Lease,
    run_id: i64,
    window: Window,
    started_at: DateTime<Utc>,
    tally: Tally,
}

/// Fetches a window, and stores it in one transaction.
///
/// `None` where `enough` was cancelled while it was being fetched: nothing of it is kept. Once
/// everything is there, it is stored whatever happens, so that no commit is left in doubt.
///
/// # Errors
/// The database is in trouble, or the lease is lost. A fault of the API, or of the data, is part
/// of the report: other windows may go well.
pub(super) async fn load_window(
    worker: &AccountWorker,
    lease: &Lease,
    run_id: i64,
    window: Window,
    enough: &CancellationToken,
) -> Result<Option<WindowReport>, LoadError> {
    let started_at = worker.clock.now();
    let loading = Loading {
        worker,
        lease,
        run_id,
        window,
        started_at,
        tally: Tally::default(),
    };
    let drained = match enough
        .run_until_cancelled(drain(&worker.api, window, &loading.tally))
        .await
    {
        None => return Ok(None),
        Some(Ok(drained)) => drained,
        Some(Err(error)) => return loading.fail(WindowFailure::of_api(&error)).await.map(Some),
    };
    match loading.store(&drained).await {
        Err(error) if error.is_of_the_data() => loading.fail(WindowFailure::of_data(&error)).await.map(Some),
        stored => stored.map(Some),
    }
}

impl Loading<'_> {
    fn fetched(&self) -> Counters {
        Counters {
            windows: 1,
            pages: self.tally.pages(),
            requests: self.tally.requests(),
            records: self.tally.records(),
            ..Counters::default()
        }
    }

    async fn store(&self, drained: &Drained) -> Result<WindowReport, LoadError> {
        let commit = WindowCommit {
            lease: self.lease,
            run_id: self.run_id,
            window: self.window,
            purpose: Purpose::New,
            status: Status::Drained,
            error: None,
            interactions: &drained.interactions,
            rejected: &drained.rejected,
            time_zone_offset: self.worker.api.account().time_zone_offset,
            keep_raw: self.worker.settings.keep_raw,
            fetched: Counters {
                distinct_records: drained.distinct_records,
                ..self.fetched()
            },
            reported_total: drained.reported_total,
            started_at: self.started_at,
            written_at: self.worker.clock.now(),
        };
        let Committed { counters, watermark } = commit_window(&self.worker.pool, &commit).await?;
        report_success(self.worker, counters, watermark);
        Ok(WindowReport {
            counters,
            watermark: Some(watermark),
            failure: None,
        })
    }

    async fn fail(&self, failure: WindowFailure) -> Result<WindowReport, LoadError> {
        error!(
            error = failure.error,
            remedy = failure.remedy,
            "window failed, nothing of it is covered"
        );
        let counters = self.fetched();
        let failed = FailedWindow {
            lease: self.lease,
            run_id: self.run_id,
            window: self.window,
            purpose: Purpose::New,
            counters,
            started_at: self.started_at,
            error: &failure.error,
        };
        record_failed(&self.worker.pool, &failed).await?;
        Ok(WindowReport {
            counters,
            watermark: None,
            failure: Some(failure),
        })
    }
}

fn report_success(worker: &AccountWorker, counters: Counters, watermark: DateTime<Utc>) {
    info!(
        pages = counters.pages,
        requests = counters.requests,
        records = counters.records,
        inserted = counters.inserted,
        updated = counters.updated,
        unchanged = counters.unchanged,
        rejected = counters.rejected,
        watermark = %observe::instant(watermark),
        "window drained"
    );
    let account = &worker.api.account().name;
    for (result, count) in [
        ("inserted", counters.inserted),
        ("updated", counters.updated),
        ("unchanged", counters.unchanged),
        ("rejected", counters.rejected),
    ] {
        observe::count(metrics::RECORDS, account, ("result", result), count);
    }
    observe::watermark(account, watermark);
}

impl WindowFailure {
    fn of_api(error: &DrainError) -> Self {
        let next = match error {
            DrainError::Overflow | DrainError::Drift | DrainError::Api(ApiError::TooLarge { .. }) => {
                Next::Continue
            }
            DrainError::OffsetCountsRecords => Next::ContinueIfFew,
            DrainError::Api(error) => match error.action() {
                Action::Retry | Action::GiveUpWindow => Next::ContinueIfFew,
                Action::SignInAgain | Action::StopAccount => Next::EndRun,
            },
        };
        let refused = matches!(error, DrainError::Api(ApiError::Refused { .. }));
        Self {
            error: chain(error).to_string(),
            remedy: error.remedy(),
            next,
            refused,
        }
    }

    fn of_data(error: &LoadError) -> Self {
        let (error, remedy) = (chain(error).to_string(), error.remedy());
        Self {
            error,
            remedy,
            next: Next::ContinueIfFew,
            refused: false,
        }
    }
}
