//! Logs, metrics and health. Reads what the other rooms do, never steers it.

pub mod http;
pub mod logging;
pub mod metrics;
mod status;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::load::LoadError;
use crate::load::runs::{Kind, Outcome};
use crate::sync::TimeZoneVerdict;

pub use status::{render_status, span};

/// An error with all of its causes, for the one log line that reports it.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + use<'a> {
    Chain(error)
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            // Some libraries repeat their cause in their own text.
            let text = error.to_string();
            if !shown.contains(&text) {
                write!(f, ": {text}")?;
                shown = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

/// An instant as log lines and tables show it.
pub fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Adds to a counter of an account. `label` is a name and a value from a fixed, short list.
pub fn count(metric: &'static str, account: &str, label: (&'static str, &'static str), n: u64) {
    ::metrics::counter!(metric, "account" => account.to_owned(), label.0 => label.1).increment(n);
}

/// Shows for how long an account has had work and nothing came of it.
pub fn stalled(account: &str, idle_for: Duration) {
    ::metrics::gauge!(metrics::STALLED, "account" => account.to_owned()).set(idle_for.as_secs_f64());
}

/// Shows by how much the API's clock is ahead of ours.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; seconds are few")]
pub fn clock_skew(account: &str, ahead: TimeDelta) {
    ::metrics::gauge!(metrics::CLOCK_SKEW, "account" => account.to_owned()).set(ahead.num_seconds() as f64);
}

/// Shows how many log lines were dropped.
pub fn log_lines_dropped(lines: u64) {
    ::metrics::counter!(metrics::LOG_LINES_DROPPED).absolute(lines);
}

/// Counts an error of the database.
pub fn database_error(account: &str, error: &LoadError) {
    count(metrics::DATABASE_ERRORS, account, ("kind", error.kind()), 1);
}

/// Shows how far an account is complete.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; seconds since 1970 fit exactly"
)]
pub fn watermark(account: &str, watermark: DateTime<Utc>) {
    ::metrics::gauge!(metrics::WATERMARK, "account" => account.to_owned()).set(watermark.timestamp() as f64);
}

/// Shows how many gaps are open.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; gaps are few")]
pub fn gaps(account: &str, open: usize) {
    ::metrics::gauge!(metrics::GAPS, "account" => account.to_owned()).set(open as f64);
}

/// Shows by how many minutes time stamps with and without a zone disagree.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; minutes are few")]
pub fn time_zone(account: &str, verdict: TimeZoneVerdict) {
    let minutes = match verdict {
        TimeZoneVerdict::Unknown => return,
        TimeZoneVerdict::Agrees { .. } => 0,
        TimeZoneVerdict::Disagrees { minutes, .. } => minutes,
    };
    ::metrics::gauge!(metrics::TIME_ZONE_DISAGREEMENT, "account" => account.to_owned()).set(minutes as f64);
}

/// Counts a run and how long it took.
pub fn run_finished(account: &str, kind: Kind, outcome: Outcome, took: Duration) {
    let labels = [
        ("account", account.to_owned()),
        ("kind", kind.as_str().to_owned()),
    ];
    ::metrics::counter!(metrics::RUNS, "account" => account.to_owned(), "kind" => kind.as_str(), "outcome" => outcome.as_str())
        .increment(1);
    ::metrics::histogram!(metrics::RUN_SECONDS, &labels).record(took.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = Outer(std::io::Error::other("disk full"));
        assert_eq!(chain(&error).to_string(), "outer: disk full");
    }
}
