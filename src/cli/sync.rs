//! `sync`: one pass to now for every account, and the refreshes that are due.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::Config;
use crate::load::runs::Outcome;
use crate::observe::logging::Screen;
use crate::sync::{Failure, Job, RunReport};

use super::accounts;
use super::exit::CommandError;
use super::progress::Watched;

/// How often an account that another worker has is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(3);

pub(super) async fn sync(config: &Config, screen: &Screen) -> Result<(), CommandError> {
    // A worker that died holds its lease for a while; one that lives may be in the middle of a run.
    let patience = config.sync.lease * 2;
    accounts::work(config, screen, async |watched, stop| {
        let mut report = run_when_free(watched, &Job::Sync, stop, patience).await;
        for job in watched.due_refreshes(&config.sync) {
            if ends_sync(&report) || stop.is_cancelled() {
                break;
            }
            report = worse(report, run_when_free(watched, &job, stop, patience).await);
        }
        if !watched.clean_up(stop).await && report.outcome == Outcome::Succeeded {
            report.outcome = Outcome::Failed;
        }
        report
    })
    .await
}

/// Whether what went wrong would go wrong with everything else too.
fn ends_sync(report: &RunReport) -> bool {
    let is_general = matches!(
        report.failure,
        Some(Failure::Refused | Failure::DatabaseUnreachable)
    );
    is_general || matches!(report.outcome, Outcome::Skipped | Outcome::Interrupted)
}

/// Of two runs the one that whoever asked has to know of.
fn worse(before: RunReport, after: RunReport) -> RunReport {
    let rank = |report: &RunReport| match report.outcome {
        Outcome::Succeeded => 0,
        Outcome::Skipped => 1,
        Outcome::Interrupted => 2,
        Outcome::Failed if report.failure == Some(Failure::DatabaseUnreachable) => 5,
        Outcome::Failed if report.failure == Some(Failure::Refused) => 4,
        Outcome::Failed => 3,
    };
    if rank(&after) > rank(&before) {
        after
    } else {
        before
    }
}

async fn run_when_free(
    watched: &Watched,
    job: &Job,
    stop: &CancellationToken,
    patience: Duration,
) -> RunReport {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let report = watched.run(job, stop).await;
        let give_up = stop.is_cancelled() || tokio::time::Instant::now() >= deadline;
        if report.outcome != Outcome::Skipped || give_up {
            return report;
        }
        info!(
            account = watched.account(),
            pause_seconds = RETRY_PAUSE.as_secs(),
            "waiting for the account"
        );
        stop.run_until_cancelled(tokio::time::sleep(RETRY_PAUSE)).await;
    }
}
