//! Time stamps, in every spelling that says one instant and no other.

mod stamp;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use stamp::Stamp;

/// 2000-01-01 and 2100-01-01, in seconds since 1970. Systems write "never" as 0001-01-01, 1899-12-30, 1970-01-01 or
/// 9999-12-31, and no interaction of ours is outside.
const EARLIEST: i64 = 946_684_800;
const FIRST_AFTER: i64 = 4_102_444_800;

/// What units of time since 1970 a bare number may count: parts of a second. The ranges of plausible numbers do not meet.
const EPOCH_UNITS: [i64; 3] = [1, 1_000, 1_000_000];

const NO_STAMP: &str = "not a date and time";
const NEVER: &str = "before 2000 or after 2099, which means never";

/// The second, since 1970, in a session id: one of 24 hexadecimal digits is an object id, which begins with
/// the time at which it was made. `None` for any other.
pub fn seconds_of_id(id: &str) -> Option<i64> {
    let is_object_id = id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    i64::from_str_radix(id.get(..8).filter(|_| is_object_id)?, 16).ok()
}

/// Time zones differ by whole quarters of an hour.
pub const QUARTER_SECONDS: i64 = 15 * 60;

/// Clocks of the API's own parts, as that of session ids, differ by so many seconds at most.
pub const TOLERANCE_SECONDS: i64 = 10;

/// How many whole quarters of an hour so many seconds are, to `tolerance` seconds; `None` where they are not.
pub fn whole_quarters(seconds: i64, tolerance: i64) -> Option<i64> {
    let quarters = (seconds + QUARTER_SECONDS / 2).div_euclid(QUARTER_SECONDS);
    ((seconds - quarters * QUARTER_SECONDS).abs() <= tolerance).then_some(quarters)
}

/// The instant of a text, in whole microseconds as PostgreSQL keeps them.
///
/// A stamp without a zone is local at `offset` minutes, where UTC = local + offset; one with a zone is what it says. A bare
/// number counts from 1970.
///
/// # Errors
/// The text says no instant, more than one, or one that means never.
pub(super) fn parse(text: &str, offset: i32) -> Result<DateTime<Utc>, &'static str> {
    let text = text.trim();
    if let Some(read) = epoch(text) {
        return read;
    }
    let stamp = Stamp::read(text).ok_or(NO_STAMP)?;
    plausible(utc(&stamp, offset).ok_or(NO_STAMP)?)
}

/// The instant that a session id begins with, unless it means never.
pub(super) fn of_session_id(id: &str) -> Option<DateTime<Utc>> {
    plausible(DateTime::from_timestamp(seconds_of_id(id)?, 0)?).ok()
}

/// Replaces every text in `value` that is a date and time without a zone by its instant in UTC.
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

/// A bare number: seconds since 1970 or finer, whichever gives a plausible instant. `None` where it is none.
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
        // Digits alone may be a date without separators: 20250930120448.
        let is_date = matches!(whole.len(), 8 | 14) && fraction.is_empty() && Stamp::read(text).is_some();
        return (!is_date).then_some(Err(if number < EARLIEST { NEVER } else { NO_STAMP }));
    };
    let microseconds = number * (1_000_000 / unit) + fraction_of(fraction) / unit;
    Some(DateTime::from_timestamp_micros(microseconds).ok_or(NO_STAMP))
}

/// The digits after a decimal point, in millionths.
fn fraction_of(digits: &str) -> i64 {
    let digits = digits
        .bytes()
        .map(|digit| i64::from(digit - b'0'))
        .chain(std::iter::repeat(0));
    digits.take(6).fold(0, |sum, digit| sum * 10 + digit)
}

fn utc(stamp: &Stamp, offset: i32) -> Option<DateTime<Utc>> {
    // A zone is east of Greenwich, an offset of the API west of it.
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
