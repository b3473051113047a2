//! `replay`, `rebuild-facts`, `retry-rejected`, `confirm-missing`.

use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::Config;
use crate::ledger::runs::Outcome;
use crate::sync::{self, AccountContext, Replayed, Retry, RetryReport};
use crate::telemetry::logging::Screen;
use crate::warehouse::{bulk, days, facts, reporting};

use super::accounts::{contexts, select, show};
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

impl ReprocessArguments {
    fn of(&self) -> (Option<&str>, bool) {
        (self.account.as_deref(), self.json)
    }
}

#[derive(Serialize)]
struct Done<T> {
    account: String,
    #[serde(flatten)]
    done: T,
}

/// Prints what was done; once stopped, begins no other account.
async fn each_account<T: Serialize>(
    config: &Config,
    (name, as_json): (Option<&str>, bool),
    work: impl AsyncFn(&Shell<'_>, &AccountContext) -> Result<(T, bool), CommandError>,
    to_text: impl Fn(&str, &T) -> String,
) -> Result<Vec<Done<T>>, CommandError> {
    let config = select(config, name)?;
    let worked = with_database(&config, async |shell| {
        let contexts = contexts(&config, &shell.database.pool)?;
        let (mut all, mut is_whole) = (Vec::new(), true);
        for context in &contexts {
            let (done, is_done) = work(shell, context).await?;
            let account = context.name().to_owned();
            all.push(Done { account, done });
            is_whole = is_done && all.len() == contexts.len();
            if shell.stop.is_cancelled() {
                break;
            }
        }
        Ok((all, is_whole))
    });
    let (all, is_whole) = worked.await?;
    print_report(as_json, &json!({ "accounts": all }), || {
        all.iter().map(|one| to_text(&one.account, &one.done)).collect()
    })?;
    if is_whole {
        Ok(all)
    } else {
        Err(CommandError::Interrupted)
    }
}

pub(super) async fn replay(
    config: &Config,
    arguments: &ReprocessArguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    let work = async |shell: &Shell<'_>, account: &AccountContext| {
        let (name, began) = (account.name(), Instant::now());
        let replayed = watch::Sender::default();
        let look = {
            let (account, replayed) = (name.to_owned(), replayed.clone());
            move |bar: Option<&ProgressBar>| show_replayed(&account, *replayed.borrow(), bar)
        };
        let shown = show(screen, (name, "records"), look);
        let replay = async || Ok(account.replay(&replayed, &shell.stop).await?);
        shell.retry(replay).await?;
        drop(shown);
        let replayed = *replayed.borrow();
        log_summary(name, &replayed, began);
        Ok((replayed, replayed.outcome != Some(Outcome::Interrupted)))
    };
    let all = each_account(config, arguments.of(), work, replayed_to_text).await?;
    let mut outcomes = all.iter().filter_map(|account| account.done.outcome);
    if outcomes.all(|outcome| outcome == Outcome::Succeeded) {
        Ok(())
    } else {
        Err(CommandError::NotRebuilt)
    }
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

fn show_replayed(account: &str, Replayed { records, total, .. }: Replayed, bar: Option<&ProgressBar>) {
    if let Some(bar) = bar {
        bar.set_length(total);
        bar.set_position(records);
    } else {
        info!(account, records, of = total, "replaying");
    }
}

fn replayed_to_text(account: &str, replayed: &Replayed) -> String {
    let Some(outcome) = replayed.outcome else {
        return format!("{account}: never loaded, nothing to replay\n");
    };
    format!(
        "{account}: {}; {} records, {} rewritten, {} as they were, {} that cannot be rebuilt, {} without a raw record\n",
        outcome.as_str(),
        replayed.records,
        replayed.updated,
        replayed.unchanged,
        replayed.rejected,
        replayed.without_raw,
    )
}

#[derive(Serialize)]
struct RebuiltFacts {
    interactions: u64,
}

pub(super) async fn rebuild_facts(
    config: &Config,
    arguments: &ReprocessArguments,
) -> Result<(), CommandError> {
    let work = async |shell: &Shell<'_>, account: &AccountContext| {
        let (pool, of_account) = (&account.pool, account.api.account());
        let ask = async || {
            reporting::apply(pool, of_account, false).await?;
            // Before, or contacts would be linked with what is gone.
            facts::forget_orphans(pool, account.account_id()).await?;
            account.tell_recounted(days::recount_all(pool, account.account_id()).await?);
            Ok(reporting::rebuild(pool, account.account_id()).await?)
        };
        shell.retry(ask).await?;
        let mut interactions = 0;
        let rebuild = async || {
            let (some, is_done) = sync::rebuild_facts(pool, of_account, &shell.stop).await?;
            interactions += some;
            Ok(is_done)
        };
        let is_done = shell.retry(rebuild).await?;
        Ok((RebuiltFacts { interactions }, is_done))
    };
    each_account(config, arguments.of(), work, rebuilt_to_text).await?;
    Ok(())
}

