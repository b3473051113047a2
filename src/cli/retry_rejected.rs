//! `retry-rejected`: try the records that were set aside again.

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use tracing::info;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::database::{self, Database};
use crate::sync::{Failure, RetryReport};

use super::exit::CommandError;
use super::output::print;
use super::range::only;
use super::shutdown::Shutdown;
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
    let database = Database::open(&config).await?;
    database.announce();
    let retried = tokio::select! {
        retried = all(&config, &database, &shutdown) => retried,
        () = shutdown.hard.cancelled() => Err(CommandError::Runs(Failure::Other)),
    };
    database.close().await;
    let retried = retried?;
    print(&told(&retried, arguments.json))?;
    if retried.iter().all(|(_, report)| report.is_complete) {
        Ok(())
    } else {
        Err(CommandError::Runs(Failure::Other))
    }
}

async fn all(
    config: &Config,
    database: &Database,
    shutdown: &Shutdown,
) -> Result<Vec<(String, RetryReport)>, CommandError> {
    database::migrate(&database.pool).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut all = Vec::new();
    for worker in workers::build(config, &database.pool, &clock)? {
        let report = worker.retry_rejected(&shutdown.soft).await?;
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
