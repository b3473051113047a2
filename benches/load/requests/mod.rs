//! How many requests a first load takes, for data of several shapes, with an API that says totals
//! and with one that does not. Requests are what the API rations, so they are what a load costs.
//!
//! A load counts only if it is complete: `sync` ends well, every record is a row, and the books
//! have as many requests as the API received.

mod row;
mod scenario;

use std::io::Write;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use chrono::{DateTime, SubsecRound, Utc};
use smartassist_etl::time::{Clock, SystemClock};

use crate::api::Api;
use crate::daemon::Daemon;
use crate::database::{Database, Ledger};
use crate::simulator::{Seen, Simulator};
use crate::workbench::Workbench;

use row::{Header, Row};
pub(crate) use scenario::Scenario;

/// Many times what a load should take: one that lasts longer hangs.
const PATIENCE: Duration = Duration::from_secs(900);

/// Loads every scenario, and prints a line for each as soon as it is there. One that fails does
/// not keep the others from being loaded.
///
/// # Errors
/// A load was not complete, or could not be made at all.
pub(crate) async fn measure(workbench: &Workbench, scale: f64) -> Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{Header}")?;
    // All begin at the same instant, so that both loads of a scenario are of the same data.
    let now = SystemClock.now().trunc_subsecs(0);
    let mut problems = Vec::new();
    for scenario in Scenario::ALL {
        for totals in [true, false] {
            let row = load(workbench, scenario, totals, (now, scale)).await?;
            writeln!(stdout, "{row}")?;
            problems.extend(row.problem.as_ref().map(|problem| (row.name(), problem.clone())));
        }
    }
    for (name, problem) in &problems {
        writeln!(stdout, "\n{name}: {problem}")?;
    }
    ensure!(problems.is_empty(), "{} loads are not complete", problems.len());
    Ok(())
}

/// One scenario in a database of its own.
async fn load(
    workbench: &Workbench,
    scenario: Scenario,
    totals: bool,
    (now, scale): (DateTime<Utc>, f64),
) -> Result<Row> {
    let data = scenario.data(now, scale);
    let from = data.from;
    let mut simulator = Simulator::start(&Api {
        totals,
        ..Api::new(data)
    })
    .await?;
    let mut database = workbench.database("first_load").await?;
    let daemon =
        Daemon::new(from, &simulator, &database, workbench.directory()).with("STORAGE__RAW", "false");
    let status = sync(&daemon).await;
    let seen = simulator.seen().await?;
    let (ledger, complete) = match database.ledger().await {
        Ok(ledger) => {
            let complete = check(status, &seen, &ledger, &mut database).await;
            (Some(ledger), complete)
        }
        Err(error) => (None, Err(without_books(&status, &error, &daemon))),
    };
    workbench.drop(database).await?;
    Ok(Row {
        scenario,
        totals,
        records: seen.records,
        requests: seen.requests,
        ledger,
        problem: complete.err().map(|error| format!("{error:#}")),
    })
}

async fn sync(daemon: &Daemon) -> Result<ExitStatus> {
    let mut running = daemon.start("sync")?;
    tokio::time::timeout(PATIENCE, running.end())
        .await
        .with_context(|| format!("sync has not ended after {} s", PATIENCE.as_secs()))?
        .map(|ended| ended.status)
}

/// Why `sync` did not come so far as to have books. The log says more than they would.
fn without_books(status: &Result<ExitStatus>, error: &Error, daemon: &Daemon) -> Error {
    let ended = match status {
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("failed: {error:#}"),
    };
    anyhow!(
        "sync {ended}, and its books cannot be read: {error}; its log ends with:\n{}",
        daemon.last_words()
    )
}

/// Whether everything is there that the API has, and nothing else.
async fn check(
    status: Result<ExitStatus>,
    seen: &Seen,
    ledger: &Ledger,
    database: &mut Database,
) -> Result<()> {
    let status = status?;
    let [sessions, destinations, ..] = database.counts().await?;
    if !status.success() {
        let error = ledger.error.as_deref().unwrap_or("its books name no error");
        bail!(
            "sync ended with {status}, {sessions} of {} records are stored: {error}",
            seen.records
        );
    }
    ensure!(
        sessions == seen.records && destinations == seen.destinations,
        "the API has {} records with {} destinations, but {sessions} and {destinations} are stored",
        seen.records,
        seen.destinations
    );
    ensure!(
        ledger.inserted == seen.records && ledger.rejected == 0,
        "the API has {} records, but the books say {} inserted and {} rejected",
        seen.records,
        ledger.inserted,
        ledger.rejected
    );
    ensure!(
        u64::try_from(ledger.requests)? == seen.requests,
        "the API received {} requests, but the books have {}",
        seen.requests,
        ledger.requests
    );
    Ok(())
}
