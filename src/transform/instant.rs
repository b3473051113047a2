//! Reads time stamps in every unambiguous spelling.

mod stamp;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use stamp::Stamp;

/// 2000 to 2099: systems write "never" as 0001, 1899, 1970 or 9999.
const EARLIEST: i64 = 946_684_800;
const FIRST_AFTER: i64 = 4_102_444_800;

/// Plausible ranges of the units do not overlap.
const EPOCH_UNITS: [i64; 3] = [1, 1_000, 1_000_000];

pub(super) const NO_STAMP: &str = "not a date and time";
const NEVER: &str = "before 2000 or after 2099, which means never";

/// Unix seconds that begin an object id (24 hex digits).
pub fn seconds_of_id(id: &str) -> Option<i64> {
    let is_object_id = id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    i64::from_str_radix(id.get(..8).filter(|_| is_object_id)?, 16).ok()
}

pub const QUARTER_SECONDS: i64 = 15 * 60;

/// Largest difference between the API's clocks.
pub const TOLERANCE_SECONDS: i64 = 10;

/// If whole within `tolerance` seconds.
pub fn whole_quarters(seconds: i64, tolerance: i64) -> Option<i64> {
    let quarters = (seconds + QUARTER_SECONDS / 2).div_euclid(QUARTER_SECONDS);
    ((seconds - quarters * QUARTER_SECONDS).abs() <= tolerance).then_some(quarters)
}

/// Without a zone, UTC = local + `offset` minutes.
pub(super) fn parse(text: &str, offset: i32) -> Result<DateTime<Utc>, &'static str> {
    let text = text.trim();
    if let Some(read) = epoch(text) {
        return read;
    }
    let stamp = Stamp::read(text).ok_or(NO_STAMP)?;
    plausible(utc(&stamp, offset).ok_or(NO_STAMP)?)
}

pub(super) fn of_session_id(id: &str) -> Option<DateTime<Utc>> {
    plausible(DateTime::from_timestamp(seconds_of_id(id)?, 0)?).ok()
}

pub(super) fn to_utc_within(value: &mut Value, offset: i32) {
    match value {
        Value::String(text) => {
            let stamp =
                Stamp::read(text.trim()).filter(|stamp| stamp.has_time && stamp.zone_minutes.is_none());
            if let Some(instant) = stamp.and_then(|stamp| utc(&stamp, offset)) {
                *text = instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| to_utc_within(item, offset)),
        Value::Object(fields) => fields.values_mut().for_each(|field| to_utc_within(field, offset)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn epoch(text: &str) -> Option<Result<DateTime<Utc>, &'static str>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let Ok(number) = whole.parse::<i64>() else {
        return Some(Err(NO_STAMP));
    };
    let unit = EPOCH_UNITS
        .iter()
        .find(|unit| (EARLIEST..FIRST_AFTER).contains(&(number / **unit)));
    let Some(unit) = unit else {
        let is_date = matches!(whole.len(), 8 | 14) && fraction.is_empty() && Stamp::read(text).is_some();
        return (!is_date).then_some(Err(if number < EARLIEST { NEVER } else { NO_STAMP }));
    };
    let microseconds = number * (1_000_000 / unit) + fraction_of(fraction) / unit;
    Some(DateTime::from_timestamp_micros(microseconds).ok_or(NO_STAMP))
}

fn fraction_of(digits: &str) -> i64 {
    let digits = digits
        .bytes()
        .map(|digit| i64::from(digit - b'0'))
        .chain(std::iter::repeat(0));
    digits.take(6).fold(0, |sum, digit| sum * 10 + digit)
}

fn utc(stamp: &Stamp, offset: i32) -> Option<DateTime<Utc>> {
    // Zones count east, API offsets west.
    let minutes = stamp.zone_minutes.map_or(i64::from(offset), |east| -east);
    let utc: NaiveDateTime = stamp.local.checked_add_signed(TimeDelta::minutes(minutes))?;
    Some(utc.and_utc())
}

fn plausible(instant: DateTime<Utc>) -> Result<DateTime<Utc>, &'static str> {
    let is_plausible = (EARLIEST..FIRST_AFTER).contains(&instant.timestamp());
    is_plausible.then_some(instant).ok_or(NEVER)
}

#[cfg(test)]
mod tests;
