//! Past ranges, read beside a running daemon.

use chrono::{DateTime, Utc};
use clap::Args;
use tracing::warn;

use crate::config::{Config, parse_instant};
use crate::sync;
use crate::telemetry;
use crate::time::clock::{Clock, SystemClock};
use crate::time::window::Window;

use super::accounts::select;
use super::exit::CommandError;

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
        let window = cut(self.from, self.to, head)?;
        Ok((config, kept(window, kept_from)?))
    }
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    parse_instant(text).ok_or_else(|| "a date (2025-01-31) or RFC 3339 is expected".to_owned())
}

fn cut(start: DateTime<Utc>, end: DateTime<Utc>, head: DateTime<Utc>) -> Result<Window, CommandError> {
    if start >= end {
        return Err(CommandError::Usage(
            "--from must be before --to, which does not belong to the range".to_owned(),
        ));
    }
    if start >= head {
        return Err(CommandError::Usage(format!(
            "--from must be before {}, the end of what can be read now (sync.settle_seconds ago)",
            telemetry::instant(head)
        )));
    }
    if end > head {
        warn!(
            to = telemetry::instant(end),
            cut_to = telemetry::instant(head),
            "the range reaches into the future, it is cut"
        );
    }
    Ok(Window {
        start,
        end: end.min(head),
    })
}

fn kept(range: Window, kept_from: Option<DateTime<Utc>>) -> Result<Window, CommandError> {
    let Some(from) = kept_from.filter(|from| *from > range.start) else {
        return Ok(range);
    };
    if range.end <= from {
        return Err(CommandError::Usage(format!(
            "--to must be after {}: what is older is not kept (storage.retention_days)",
            telemetry::instant(from)
        )));
    }
    warn!(
        from = telemetry::instant(range.start),
        cut_to = telemetry::instant(from),
        "the range reaches into what is not kept, it is cut"
    );
    Ok(Window { start: from, ..range })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_where_the_future_begins() {
        let head = instant("2025-06-01T12:00:00Z").unwrap();
        let cut_of = |from, to| cut(instant(from).unwrap(), instant(to).unwrap(), head);
        let future = cut_of("2025-05-01", "2025-07-01").unwrap();
        assert_eq!((future.start, future.end), (instant("2025-05-01").unwrap(), head));
        let past = cut_of("2025-05-01", "2025-05-02T03:00:00+01:00").unwrap();
        assert_eq!(past.end, instant("2025-05-02T02:00:00Z").unwrap());
        assert!(cut_of("2025-05-01", "2025-05-01").is_err());
        assert!(cut_of("2025-06-02", "2025-06-03").is_err());
        assert!(instant("yesterday").is_err());
    }
}
