//! `sync`: one pass to now for every account.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::database::{self, Database};
use crate::load::runs::Outcome;
use crate::sync::{AccountWorker, Failure, Job, RunReport};

use super::exit::CommandError;
use super::shutdown::Shutdown;
use super::workers;

/// How often an account that another worker has is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(3);

pub(super) async fn sync(config: &Config) -> Result<(), CommandError> {
    config.require_accounts()?;
    let shutdown = Shutdown::on_signals(config.sync.shutdown).map_err(CommandError::other)?;
    tokio::select! {
        passed = open_and_pass(config, &shutdown.soft) => passed,
        () = shutdown.hard.cancelled() => Err(CommandError::Runs(Failure::Other)),
    }
}

async fn open_and_pass(config: &Config, stop: &CancellationToken) -> Result<(), CommandError> {
    let database = Database::open(config).await?;
    database.announce();
    let passed = pass(config, &database, stop).await;
    database.close().await;
    passed
}

/// All accounts at once: each has its own budget, and one's trouble does not hold up the others.
async fn pass(config: &Config, database: &Database, stop: &CancellationToken) -> Result<(), CommandError> {
    database::migrate(&database.pool).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let workers = workers::build(config, &database.pool, &clock)?;
    // A worker that died holds its lease for a while; one that lives may be in the middle of a run.
    let patience = config.sync.lease * 2;
    let runs = workers.iter().map(|worker| run_when_free(worker, stop, patience));
    let reports: Vec<RunReport> = futures_util::future::join_all(runs).await;
    let worst = reports
        .iter()
        .filter_map(failure)
        .max_by_key(|failure| severity(*failure));
    worst.map_or(Ok(()), |failure| Err(CommandError::Runs(failure)))
}

async fn run_when_free(worker: &AccountWorker, stop: &CancellationToken, patience: Duration) -> RunReport {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let report = worker.run(&Job::Sync, stop).await;
        let give_up = stop.is_cancelled() || tokio::time::Instant::now() >= deadline;
        if report.outcome != Outcome::Skipped || give_up {
            return report;
        }
        info!(
            account = worker.api.account().name,
            pause_seconds = RETRY_PAUSE.as_secs(),
            "waiting for the account"
        );
        stop.run_until_cancelled(tokio::time::sleep(RETRY_PAUSE)).await;
    }
}

/// A pass that was skipped or cut short did not do what was asked for either.
fn failure(report: &RunReport) -> Option<Failure> {
    match report.outcome {
        Outcome::Succeeded => None,
        Outcome::Failed => Some(report.failure.unwrap_or(Failure::Other)),
        Outcome::Skipped | Outcome::Interrupted => Some(Failure::Other),
    }
}

/// Of several failures, the exit code names the one that concerns most.
fn severity(failure: Failure) -> u8 {
    match failure {
        Failure::Other => 0,
        Failure::Refused => 1,
        Failure::DatabaseUnreachable => 2,
    }
}
