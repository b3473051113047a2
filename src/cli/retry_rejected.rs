use serde_json::{Value, json};
use tracing::info;

use crate::config::Config;
use crate::ledger::problems::Failure;
use crate::sync::{Retry, RetryReport};

use super::accounts::{contexts, select};
use super::exit::CommandError;
use super::output::print_report;
use super::replay::ReprocessArguments;
use super::shell::{Shell, with_database};

type RetriedAccounts = Vec<(String, RetryReport)>;

pub(super) async fn retry_rejected(
    config: &Config,
    arguments: &ReprocessArguments,
) -> Result<(), CommandError> {
    let config = select(config, arguments.account.as_deref())?;
    let retried = with_database(&config, retry_all).await?;
    print_report(arguments.json, &to_json(&retried), || to_text(&retried))?;
    if retried.iter().all(|(_, report)| report.is_complete) {
        Ok(())
    } else {
        Err(CommandError::Runs(Failure::Other))
    }
}

async fn retry_all(shell: &Shell<'_>) -> Result<RetriedAccounts, CommandError> {
    let mut all = Vec::new();
    for context in contexts(shell.config, &shell.database.pool)? {
        let mut retry = Retry::default();
        let run = async || Ok(context.retry_rejected(&mut retry, &shell.stop).await?);
        shell.retry(&shell.stop, run).await?;
        let report = retry.report;
        let account = context.name().to_owned();
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

fn to_json(retried: &RetriedAccounts) -> Value {
    let accounts = retried.iter().map(|(account, report)| {
        json!({
            "account": account, "tried": report.tried, "stored": report.stored,
            "were_stored": report.were_stored, "left_out": report.left_out, "rejected": report.rejected,
        })
    });
    let accounts: Vec<Value> = accounts.collect();
    json!({ "accounts": accounts })
}

fn to_text(retried: &RetriedAccounts) -> String {
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
