pub mod logging;
pub mod metrics;
mod text;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use ::metrics::{counter, gauge, histogram};
use chrono::TimeDelta;

pub use text::{grouped, instant, plural, second, span};

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
            // Some libraries repeat their cause.
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

/// Few label values only.
pub fn count(metric: &'static str, account: &str, label: (&'static str, &'static str), n: u64) {
    counter!(metric, "account" => account.to_owned(), label.0 => label.1).increment(n);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; counts and seconds since 1970 fit exactly"
)]
pub fn show(metric: &'static str, account: &str, value: i64) {
    gauge!(metric, "account" => account.to_owned()).set(value as f64);
}

/// `outcome`: `ok` or an error's kind.
pub fn request(account: &str, outcome: &'static str, took: Duration) {
    count(metrics::REQUESTS, account, ("outcome", outcome), 1);
    histogram!(metrics::REQUEST_SECONDS, "account" => account.to_owned()).record(took.as_secs_f64());
}

pub fn retry(account: &str) {
    counter!(metrics::RETRIES, "account" => account.to_owned()).increment(1);
}

pub fn unreadable(account: &str, characters: u64) {
    counter!(metrics::UNREADABLE, "account" => account.to_owned()).increment(characters);
}

pub fn window(account: &str, (purpose, status): (&'static str, &'static str), records: u64, took: TimeDelta) {
    let account = account.to_owned();
    counter!(metrics::WINDOWS, "account" => account.clone(), "purpose" => purpose, "status" => status)
        .increment(1);
    counter!(metrics::RECORDS_SEEN, "account" => account.clone()).increment(records);
    // Negative after clock changes.
    if let Ok(took) = took.to_std() {
        histogram!(metrics::WINDOW_SECONDS, "account" => account).record(took.as_secs_f64());
    }
}

/// Positive: the API is ahead.
pub fn clock_skew(account: &str, ahead: TimeDelta) {
    show(metrics::CLOCK_SKEW, account, ahead.num_seconds());
}

pub fn database_error(account: &str, kind: &'static str) {
    count(metrics::DATABASE_ERRORS, account, ("kind", kind), 1);
}

pub fn time_zone(account: &str, minutes: i64) {
    show(metrics::TIME_ZONE_DISAGREEMENT, account, minutes * 60);
}

pub fn run_finished(account: &str, kind: &'static str, outcome: &'static str, took: Duration) {
    let account = account.to_owned();
    counter!(metrics::RUNS, "account" => account.clone(), "kind" => kind, "outcome" => outcome).increment(1);
    histogram!(metrics::RUN_SECONDS, "account" => account, "kind" => kind).record(took.as_secs_f64());
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
