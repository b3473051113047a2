//! `retry-rejected`: tries rejected records again.

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use tracing::info;

use crate::config::Config;
use crate::ledger::problems::Failure;
use crate::postgres::Database;
use crate::sync::{Retry, RetryReport};
use crate::time::clock::{Clock, SystemClock};

use super::exit::CommandError;
use super::output::print;
use super::range::only;
use super::shutdown::Shutdown;
use super::waiting::{self, Waiting};
use super::workers;

/// What `retry-rejected` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// This account alone, by its name in the configuration; else all
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// One JSON object for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn retry_rejected(config: &Config, arguments: &Arguments) -> Result<(), CommandError> {
    config.require_accounts()?;
    let config = only(config, arguments.account.as_deref())?;
    let shutdown = Shutdown::on_signals(config.sync.shutdown).map_err(CommandError::other)?;
    let (database, waiting) = waiting::open(&config, &shutdown.soft).await?;
    let retried = tokio::select! {
        retried = all(&config, (&database, &waiting), &shutdown) => retried,
        () = shutdown.hard.cancelled() => Err(CommandError::Runs(Failure::Other)),
    };
    database.close().await;
    let retried = retried.map_err(|error| waiting.verdict(error))?;
    print(&told(&retried, arguments.json))?;
    if retried.iter().all(|(_, report)| report.is_complete) {
        Ok(())
    } else {
        Err(CommandError::Runs(Failure::Other))
    }
}

async fn all(
    config: &Config,
    (database, waiting): (&Database, &Waiting),
    shutdown: &Shutdown,
) -> Result<Vec<(String, RetryReport)>, CommandError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut all = Vec::new();
    for worker in workers::build(config, &database.pool, &clock)? {
        let mut retry = Retry::default();
        let run = async || worker.retry_rejected(&mut retry, &shutdown.soft).await;
        waiting.through(database, &shutdown.soft, run).await?;
        let report = retry.report;
        let account = worker.api.account().name.clone();
        info!(
            account,
            tried = report.tried,
            stored = report.stored,
            were_stored = report.were_stored,
            left_out = report.left_out,
            rejected = report.rejected.values().sum::<u64>(),
            "rejected records tried again"
        );
        all.push((account, report));
    }
    Ok(all)
}

fn told(retried: &[(String, RetryReport)], is_json: bool) -> String {
    if is_json {
        let account = |(account, report): &(String, RetryReport)| -> Value {
            json!({
                "account": account, "tried": report.tried, "stored": report.stored,
                "were_stored": report.were_stored, "left_out": report.left_out, "rejected": report.rejected,
            })
        };
        let accounts: Vec<Value> = retried.iter().map(account).collect();
        return format!("{}\n", json!({ "accounts": accounts }));
    }
    let mut text = String::new();
    for (account, report) in retried {
        text += &format!(
            "{account}: {} tried, {} stored, {} were stored already, {} not to be stored\n",
            report.tried, report.stored, report.were_stored, report.left_out
        );
        for (reason, records) in &report.rejected {
            text += &format!("  {records:>7} still rejected: {reason}\n");
        }
    }
    text
}
