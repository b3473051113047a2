//! Time stamps, as the API is known to write them.

use chrono::{
    DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Timelike,
    Utc,
};
use serde_json::Value;

/// The second, since 1970, in a session id: one of 24 hexadecimal digits is an object id, which begins with
/// the time at which it was made. `None` for any other.
pub fn seconds_of_id(id: &str) -> Option<i64> {
    let is_object_id = id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    i64::from_str_radix(id.get(..8).filter(|_| is_object_id)?, 16).ok()
}

/// The instant of a stamp, in whole microseconds as PostgreSQL keeps them.
///
/// `2025-09-30T12:04:48`, with `T` or a blank, one or two digits of the hour, a fraction or none,
/// or the date alone. A stamp without a zone is local at `offset` minutes, where UTC = local +
/// offset; one with `Z` or an offset of its own is what it says.
pub(super) fn parse(text: &str, offset: i32) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10).unwrap_or((text, ""));
    let date: NaiveDate = date
        .parse()
        .ok()
        .filter(|date: &NaiveDate| (1..=9999).contains(&date.year()))?;
    if rest.is_empty() {
        return utc(date.and_time(NaiveTime::MIN), offset);
    }
    let (time, zone) = split_zone(rest.strip_prefix(['T', 't', ' '])?.trim());
    let time = NaiveTime::parse_from_str(time, "%H:%M:%S%.f").ok()?;
    let local = date.and_time(whole_microseconds(time)?);
    match zone {
        None => utc(local, offset),
        Some("Z" | "z") => Some(local.and_utc()),
        Some(zone) => {
            let east: FixedOffset = zone.parse().ok()?;
            utc(local, -east.local_minus_utc() / 60)
        }
    }
}

/// Replaces every text in `value` that is a date and time without a zone by its instant in UTC.
pub(super) fn to_utc_within(value: &mut Value, offset: i32) {
    match value {
        Value::String(text) if is_naive_stamp(text) => {
            if let Some(instant) = parse(text, offset) {
                *text = instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| to_utc_within(item, offset)),
        Value::Object(fields) => fields.values_mut().for_each(|field| to_utc_within(field, offset)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a text has a time of day and no zone. A date alone may be just that.
fn is_naive_stamp(text: &str) -> bool {
    text.split_at_checked(10)
        .is_some_and(|(_, rest)| !rest.is_empty() && split_zone(rest).1.is_none())
}

fn utc(local: NaiveDateTime, offset: i32) -> Option<DateTime<Utc>> {
    local
        .checked_add_signed(TimeDelta::minutes(offset.into()))
        .map(|utc| utc.and_utc())
}

fn split_zone(time: &str) -> (&str, Option<&str>) {
    match time.find(['Z', 'z', '+', '-']) {
        Some(at) => (time[..at].trim_end(), Some(&time[at..])),
        None => (time, None),
    }
}

/// A leap second (`:60`) has no place in PostgreSQL's time; it is the end of the second before.
fn whole_microseconds(time: NaiveTime) -> Option<NaiveTime> {
    time.with_nanosecond(time.nanosecond().min(999_999_999) / 1_000 * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, offset: i32) -> Option<String> {
        parse(text, offset).map(|instant| instant.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string())
    }

    #[test]
    fn a_naive_stamp_is_local_at_the_requested_offset() {
        assert_eq!(at("2025-09-30T12:04:48", 0).unwrap(), "2025-09-30T12:04:48Z");
        assert_eq!(at("2025-09-30T12:04:48", -330).unwrap(), "2025-09-30T06:34:48Z");
        assert_eq!(at("2025-09-30T22:04:48", 300).unwrap(), "2025-10-01T03:04:48Z");
    }

    #[test]
    fn a_stamp_with_a_zone_is_what_it_says() {
        assert_eq!(
            at("2025-09-30T06:34:48.810Z", -330).unwrap(),
            "2025-09-30T06:34:48.810Z"
        );
        assert_eq!(
            at("2025-09-30T12:04:48+05:30", 300).unwrap(),
            "2025-09-30T06:34:48Z"
        );
        assert_eq!(
            at("2025-09-30 12:04:48 -0500", 0).unwrap(),
            "2025-09-30T17:04:48Z"
        );
    }

    #[test]
    fn the_vendors_other_spellings_are_read() {
        assert_eq!(at("2023-01-10 2:25:54", 0).unwrap(), "2023-01-10T02:25:54Z");
        assert_eq!(
            at(" 2023-01-10T02:25:54.123456789 ", 0).unwrap(),
            "2023-01-10T02:25:54.123456Z"
        );
        assert_eq!(at("2023-01-10", -60).unwrap(), "2023-01-09T23:00:00Z");
    }

    #[test]
    fn a_leap_second_is_the_end_of_the_second_before() {
        assert_eq!(
            at("2016-12-31T23:59:60Z", 0).unwrap(),
            "2016-12-31T23:59:59.999999Z"
        );
    }

    #[test]
    fn naive_stamps_inside_a_structure_become_instants() {
        let mut value = serde_json::json!({
            "from": "2025-09-30T12:04:48", "to": ["2025-09-30 12:05:00"], "kept": "2025-09-30T06:34:48.810Z",
            "day": "2025-09-30", "words": "2025-09-30 or later", "n": 1,
        });
        to_utc_within(&mut value, -330);
        assert_eq!(
            value,
            serde_json::json!({
                "from": "2025-09-30T06:34:48Z", "to": ["2025-09-30T06:35:00Z"], "kept": "2025-09-30T06:34:48.810Z",
                "day": "2025-09-30", "words": "2025-09-30 or later", "n": 1,
            })
        );
    }

    #[test]
    fn impossible_and_unknown_stamps_are_not_read() {
        for text in [
            "",
            "T",
            "yesterday",
            "2025-02-30T10:00:00",
            "2025-13-01T10:00:00",
            "2025-01-01T25:00:00",
            "0000-01-01T00:00:00",
            "2025-01-01X10:00:00",
            "2025-01-01T10:00:00+99:99",
            "1759233888000",
            "2025-01-01T10:00",
            "٢٠٢٥-01-01T10:00:00",
            "2025-01-0é",
        ] {
            assert_eq!(at(text, 0), None, "{text}");
        }
    }
}
