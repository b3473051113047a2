use chrono::TimeDelta;
use serde_json::Value;

use super::{Coerced, decimal, whole, word_or_number};

const NO_DURATION: &str = "not a duration in seconds";

/// Milliseconds give about 1,000.
const MOST_TIMES_ITS_SPAN: i64 = 100;

/// Whether stamps contradict a duration. Stamps in the wrong order prove nothing.
pub(in super::super) fn contradicts(span: Option<TimeDelta>, seconds: i32) -> bool {
    let span = span.map(|span| span.num_seconds()).filter(|span| *span >= 0);
    span.is_some_and(|span| i64::from(seconds) >= MOST_TIMES_ITS_SPAN * (span + 1))
}

/// `00:49` is refused: it may be hours or minutes.
pub(super) fn read(value: &Value) -> Coerced<Option<i32>> {
    let text = word_or_number(value).ok_or(NO_DURATION)?.to_ascii_lowercase();
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = seconds(&text).ok_or(NO_DURATION)?.round();
    if seconds < 0.0 {
        return Err("negative");
    }
    whole(seconds).map(Some)
}

fn seconds(text: &str) -> Option<f64> {
    if text.contains(':') {
        return clock_time(text);
    }
    if let Some(parts) = text.strip_prefix("pt") {
        return iso_parts(parts);
    }
    let units = ["seconds", "second", "secs", "sec", "s"];
    let number = units.iter().find_map(|unit| text.strip_suffix(unit));
    finite(number.map_or(text, str::trim_end))
}

fn clock_time(text: &str) -> Option<f64> {
    let [hours, minutes, seconds] = text.split(':').collect::<Vec<_>>().try_into().ok()?;
    let is_whole =
        |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole(hours) || !is_whole(minutes) || !seconds.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let below_sixty = |part: &str| finite(part).filter(|number| *number < 60.0);
    Some(finite(hours)? * 3_600.0 + below_sixty(minutes)? * 60.0 + below_sixty(seconds)?)
}

fn iso_parts(parts: &str) -> Option<f64> {
    let (mut rest, mut total) = (parts, 0.0);
    let mut units = [('h', 3_600.0), ('m', 60.0), ('s', 1.0)].into_iter();
    while !rest.is_empty() {
        let at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let unit = rest[at..].chars().next()?;
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        total += finite(&rest[..at]).filter(|number| *number >= 0.0)? * factor;
        rest = &rest[at + 1..];
    }
    (!parts.is_empty()).then_some(total)
}

fn finite(text: &str) -> Option<f64> {
    decimal(text).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            assert_eq!(read(&value), Ok(Some(49)), "{value}");
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
            assert_eq!(read(&value), Ok(Some(seconds)), "{value}");
        }
        assert_eq!(read(&json!("")), Ok(None));
        assert_eq!(read(&json!(i32::MAX)), Ok(Some(i32::MAX)));
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
            assert_eq!(read(&value), Err(NO_DURATION), "{value}");
        }
        assert_eq!(read(&json!(-3)), Err("negative"));
        assert_eq!(read(&json!("-3.6s")), Err("negative"));
        assert_eq!(read(&json!(2_147_483_648_i64)), Err("too large for its column"));
    }

    #[test]
    fn what_the_stamps_contradict_a_hundredfold_is_not_read() {
        let contradicts = |seconds, span| contradicts(Some(TimeDelta::seconds(span)), seconds);
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
            assert!(!contradicts(seconds, span), "{seconds} in {span}");
        }
        for (milliseconds, span) in [
            (49_000, 49),
            (1_200, 1),
            (999, 0),
            (49_999, 50),
            (3_600_000, 3_601),
        ] {
            assert!(contradicts(milliseconds, span), "{milliseconds} in {span}");
        }
    }
}
