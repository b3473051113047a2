//! Reads durations in whole seconds.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::coerce::Coerced;

const NO_DURATION: &str = "not a duration in seconds";

/// Milliseconds give a factor of about 1,000.
const MOST_TIMES_ITS_SPAN: i64 = 100;

#[derive(Debug, Clone, Copy)]
pub(super) struct Span(Option<TimeDelta>);

impl Span {
    pub(super) fn between(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Self {
        Self(from.zip(to).map(|(from, to)| to - from))
    }

    /// Stamps in the wrong order prove nothing.
    fn contradicts(self, seconds: i32) -> bool {
        self.0
            .map(|span| span.num_seconds())
            .filter(|span| *span >= 0)
            .is_some_and(|span| i64::from(seconds) >= MOST_TIMES_ITS_SPAN * (span + 1))
    }
}

/// `00:49` is refused: it may be hours or minutes.
pub(super) fn read(value: &Value, span: Span) -> Coerced<i32> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(NO_DURATION),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = seconds(&text).ok_or(NO_DURATION)?.round();
    if seconds < 0.0 {
        return Err("negative");
    }
    if seconds > f64::from(i32::MAX) {
        return Err("too large for its column");
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole number within the range of i32"
    )]
    let seconds = seconds as i32;
    if span.contradicts(seconds) {
        return Err("more than a hundred times what the stamps beside it say, as milliseconds would be");
    }
    Ok(Some(seconds))
}

pub(super) fn is_one(value: &Value) -> bool {
    read(value, Span(None)).is_ok()
}

fn seconds(text: &str) -> Option<f64> {
    if text.contains(':') {
        return clock_time(text);
    }
    if let Some(parts) = text.strip_prefix("pt") {
        return iso_parts(parts);
    }
    let units = ["seconds", "second", "secs", "sec", "s"];
    let number_of = |unit: &&str| text.strip_suffix(*unit).map(str::trim_end);
    decimal(units.iter().find_map(number_of).unwrap_or(text))
}

fn clock_time(text: &str) -> Option<f64> {
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole =
        |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.next().is_some()
        || !is_whole(hours)
        || !is_whole(minutes)
        || !seconds.starts_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let below_sixty = |part: &str| decimal(part).filter(|number| *number < 60.0);
    Some(decimal(hours)? * 3_600.0 + below_sixty(minutes)? * 60.0 + below_sixty(seconds)?)
}

fn iso_parts(parts: &str) -> Option<f64> {
    let (mut rest, mut total) = (parts, 0.0);
    let mut units = [('h', 3_600.0), ('m', 60.0), ('s', 1.0)].into_iter();
    while !rest.is_empty() {
        let at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let unit = rest[at..].chars().next()?;
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        total += decimal(&rest[..at]).filter(|number| *number >= 0.0)? * factor;
        rest = &rest[at + 1..];
    }
    (!parts.is_empty()).then_some(total)
}

fn decimal(text: &str) -> Option<f64> {
    let is_part = |c: char| c.is_ascii_digit() || "+-.e".contains(c);
    let has_digits = text.contains(|c: char| c.is_ascii_digit());
    let number: f64 = text
        .parse()
        .ok()
        .filter(|_| has_digits && text.chars().all(is_part))?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alone(value: &Value) -> Coerced<i32> {
        read(value, Span(None))
    }

    #[test]
    fn every_spelling_of_seconds_is_read() {
        for value in [
            json!(49),
            json!(49.0),
            json!(49.4),
            json!(48.5),
            json!("49"),
            json!("49.4"),
            json!(" 49 "),
            json!("4.9e1"),
            json!("49s"),
            json!("49 sec"),
            json!("49 Seconds"),
            json!("49 secs"),
            json!("00:00:49"),
            json!("0:00:49"),
            json!("00:00:48.6"),
            json!("PT49S"),
            json!("pt0h0m49s"),
        ] {
            assert_eq!(alone(&value), Ok(Some(49)), "{value}");
        }
        for (value, seconds) in [
            (json!("1:02:03"), 3_723),
            (json!("PT1H2M3S"), 3_723),
            (json!("PT2M"), 120),
            (json!("100:00:00"), 360_000),
            (json!(0.5), 1),
            (json!(0.4), 0),
            (json!(-0.2), 0),
        ] {
            assert_eq!(alone(&value), Ok(Some(seconds)), "{value}");
        }
        assert_eq!(alone(&json!("")), Ok(None));
        assert_eq!(alone(&json!(i32::MAX)), Ok(Some(i32::MAX)));
    }

    #[test]
    fn what_is_no_duration_in_seconds_is_not_read() {
        for value in [
            json!("00:49"),
            json!("1:2:3:4"),
            json!("00:60:00"),
            json!("00:00:60"),
            json!("-00:00:03"),
            json!("49ms"),
            json!("49000 ms"),
            json!("1,049"),
            json!("49 s s"),
            json!("49m"),
            json!("s"),
            json!("PT"),
            json!("P1D"),
            json!("PT49"),
            json!("PT1S1M"),
            json!("nan"),
            json!("inf"),
            json!("0x31"),
            json!("soon"),
            json!(true),
            json!([49]),
            json!({}),
        ] {
            assert_eq!(alone(&value), Err(NO_DURATION), "{value}");
        }
        assert_eq!(alone(&json!(-3)), Err("negative"));
        assert_eq!(alone(&json!("-3.6s")), Err("negative"));
        assert_eq!(alone(&json!(2_147_483_648_i64)), Err("too large for its column"));
    }

    #[test]
    fn what_the_stamps_contradict_a_hundredfold_is_not_read() {
        let beside = |value: i64, span: i64| {
            read(&json!(value), Span(Some(TimeDelta::seconds(span))))
                .ok()
                .flatten()
        };
        for (seconds, span) in [
            (49, 49),
            (49, 0),
            (0, 0),
            (600, 6),
            (120, 49),
            (49, 4_900),
            (49_000, -1),
            (99, 0),
        ] {
            assert_eq!(
                beside(seconds, span),
                i32::try_from(seconds).ok(),
                "{seconds} in {span}"
            );
        }
        for (milliseconds, span) in [
            (49_000, 49),
            (1_200, 1),
            (999, 0),
            (49_999, 50),
            (3_600_000, 3_601),
        ] {
            assert_eq!(beside(milliseconds, span), None, "{milliseconds} in {span}");
        }
    }
}
