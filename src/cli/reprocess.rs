//! `replay`, `rebuild-facts`, `retry-rejected`, `confirm-missing`.

use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::Config;
use crate::ledger::problems::Failure;
use crate::ledger::runs::Outcome;
use crate::sync::{self, Replayed, Retry, RetryReport};
use crate::telemetry::logging::Screen;
use crate::time::{Clock, Pulse, SystemClock};
use crate::warehouse::bulk;
use crate::warehouse::reporting::{self, MayChange};

use super::accounts::{ProgressView, contexts, select, show};
use super::output::print_report;
use super::process::CommandError;
use super::shell::{Shell, with_database};

#[derive(Debug, Args)]
pub(super) struct ReprocessArguments {
    /// Only this account, by its name in the configuration; all by default
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// One JSON object for programs
    #[arg(long)]
    pub(super) json: bool,
}

type ReplayedAccounts = Vec<(String, Replayed)>;

pub(super) async fn replay(
    config: &Config,
    arguments: &ReprocessArguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    let config = select(config, arguments.account.as_deref())?;
    let replayed = with_database(&config, async |shell| replay_all(shell, screen).await).await?;
    print_report(arguments.json, &replayed_to_json(&replayed), || {
        replayed_to_text(&replayed)
    })?;
    let mut outcomes = replayed.iter().filter_map(|(_, replayed)| replayed.outcome);
    if outcomes.all(|outcome| outcome == Outcome::Succeeded) {
        Ok(())
    } else {
        Err(CommandError::NotRebuilt)
    }
}

async fn replay_all(shell: &Shell<'_>, screen: &Screen) -> Result<ReplayedAccounts, CommandError> {
    let mut all = Vec::new();
    for context in contexts(shell.config, &shell.database.pool)? {
        let (account, began) = (context.name().to_owned(), Instant::now());
        let replayed = watch::Sender::default();
        let progress = ReplayProgress {
            account: account.clone(),
            replayed: replayed.clone(),
        };
        let shown = show(screen, (&account, "records"), progress);
        let replay = async || Ok(context.replay(&replayed, &shell.stop).await?);
        shell.retry(replay).await?;
        drop(shown);
        let replayed = *replayed.borrow();
        log_summary(&account, &replayed, began);
        all.push((account, replayed));
    }
    Ok(all)
}

