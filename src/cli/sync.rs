use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use tracing::{info, warn};

use crate::config::{Config, parse_instant};
use crate::ledger::Purpose;
use crate::ledger::problems::Problem;
use crate::ledger::requests::NewRequest;
use crate::ledger::runs::Outcome;
use crate::sync;
use crate::telemetry;
use crate::telemetry::logging::Screen;
use crate::time::{Clock, SystemClock, Window};

use super::accounts::{run_all, select};
use super::process::CommandError;

pub(super) async fn sync(config: &Config, screen: &Screen) -> Result<(), CommandError> {
    run_all(config, screen, true, async |watched| {
        let mut report = watched.catch_up().await;
        if report.has_read_nothing() {
            info!(
                account = watched.context.name(),
                "nothing to read: all there is now is loaded"
            );
        }
        if !report.was_cut_off()
            && let Err(error) = watched.clean_up().await
            && report.outcome == Outcome::Succeeded
        {
            report.outcome = Outcome::Failed;
            report.problem = Some(Problem::from(&error));
        }
        report
    })
    .await
}

#[derive(Debug, Args)]
pub(super) struct BackfillArguments {
    #[command(flatten)]
    range: RangeArguments,
    /// Read again what is loaded already
    #[arg(long)]
    refetch: bool,
}

pub(super) async fn backfill(
    config: &Config,
    arguments: &BackfillArguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    let (config, range) = arguments.range.of(config)?;
    let ranges = [range];
    let wish = NewRequest {
        due_for: arguments.refetch.then(TimeDelta::zero),
        ..NewRequest::of(Purpose::Backfill, &ranges)
    };
    run_all(&config, screen, false, async |watched| {
        let (request, report) = watched.fulfil(&wish).await;
        if request.is_none() && report.has_read_nothing() {
            info!(
                account = watched.context.name(),
                "nothing to read: all of the range is loaded"
            );
        }
        report
    })
    .await
}

/// The range, and whose it is.
#[derive(Debug, Args)]
pub(super) struct RangeArguments {
    /// Begin: a date (its midnight in UTC) or RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    from: DateTime<Utc>,
    /// End, which does not belong to the range: a date (its midnight in UTC) or RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    to: DateTime<Utc>,
    /// Only this account, by its name in the configuration; all by default
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

impl RangeArguments {
    pub(super) fn of(&self, config: &Config) -> Result<(Config, Window), CommandError> {
        let config = select(config, self.account.as_deref())?;
        let now = SystemClock.now();
        let head = sync::head(now, config.sync.settle);
        let retention = config.storage.retention;
        let kept_from = retention.and_then(|retention| sync::kept_from(now, retention));
        let range = Window::new(self.from, self.to);
        Ok((config, cut(range, head, kept_from)?))
    }
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    parse_instant(text).ok_or_else(|| "a date (2025-01-31) or RFC 3339 from 2000 on is expected".to_owned())
}

/// The part that can be read and is kept.
fn cut(
    Window { start, end }: Window,
    head: DateTime<Utc>,
    kept_from: Option<DateTime<Utc>>,
) -> Result<Window, CommandError> {
    let usage = |problem: String| Err(CommandError::Usage(problem));
    if start >= end {
        return usage("--from must be before --to, which does not belong to the range".to_owned());
    }
    if start >= head {
        let head = telemetry::instant(head);
        return usage(format!(
            "--from must be before {head}, the end of what can be read now (sync.settle_seconds ago)"
        ));
    }
    let from = kept_from.map_or(start, |kept_from| kept_from.max(start));
    if end <= from {
        let from = telemetry::instant(from);
        return usage(format!(
            "--to must be after {from}: what is older is not kept (storage.retention_days)"
        ));
    }
    if end > head {
        let (to, cut_to) = (telemetry::instant(end), telemetry::instant(head));
        warn!(to, cut_to, "the range reaches into the future, it is cut");
    }
    if start < from {
        let (from, cut_to) = (telemetry::instant(start), telemetry::instant(from));
        warn!(from, cut_to, "the range reaches into what is not kept, it is cut");
    }
    Ok(Window::new(from, end.min(head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_where_the_future_begins() {
        let head = instant("2025-06-01T12:00:00Z").unwrap();
        let range = |from, to| Window::new(instant(from).unwrap(), instant(to).unwrap());
        let cut_of = |from, to| cut(range(from, to), head, None);
        let future = cut_of("2025-05-01", "2025-07-01").unwrap();
        assert_eq!((future.start, future.end), (instant("2025-05-01").unwrap(), head));
        let past = cut_of("2025-05-01", "2025-05-02T03:00:00+01:00").unwrap();
        assert_eq!(past.end, instant("2025-05-02T02:00:00Z").unwrap());
        assert!(cut_of("2025-05-01", "2025-05-01").is_err());
        assert!(cut_of("2025-06-02", "2025-06-03").is_err());
        assert!(instant("yesterday").is_err());
    }
}
