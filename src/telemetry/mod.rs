//! Log, metrics, and words for instants and errors.

pub mod logging;
pub mod metrics;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use ::metrics::{counter, gauge, histogram};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use indicatif::HumanCount;
use sqlx::error::DatabaseError;

pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + use<'a> {
    fmt::from_fn(move |f| {
        let mut shown = text(error);
        f.write_str(&shown)?;
        let mut cause = error.source();
        while let Some(error) = cause {
            // Some libraries repeat their cause.
            let text = text(error);
            if !shown.contains(&text) {
                write!(f, ": {text}")?;
                shown = text;
            }
            cause = error.source();
        }
        Ok(())
    })
}

/// PostgreSQL's errors without the line of its source code that sqlx adds.
fn text(error: &(dyn Error + 'static)) -> String {
    if let Some(answer) = error.downcast_ref::<Box<dyn DatabaseError>>() {
        return answer.message().to_owned();
    }
    let told = error.to_string();
    match error.source().map(|cause| (cause.to_string(), text(cause))) {
        Some((sent, cause)) if !sent.is_empty() => told.replace(&sent, &cause),
        _ => told,
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

/// RFC 3339.
pub fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Whole seconds.
pub fn second(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `3 d 4 h`.
pub fn span(seconds: i64) -> String {
    let span = TimeDelta::seconds(seconds.max(0));
    let units = [
        (span.num_days(), "d"),
        (span.num_hours() % 24, "h"),
        (span.num_minutes() % 60, "min"),
        (span.num_seconds() % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown: Vec<String> = units[first..]
        .iter()
        .take(2)
        .filter(|(count, _)| *count > 0 || first == 3)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    shown.join(" ")
}

/// `1,234,567`.
pub fn grouped(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", HumanCount(number.unsigned_abs()))
}

pub fn plural(number: i64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", grouped(number))
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

    #[test]
    fn spans_are_shown_in_two_units() {
        assert_eq!(span(0), "0 s");
        assert_eq!(span(302), "5 min 2 s");
        assert_eq!(span(273_600), "3 d 4 h");
        assert_eq!(span(86_400), "1 d");
        assert_eq!(span(-5), "0 s");
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        let shown = [0, 12, 999, 1_000, -1_234_567].map(grouped);
        assert_eq!(shown, ["0", "12", "999", "1,000", "-1,234,567"]);
        assert_eq!(plural(1, "gap", "gaps"), "1 gap");
    }
}
