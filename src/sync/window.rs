//! One window, from the API into the tables.

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::extract::{Action, ApiError, RequestCount};
use crate::load::leases::Lease;
use crate::load::{Counters, FailedWindow, LoadError, Purpose, WindowCommit, commit_window, record_failed};
use crate::observe::{self, chain, metrics};
use crate::window::Window;

use super::drain::{DrainError, drain};
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
    pub(super) next: Next,
    /// The API refused us, as opposed to failing.
    pub(super) refused: bool,
}

/// What a run does after a failed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The fault is the window's own.
    Continue,
    /// The API is in trouble; a few windows like this end the run.
    ContinueIfFew,
    /// Nothing further can be had for this account now.
    EndRun,
}

/// Fetches a window, and stores it in one transaction.
///
/// `None` where `enough` was cancelled while it was being fetched: nothing of it is kept. Once
/// everything is there, it is stored whatever happens, so that no commit is left in doubt.
///
/// # Errors
/// The database fails, or the lease is lost. What the API does wrong is part of the report.
pub(super) async fn load_window(
    worker: &AccountWorker,
    lease: &Lease,
    run_id: i64,
    window: Window,
    enough: &CancellationToken,
) -> Result<Option<WindowReport>, LoadError> {
    let started_at = worker.clock.now();
    let requests = RequestCount::default();
    let drained = match enough
        .run_until_cancelled(drain(&worker.api, window, &requests))
        .await
    {
        None => return Ok(None),
        Some(Ok(drained)) => drained,
        Some(Err(error)) => {
            let counters = Counters {
                windows: 1,
                requests: requests.get(),
                ..Counters::default()
            };
            let failure = WindowFailure::of(&error);
            report_failure(&error);
            let failed = FailedWindow {
                lease,
                run_id,
                window,
                purpose: Purpose::New,
                counters,
                started_at,
                error: &failure.error,
            };
            record_failed(&worker.pool, &failed).await?;
            return Ok(Some(WindowReport {
                counters,
                watermark: None,
                failure: Some(failure),
            }));
        }
    };
    let commit = WindowCommit {
        lease,
        run_id,
        window,
        purpose: Purpose::New,
        interactions: &drained.interactions,
        rejected: &drained.rejected,
        time_zone_offset: worker.api.account().time_zone_offset,
        keep_raw: worker.settings.keep_raw,
        fetched: Counters {
            requests: requests.get(),
            ..drained.fetched
        },
        reported_total: drained.reported_total,
        started_at,
        written_at: worker.clock.now(),
    };
    let (counters, watermark) = commit_window(&worker.pool, &commit).await?;
    report_success(worker, counters, watermark);
    Ok(Some(WindowReport {
        counters,
        watermark: Some(watermark),
        failure: None,
    }))
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

fn report_failure(error: &DrainError) {
    let remedy = match error {
        DrainError::Api(error) => error.remedy(),
        DrainError::Overflow => "none yet: narrow the account with channels, queues or direction",
        DrainError::Drift => "nothing: the window is read again in the next run",
    };
    error!(error = %chain(error), remedy, "window failed, nothing of it is covered");
}

impl WindowFailure {
    fn of(error: &DrainError) -> Self {
        let next = match error {
            DrainError::Overflow | DrainError::Drift => Next::Continue,
            DrainError::Api(error) => match error.action() {
                Action::Retry => Next::ContinueIfFew,
                Action::GiveUpWindow => Next::Continue,
                Action::SignInAgain | Action::StopAccount => Next::EndRun,
            },
        };
        let refused = matches!(error, DrainError::Api(ApiError::Refused { .. }));
        Self {
            error: chain(error).to_string(),
            next,
            refused,
        }
    }
}
