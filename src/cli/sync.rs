//! `sync`: one pass to now for every account.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::Config;
use crate::load::runs::Outcome;
use crate::observe::logging::Screen;
use crate::sync::{Job, RunReport};

use super::accounts;
use super::exit::CommandError;
use super::progress::Watched;

/// How often an account that another worker has is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(3);

pub(super) async fn sync(config: &Config, screen: &Screen) -> Result<(), CommandError> {
    // A worker that died holds its lease for a while; one that lives may be in the middle of a run.
    let patience = config.sync.lease * 2;
    accounts::work(config, screen, async |watched, stop| {
        let mut report = run_when_free(watched, stop, patience).await;
        if !watched.clean_up(stop).await && report.outcome == Outcome::Succeeded {
            report.outcome = Outcome::Failed;
        }
        report
    })
    .await
}

async fn run_when_free(watched: &Watched, stop: &CancellationToken, patience: Duration) -> RunReport {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let report = watched.run(&Job::Sync, stop).await;
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
