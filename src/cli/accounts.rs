//! Runs a command for all accounts at once; the worst failure counts.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::ledger::problems::Failure;
use crate::ledger::runs::Outcome;
use crate::postgres::Database;
use crate::sync::RunReport;
use crate::telemetry::logging::Screen;
use crate::time::clock::{Clock, SystemClock};

use super::exit::CommandError;
use super::progress::Watched;
use super::shutdown::Shutdown;
use super::waiting::{self, Waiting};
use super::workers;

pub(super) async fn work(
    config: &Config,
    screen: &Screen,
    run: impl AsyncFn(&Watched<'_>, &CancellationToken) -> RunReport,
) -> Result<(), CommandError> {
    config.require_accounts()?;
    let shutdown = Shutdown::on_signals(config.sync.shutdown).map_err(CommandError::other)?;
    tokio::select! {
        worked = open_and_work(config, screen, &shutdown, run) => worked,
        () = shutdown.hard.cancelled() => Err(CommandError::Runs(Failure::Other)),
    }
}

async fn open_and_work(
    config: &Config,
    screen: &Screen,
    shutdown: &Shutdown,
    run: impl AsyncFn(&Watched<'_>, &CancellationToken) -> RunReport,
) -> Result<(), CommandError> {
    let (database, waiting) = waiting::open(config, &shutdown.soft).await?;
    let worked = work_all(config, (&database, &waiting), screen, shutdown, run).await;
    database.close().await;
    worked.map_err(|error| waiting.verdict(error))
}

async fn work_all(
    config: &Config,
    (database, waiting): (&Database, &Waiting),
    screen: &Screen,
    shutdown: &Shutdown,
    run: impl AsyncFn(&Watched<'_>, &CancellationToken) -> RunReport,
) -> Result<(), CommandError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let workers = workers::build(config, &database.pool, &clock)?;
    let watched: Vec<Watched<'_>> = workers
        .into_iter()
        .map(|worker| Watched::new(worker, screen, (database, waiting), shutdown.interrupted.clone()))
        .collect();
    let runs = watched.iter().map(|watched| run(watched, &shutdown.soft));
    let reports: Vec<RunReport> = futures_util::future::join_all(runs).await;
    let worst = reports.iter().filter_map(failure).max();
    worst.map_or(Ok(()), |failure| Err(CommandError::Runs(failure)))
}

fn failure(report: &RunReport) -> Option<Failure> {
    match report.outcome {
        Outcome::Succeeded => None,
        Outcome::Failed => report.failure(),
        Outcome::Skipped | Outcome::Interrupted => Some(Failure::Other),
    }
}
