//! `backfill`: a past range, beside a live daemon or without one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, parse_instant};
use crate::load::runs::Outcome;
use crate::observe::{self, logging::Screen};
use crate::sync::{self, Job, RunReport};
use crate::window::Window;

use super::accounts;
use super::exit::CommandError;
use super::progress::Watched;

/// Between giving way, or finding the account taken, and the next try. Longer than the second
/// after which a daemon that waits looks again, or it would never find the account free.
const PAUSE: Duration = Duration::from_secs(2);

/// Waiting is said no more often than this.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What `backfill` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Begin: a date (its midnight in UTC) or RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    from: DateTime<Utc>,
    /// End, which does not belong to the range: a date (its midnight in UTC) or RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    to: DateTime<Utc>,
    /// This account alone, by its name in the configuration; else all
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Read again what is loaded already
    #[arg(long)]
    refetch: bool,
}

pub(super) async fn backfill(
    config: &Config,
    arguments: &Arguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    config.require_accounts()?;
    let config = only(config, arguments.account.as_deref())?;
    let head = sync::head(SystemClock.now(), config.sync.settle);
    let job = Job::Backfill {
        range: range(arguments, head)?,
        refetch: arguments.refetch,
    };
    accounts::work(&config, screen, async |watched, stop| {
        run_to_the_end(watched, &job, stop).await
    })
    .await
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    parse_instant(text).ok_or_else(|| "a date (2025-01-31) or RFC 3339 is expected".to_owned())
}

/// The configuration with the account of that name alone.
fn only(config: &Config, name: Option<&str>) -> Result<Config, CommandError> {
    let mut config = config.clone();
    let Some(name) = name else { return Ok(config) };
    let known: Vec<String> = config
        .accounts
        .iter()
        .map(|account| account.name.clone())
        .collect();
    config.accounts.retain(|account| account.name == name);
    if config.accounts.is_empty() {
        return Err(CommandError::Usage(format!(
            "--account: there is no account {name:?}; known: {}",
            known.join(", ")
        )));
    }
    Ok(config)
}

/// What is asked for, up to what can be read by now.
fn range(arguments: &Arguments, head: DateTime<Utc>) -> Result<Window, CommandError> {
    let (start, end) = (arguments.from, arguments.to);
    if start >= end {
        return Err(CommandError::Usage(
            "--from must be before --to; --to is the first instant that is not wanted any more".to_owned(),
        ));
    }
    if start >= head {
        return Err(CommandError::Usage(format!(
            "--from must be before {}, up to which the API is read now (sync.settle_seconds ago)",
            observe::instant(head)
        )));
    }
    if end > head {
        warn!(
            to = observe::instant(end),
            cut_to = observe::instant(head),
            "the range reaches into the future, it is cut"
        );
    }
    Ok(Window {
        start,
        end: end.min(head),
    })
}

/// Runs until a run ends that neither gave way nor found the account taken. Nothing is lost in
/// between: what was read is in the books.
async fn run_to_the_end(watched: &Watched, job: &Job, stop: &CancellationToken) -> RunReport {
    let mut said: Option<Instant> = None;
    loop {
        let report = watched.run(job, stop).await;
        let goes_on = report.gave_way || report.outcome == Outcome::Skipped;
        if !goes_on || stop.is_cancelled() {
            return report;
        }
        if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            said = Some(Instant::now());
            info!(
                account = watched.account(),
                pause_seconds = PAUSE.as_secs(),
                "waiting for the account"
            );
        }
        stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(from: &str, to: &str) -> Arguments {
        Arguments {
            from: instant(from).unwrap(),
            to: instant(to).unwrap(),
            account: None,
            refetch: false,
        }
    }

    #[test]
    fn a_range_is_cut_where_the_future_begins() {
        let head = instant("2025-06-01T12:00:00Z").unwrap();
        let cut = range(&arguments("2025-05-01", "2025-07-01"), head).unwrap();
        assert_eq!((cut.start, cut.end), (instant("2025-05-01").unwrap(), head));
        let past = range(&arguments("2025-05-01", "2025-05-02T03:00:00+01:00"), head).unwrap();
        assert_eq!(past.end, instant("2025-05-02T02:00:00Z").unwrap());
        assert!(range(&arguments("2025-05-01", "2025-05-01"), head).is_err());
        assert!(range(&arguments("2025-06-02", "2025-06-03"), head).is_err());
        assert!(instant("yesterday").is_err());
    }
}
