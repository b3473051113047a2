use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::Config;
use crate::ledger::runs::Outcome;
use crate::sync::{Replay, Replayed};
use crate::telemetry::logging::Screen;
use crate::time::clock::SystemClock;

use super::accounts::select;
use super::exit::CommandError;
use super::output::print_report;
use super::progress::{self, ProgressView};
use super::shell::{Shell, with_database};

/// Of `replay` and `retry-rejected`.
#[derive(Debug, Args)]
pub(super) struct ReprocessArguments {
    /// Only this account, by its name in the configuration; all by default
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// One JSON object for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// By account; `None`: never loaded.
type ReplayedAccounts = Vec<(String, Option<Replayed>)>;

pub(super) async fn replay(
    config: &Config,
    arguments: &ReprocessArguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    let config = select(config, arguments.account.as_deref())?;
    let replayed = with_database(&config, async |shell| replay_all(shell, screen).await).await?;
    print_report(arguments.json, &to_json(&replayed), || to_text(&replayed))?;
    let mut replayed = replayed.iter().filter_map(|(_, replayed)| *replayed);
    if replayed.all(|replayed| replayed.outcome == Outcome::Succeeded) {
        Ok(())
    } else {
        Err(CommandError::NotRebuilt)
    }
}

async fn replay_all(shell: &Shell<'_>, screen: &Screen) -> Result<ReplayedAccounts, CommandError> {
    let policy = Arc::new(shell.config.privacy.clone());
    let mut all = Vec::new();
    for account in &shell.config.accounts {
        let replay = Arc::new(Replay {
            pool: shell.database.pool.clone(),
            account_id: account.account_id.clone(),
            policy: Arc::clone(&policy),
            clock: Arc::new(SystemClock),
            done: 0.into(),
            total: 0.into(),
            earlier: watch::Sender::default(),
        });
        let began = Instant::now();
        let progress = ReplayProgress {
            account: account.name.clone(),
            replay: Arc::clone(&replay),
        };
        let shown = progress::show(screen, (&account.name, "records"), progress);
        let run = async || Ok(replay.run(&shell.stop).await?);
        let replayed = shell.retry(&shell.stop, run).await?;
        drop(shown);
        if let Some(replayed) = &replayed {
            log_summary(&account.name, replayed, began);
        }
        all.push((account.name.clone(), replayed));
    }
    Ok(all)
}

fn log_summary(account: &str, replayed: &Replayed, began: Instant) {
    info!(
        account,
        outcome = replayed.outcome.as_str(),
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
    replay: Arc<Replay>,
}

impl ProgressView for ReplayProgress {
    fn draw(&mut self, bar: &ProgressBar) {
        bar.set_length(self.replay.total.load(Ordering::Relaxed));
        bar.set_position(self.replay.done.load(Ordering::Relaxed));
    }

    fn log(&mut self) {
        info!(
            account = self.account,
            records = self.replay.done.load(Ordering::Relaxed),
            of = self.replay.total.load(Ordering::Relaxed),
            "replaying"
        );
    }
}

fn to_json(replayed: &ReplayedAccounts) -> Value {
    let accounts = replayed.iter().map(|(account, replayed)| {
        let counts = replayed.unwrap_or_default();
        json!({
            "account": account,
            "outcome": replayed.map(|replayed| replayed.outcome.as_str()),
            "records": counts.records,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
            "rejected": counts.rejected,
            "without_raw": counts.without_raw,
        })
    });
    let accounts: Vec<Value> = accounts.collect();
    json!({ "accounts": accounts })
}

fn to_text(replayed: &ReplayedAccounts) -> String {
    let lines = replayed.iter().map(|(account, replayed)| match replayed {
        None => format!("{account}: never loaded, nothing to replay\n"),
        Some(Replayed {
            outcome,
            records,
            updated,
            unchanged,
            rejected,
            without_raw,
        }) => format!(
            "{account}: {}; {records} records, {updated} rewritten, {unchanged} as they were, {rejected} that cannot be \
             rebuilt, {without_raw} without a raw record\n",
            outcome.as_str(),
        ),
    });
    lines.collect()
}
