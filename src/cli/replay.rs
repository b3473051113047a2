//! `replay`: rebuilds rows from raw records.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::config::Config;
use crate::ledger::problems::Failure;
use crate::ledger::runs::Outcome;
use crate::postgres::Database;
use crate::sync::{Replay, Replayed};
use crate::telemetry::logging::Screen;
use crate::time::clock::SystemClock;

use super::exit::CommandError;
use super::output::print;
use super::range::only;
use super::shutdown::Shutdown;
use super::waiting::{self, Waiting};

const SAY_EVERY: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(200);

/// What `replay` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// This account alone, by its name in the configuration; else all
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// One JSON object for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn replay(
    config: &Config,
    arguments: &Arguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    config.require_accounts()?;
    let config = only(config, arguments.account.as_deref())?;
    let shutdown = Shutdown::on_signals(config.sync.shutdown).map_err(CommandError::other)?;
    let (database, waiting) = waiting::open(&config, &shutdown.soft).await?;
    let replayed = tokio::select! {
        replayed = all(&config, (&database, &waiting), screen, &shutdown) => replayed,
        () = shutdown.hard.cancelled() => Err(CommandError::Runs(Failure::Other)),
    };
    database.close().await;
    let replayed = replayed.map_err(|error| waiting.verdict(error))?;
    print(&told(&replayed, arguments.json))?;
    let is_whole = |(_, replayed): &(String, Option<Replayed>)| {
        replayed.is_none_or(|replayed| replayed.outcome == Outcome::Succeeded)
    };
    if replayed.iter().all(is_whole) {
        Ok(())
    } else {
        Err(CommandError::NotRebuilt)
    }
}

async fn all(
    config: &Config,
    (database, waiting): (&Database, &Waiting),
    screen: &Screen,
    shutdown: &Shutdown,
) -> Result<Vec<(String, Option<Replayed>)>, CommandError> {
    let policy = Arc::new(config.privacy.clone());
    let mut all = Vec::new();
    for account in &config.accounts {
        let replay = Arc::new(Replay {
            pool: database.pool.clone(),
            account_id: account.account_id.clone(),
            policy: Arc::clone(&policy),
            clock: Arc::new(SystemClock),
            done: 0.into(),
            total: 0.into(),
            earlier: Mutex::default(),
        });
        let began = Instant::now();
        let shown = AbortOnDropHandle::new(tokio::spawn(show(
            account.name.clone(),
            Arc::clone(&replay),
            screen.clone(),
        )));
        let run = async || replay.run(&shutdown.soft).await;
        let replayed = waiting.through(database, &shutdown.soft, run).await?;
        drop(shown);
        if let Some(replayed) = &replayed {
            log_summary(&account.name, replayed, began.elapsed());
        }
        all.push((account.name.clone(), replayed));
    }
    Ok(all)
}

fn log_summary(account: &str, replayed: &Replayed, took: Duration) {
    info!(
        account,
        outcome = replayed.outcome.as_str(),
        records = replayed.records,
        updated = replayed.updated,
        unchanged = replayed.unchanged,
        rejected = replayed.rejected,
        without_raw = replayed.without_raw,
        seconds = took.as_secs_f64(),
        "replay finished"
    );
    if replayed.without_raw > 0 {
        warn!(
            account,
            interactions = replayed.without_raw,
            remedy = "read them again with `backfill --refetch`, if their rows have to be rebuilt",
            "interactions without a raw record stay as they are"
        );
    }
}

async fn show(account: String, replay: Arc<Replay>, screen: Screen) {
    let bar = screen.bar();
    let mut said = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        let (done, total) = (
            replay.done.load(Ordering::Relaxed),
            replay.total.load(Ordering::Relaxed),
        );
        if let Some(bar) = &bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(account.clone());
        } else if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            info!(account, records = done, of = total, "replaying");
        }
    }
}

fn told(replayed: &[(String, Option<Replayed>)], is_json: bool) -> String {
    if is_json {
        let account = |(account, replayed): &(String, Option<Replayed>)| -> Value {
            json!({
                "account": account,
                "outcome": replayed.map(|replayed| replayed.outcome.as_str()),
                "records": replayed.map_or(0, |replayed| replayed.records),
                "updated": replayed.map_or(0, |replayed| replayed.updated),
                "unchanged": replayed.map_or(0, |replayed| replayed.unchanged),
                "rejected": replayed.map_or(0, |replayed| replayed.rejected),
                "without_raw": replayed.map_or(0, |replayed| replayed.without_raw),
            })
        };
        let accounts: Vec<Value> = replayed.iter().map(account).collect();
        return format!("{}\n", json!({ "accounts": accounts }));
    }
    let line = |(account, replayed): &(String, Option<Replayed>)| match replayed {
        None => format!("{account}: never loaded, nothing to replay\n"),
        Some(replayed) => format!(
            "{account}: {}; {} records, {} rewritten, {} as they were, {} that cannot be rebuilt, {} without a raw record\n",
            replayed.outcome.as_str(),
            replayed.records,
            replayed.updated,
            replayed.unchanged,
            replayed.rejected,
            replayed.without_raw
        ),
    };
    replayed.iter().map(line).collect()
}
