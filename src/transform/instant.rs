//! Reads time stamps in every unambiguous spelling.

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, SubsecRound, TimeDelta, Timelike,
    Utc,
};
use serde_json::Value;

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
    let microseconds = number * (1_000_000 / unit) + i64::from(millionths(fraction)) / unit;
    Some(DateTime::from_timestamp_micros(microseconds).ok_or(NO_STAMP))
}

/// Of a second; `digits` follow the point.
fn millionths(digits: &str) -> u32 {
    let six = format!("{digits:0<6}");
    six[..6].parse().unwrap_or_default()
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

const WIDEST_ZONE: i64 = 14 * 60;

const COMPACT: &str = "%Y%m%d";

const DATES: [&str; 17] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    COMPACT,
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%m.%d.%Y",
    "%d-%B-%Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%B %d %Y",
    "%A, %d %B %Y",
    "%A, %B %d, %Y",
    "%A %B %d %Y",
];

const TIMES: [&str; 6] = [
    "%I:%M:%S%.f %p",
    "%I:%M %p",
    "%H:%M:%S%.f",
    "%H:%M",
    "%H%M%S%.f",
    "%H%M",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    local: NaiveDateTime,
    has_time: bool,
    /// East of Greenwich.
    zone_minutes: Option<i64>,
}

impl Stamp {
    fn read(text: &str) -> Option<Self> {
        Self::usual(text).or_else(|| Self::unusual(text))
    }

    /// Nearly all, fast.
    fn usual(text: &str) -> Option<Self> {
        let zoned = DateTime::parse_from_rfc3339(text);
        let zone = zoned.map(|zoned| i64::from(zoned.offset().local_minus_utc() / 60));
        let stamp = zoned.or_else(|_| DateTime::parse_from_rfc3339(&[text, "Z"].concat()));
        let local = stamp.ok()?.naive_local();
        Self::with_time(local, zone.ok()).filter(|_| local.year() > 0)
    }

    fn unusual(text: &str) -> Option<Self> {
        let (date, rest) = date(text)?;
        if rest.is_empty() {
            return Some(Self {
                local: date.and_time(NaiveTime::MIN),
                has_time: false,
                zone_minutes: None,
            });
        }
        let rest = rest.trim_start_matches(['T', 't', ',']).trim_start();
        let point = rest.replace(',', ".");
        let midnight = point.strip_prefix("24").map(|rest| format!("00{rest}"));
        let text = midnight.as_ref().unwrap_or(&point);
        let read = |format: &&str| NaiveTime::parse_and_remainder(text, format).ok();
        let (time, rest) = TIMES.iter().find_map(read)?;
        let zone = zone_minutes(rest.trim_start())?;
        match midnight {
            None => Self::with_time(date.and_time(time), zone),
            Some(_) if time == NaiveTime::MIN => Self::with_time(date.succ_opt()?.and_time(time), zone),
            Some(_) => None,
        }
    }

    fn with_time(local: NaiveDateTime, zone_minutes: Option<i64>) -> Option<Self> {
        // PostgreSQL stores no leap second.
        let nanosecond = local.nanosecond().min(999_999_999);
        let local = local.with_nanosecond(nanosecond)?.trunc_subsecs(6);
        let is_zone = zone_minutes.is_none_or(|minutes| minutes.abs() <= WIDEST_ZONE);
        is_zone.then_some(Self {
            local,
            has_time: true,
            zone_minutes,
        })
    }
}

/// Refuses ambiguous dates such as 3/4/2025.
fn date(text: &str) -> Option<(NaiveDate, &str)> {
    let mut dates = DATES.iter().filter_map(|format| {
        let (date, rest) = NaiveDate::parse_and_remainder(text, format).ok()?;
        let is_end =
            |c: char| "Tt,".contains(c) || c.is_whitespace() || (*format == COMPACT && c.is_ascii_digit());
        let matched = &text[..text.len() - rest.len()];
        let is_compact = *format != COMPACT || !matched.contains(char::is_whitespace);
        let is_date = has_year(matched) && is_compact && date.year() > 0;
        (is_date && rest.chars().next().is_none_or(is_end)).then_some((date, rest))
    });
    let first = dates.next()?;
    dates.all(|date| date == first).then_some(first)
}

/// In four digits.
fn has_year(date: &str) -> bool {
    let mut digits = date.as_bytes().windows(4);
    digits.any(|digits| digits.iter().all(u8::is_ascii_digit))
}

/// `Some(None)`: no zone; `None`: an unknown one.
fn zone_minutes(text: &str) -> Option<Option<i64>> {
    if text.is_empty() {
        return Some(None);
    }
    let comment = text.find(['(', '[']).filter(|_| text.ends_with([')', ']']));
    let zone = text[..comment.unwrap_or(text.len())].trim_end();
    let size = zone.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let name = &zone[..zone.len() - size.len()];
    let is_utc = ["Z", "UTC", "GMT", "UT"]
        .iter()
        .any(|utc| name.eq_ignore_ascii_case(utc));
    if size.is_empty() {
        return is_utc.then_some(Some(0));
    }
    let east = size.strip_prefix('+').and_then(zone_size);
    let west = || size.strip_prefix(['-', '\u{2212}']).and_then(zone_size);
    let minutes = east.or_else(|| west().map(|minutes| -minutes))?;
    (is_utc || name.is_empty()).then_some(Some(minutes))
}

fn zone_size(size: &str) -> Option<i64> {
    let parts = size.split_once(':').or_else(|| size.split_at_checked(2));
    let parts = parts.filter(|(_, minutes)| !minutes.is_empty());
    let (hours, minutes) = parts.unwrap_or((size, "0"));
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60).then(|| i64::from(hours) * 60 + i64::from(minutes))
}

#[cfg(test)]
mod tests;