fn rebuilt_to_text(account: &str, facts: &RebuiltFacts) -> String {
    let interactions = facts.interactions;
    format!("{account}: facts of {interactions} interactions made anew\n")
}

pub(super) async fn retry_rejected(
    config: &Config,
    arguments: &ReprocessArguments,
) -> Result<(), CommandError> {
    let work = async |shell: &Shell<'_>, account: &AccountContext| {
        let mut retry = Retry::default();
        let run = async || Ok(account.retry_rejected(&mut retry, &shell.stop).await?);
        shell.retry(run).await?;
        let report = retry.report;
        info!(
            account = account.name(),
            tried = report.tried,
            stored = report.stored,
            were_stored = report.were_stored,
            left_out = report.left_out,
            rejected = report.rejected.values().sum::<u64>(),
            "rejected records tried again"
        );
        let is_complete = report.is_complete;
        Ok((report, is_complete))
    };
    each_account(config, arguments.of(), work, retried_to_text).await?;
    Ok(())
}

fn retried_to_text(account: &str, report: &RetryReport) -> String {
    let mut text = format!(
        "{account}: {} tried, {} stored, {} were stored already, {} not to be stored\n",
        report.tried, report.stored, report.were_stored, report.left_out
    );
    for (reason, records) in &report.rejected {
        text += &format!("  {records:>7} still rejected: {reason}\n");
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

#[derive(Serialize)]
struct ConfirmedMissing {
    interactions: u64,
    dry_run: bool,
}

pub(super) async fn confirm_missing(
    config: &Config,
    arguments: &ConfirmMissingArguments,
) -> Result<(), CommandError> {
    let dry_run = arguments.dry_run;
    let work = async |shell: &Shell<'_>, account: &AccountContext| {
        let (pool, name) = (&account.pool, account.name());
        let mut interactions = 0;
        if dry_run {
            let count = async || Ok(bulk::withheld(pool, account.account_id()).await?.0);
            interactions = shell.retry(count).await?;
        } else {
            let (names, clock) = ((account.account_id(), name), &account.clock);
            let confirm = async || Ok(bulk::confirm(pool, names, clock.now(), &mut interactions).await?);
            shell.retry(confirm).await?;
            info!(
                account = name,
                interactions, "interactions that are missing in bulk are marked, as confirmed"
            );
        }
        let confirmed = ConfirmedMissing {
            interactions,
            dry_run,
        };
        Ok((confirmed, true))
    };
    let were = if dry_run { "would be" } else { "were" };
    let to_text = |account: &str, confirmed: &ConfirmedMissing| {
        let interactions = confirmed.interactions;
        format!("{account}: {interactions} interactions {were} marked as missing\n")
    };
    let of = (Some(arguments.account.as_str()), arguments.json);
    each_account(config, of, work, to_text).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn printed<T: Serialize>(done: T) -> Value {
        let account = "main".to_owned();
        json!(Done { account, done })
    }

    #[test]
    fn reports_have_these_keys_in_json() {
        let mut replayed = Replayed::default();
        let mut expected = json!({
            "account": "main", "outcome": null, "records": 0, "updated": 0, "unchanged": 0, "rejected": 0,
            "without_raw": 0,
        });
        assert_eq!(printed(replayed), expected);
        replayed.outcome = Some(Outcome::Interrupted);
        expected["outcome"] = "interrupted".into();
        assert_eq!(printed(replayed), expected);
        let report = RetryReport {
            rejected: [("not an object".to_owned(), 2)].into(),
            ..RetryReport::default()
        };
        let expected = json!({
            "account": "main", "tried": 0, "stored": 0, "were_stored": 0, "left_out": 0, "rejected": {"not an object": 2},
        });
        assert_eq!(printed(report), expected);
        assert_eq!(
            printed(RebuiltFacts { interactions: 3 }),
            json!({"account": "main", "interactions": 3})
        );
        let missing = ConfirmedMissing {
            interactions: 3,
            dry_run: true,
        };
        let expected = json!({"account": "main", "interactions": 3, "dry_run": true});
        assert_eq!(printed(missing), expected);
    }
}