fn log_summary(account: &str, replayed: &Replayed, began: Instant) {
    let Some(outcome) = replayed.outcome else { return };
    info!(
        account,
        outcome = outcome.as_str(),
        records = replayed.records,
        updated = replayed.updated,
        unchanged = replayed.unchanged,
        rejected = replayed.rejected,
        without_raw = replayed.without_raw,
        seconds = began.elapsed().as_secs_f64(),
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

struct ReplayProgress {
    account: String,
    replayed: watch::Sender<Replayed>,
}

impl ProgressView for ReplayProgress {
    fn draw(&mut self, bar: &ProgressBar) {
        let Replayed { total, records, .. } = *self.replayed.borrow();
        bar.set_length(total);
        bar.set_position(records);
    }

    fn log(&mut self) {
        let Replayed { total, records, .. } = *self.replayed.borrow();
        info!(account = self.account, records, of = total, "replaying");
    }
}

fn replayed_to_json(replayed: &ReplayedAccounts) -> Value {
    let accounts = replayed.iter().map(|(account, replayed)| {
        json!({
            "account": account,
            "outcome": replayed.outcome.map(Outcome::as_str),
            "records": replayed.records,
            "updated": replayed.updated,
            "unchanged": replayed.unchanged,
            "rejected": replayed.rejected,
            "without_raw": replayed.without_raw,
        })
    });
    let accounts: Vec<Value> = accounts.collect();
    json!({ "accounts": accounts })
}

fn replayed_to_text(replayed: &ReplayedAccounts) -> String {
    let lines = replayed.iter().map(|(account, replayed)| match replayed.outcome {
        None => format!("{account}: never loaded, nothing to replay\n"),
        Some(outcome) => format!(
            "{account}: {}; {} records, {} rewritten, {} as they were, {} that cannot be rebuilt, {} without a raw \
             record\n",
            outcome.as_str(),
            replayed.records,
            replayed.updated,
            replayed.unchanged,
            replayed.rejected,
            replayed.without_raw,
        ),
    });
    lines.collect()
}

pub(super) async fn rebuild_facts(
    config: &Config,
    arguments: &ReprocessArguments,
) -> Result<(), CommandError> {
    let config = select(config, arguments.account.as_deref())?;
    let rebuilt = with_database(&config, async |shell| rebuild(shell).await).await?;
    let accounts = rebuilt
        .iter()
        .map(|(account, interactions)| json!({ "account": account, "interactions": interactions }));
    let summary = json!({ "accounts": accounts.collect::<Vec<_>>() });
    print_report(arguments.json, &summary, || {
        let lines = rebuilt.iter().map(|(account, interactions)| {
            format!("{account}: facts of {interactions} interactions made anew\n")
        });
        lines.collect()
    })
}

async fn rebuild(shell: &Shell<'_>) -> Result<Vec<(String, u64)>, CommandError> {
    shell.apply_reporting(MayChange::Never).await?;
    let pool = &shell.database.pool;
    let mut all = Vec::new();
    for account in &shell.config.accounts {
        let ask = async || Ok(reporting::rebuild(pool, &account.account_id).await?);
        shell.retry(ask).await?;
        let mut interactions = 0;
        let rebuild = async || {
            interactions += sync::rebuild_facts(pool, account, &shell.stop, &Pulse::default()).await?;
            Ok(())
        };
        shell.retry(rebuild).await?;
        if shell.stop.is_cancelled() {
            return Err(CommandError::Interrupted);
        }
        all.push((account.name.clone(), interactions));
    }
    Ok(all)
}

type RetriedAccounts = Vec<(String, RetryReport)>;

pub(super) async fn retry_rejected(
    config: &Config,
    arguments: &ReprocessArguments,
) -> Result<(), CommandError> {
    let config = select(config, arguments.account.as_deref())?;
    let retried = with_database(&config, retry_all).await?;
    print_report(arguments.json, &retried_to_json(&retried), || {
        retried_to_text(&retried)
    })?;
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
        shell.retry(run).await?;
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

fn retried_to_json(retried: &RetriedAccounts) -> Value {
    let accounts = retried.iter().map(|(account, report)| {
        json!({
            "account": account, "tried": report.tried, "stored": report.stored,
            "were_stored": report.were_stored, "left_out": report.left_out, "rejected": report.rejected,
        })
    });
    let accounts: Vec<Value> = accounts.collect();
    json!({ "accounts": accounts })
}

fn retried_to_text(retried: &RetriedAccounts) -> String {
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

#[derive(Debug, Args)]
pub(super) struct ConfirmMissingArguments {
    /// The account, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    account: String,
    /// Only count what would be marked
    #[arg(long)]
    dry_run: bool,
    /// One JSON object for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn confirm_missing(
    config: &Config,
    arguments: &ConfirmMissingArguments,
) -> Result<(), CommandError> {
    let (account, dry_run) = (&arguments.account, arguments.dry_run);
    let config = select(config, Some(account))?;
    let interactions = with_database(&config, async |shell| confirm(shell, dry_run).await).await?;
    let summary = json!({ "account": account, "interactions": interactions, "dry_run": dry_run });
    let are = if dry_run { "would be" } else { "are" };
    print_report(arguments.json, &summary, || {
        format!("{account}: {interactions} interactions {are} marked as missing\n")
    })
}

async fn confirm(shell: &Shell<'_>, dry_run: bool) -> Result<u64, CommandError> {
    let pool = &shell.database.pool;
    let account = &shell.config.accounts[0];
    if dry_run {
        let count = async || Ok(bulk::withheld(pool, &account.account_id).await?);
        return shell.retry(count).await;
    }
    let names = (account.account_id.as_str(), account.name.as_str());
    let mut interactions = 0;
    let confirm = async || Ok(bulk::confirm(pool, names, SystemClock.now(), &mut interactions).await?);
    shell.retry(confirm).await?;
    info!(
        account = account.name,
        interactions, "interactions that are missing in bulk are marked, as confirmed"
    );
    Ok(interactions)
}
