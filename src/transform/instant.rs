//! Reads time stamps in every unambiguous spelling.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
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

const MONTHS: &str = "january february march april may june july august september october november december";
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    local: NaiveDateTime,
    has_time: bool,
    /// East of Greenwich.
    zone_minutes: Option<i64>,
}

impl Stamp {
    /// Refuses ambiguous dates such as 3/4/2025.
    fn read(text: &str) -> Option<Self> {
        let mut rest = Rest(text);
        let date = rest.date()?;
        let is_time = rest.separator();
        let (mut local, mut zone_minutes) = (date.and_time(NaiveTime::MIN), None);
        if is_time {
            local = local.checked_add_signed(rest.time_of_day()?)?;
            zone_minutes = rest.zone()?;
        }
        rest.0.is_empty().then_some(Self {
            local,
            has_time: is_time,
            zone_minutes,
        })
    }
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, most: usize, is_one: impl Fn(char) -> bool) -> &'a str {
        let taken = self.0.chars().take(most).take_while(|c| is_one(*c));
        let (taken, rest) = self.0.split_at(taken.map(char::len_utf8).sum());
        self.0 = rest;
        taken
    }

    fn eat(&mut self, is_one: impl Fn(char) -> bool) -> Option<char> {
        self.take(1, is_one).chars().next()
    }

    fn blanks(&mut self) {
        self.take(usize::MAX, char::is_whitespace);
    }

    fn digits(&mut self, most: usize) -> Option<(u32, usize)> {
        let digits = self.take(most, |c| c.is_ascii_digit());
        Some((digits.parse().ok()?, digits.len()))
    }

    fn number(&mut self) -> Option<u32> {
        self.digits(2).map(|(number, _)| number)
    }

    fn word(&mut self) -> String {
        self.take(usize::MAX, |c| c.is_ascii_alphabetic())
            .to_ascii_lowercase()
    }

    fn is_at(&self, is_one: fn(&char) -> bool) -> bool {
        self.0.starts_with(|c: char| is_one(&c))
    }

    fn date(&mut self) -> Option<NaiveDate> {
        let mut word = self.word();
        if WEEKDAYS.iter().any(|day| word.starts_with(day)) {
            self.eat(|c| c == ',');
            self.blanks();
            word = self.word();
        }
        if word.is_empty() {
            return self.date_of_digits();
        }
        let month = month(&word)?;
        self.blanks();
        let day = self.number()?;
        self.eat(|c| c == ',');
        self.blanks();
        NaiveDate::from_ymd_opt(self.year()?, month, day)
    }

    fn year(&mut self) -> Option<i32> {
        let (year, length) = self.digits(4)?;
        (length == 4).then_some(i32::try_from(year).ok()?)
    }

    fn date_of_digits(&mut self) -> Option<NaiveDate> {
        let (first, length) = self.digits(4)?;
        let separator = self.eat(|c| "-/. ".contains(c));
        if length == 4 {
            let year = i32::try_from(first).ok().filter(|year| *year > 0)?;
            let month = self.number()?;
            if separator == Some(' ') || self.eat(|c| separator == Some(c)) != separator {
                return None;
            }
            return NaiveDate::from_ymd_opt(year, month, self.number()?);
        }
        let separator = separator.filter(|_| length <= 2)?;
        if self.is_at(char::is_ascii_alphabetic) {
            let month = month(&self.word())?;
            self.eat(|c| c == separator)?;
            return NaiveDate::from_ymd_opt(self.year()?, month, first);
        }
        let second = self.number()?;
        self.eat(|c| c == separator && c != ' ')?;
        let year = self.year()?;
        // Unambiguous if one order is invalid or both are equal.
        let as_date = |month, day| NaiveDate::from_ymd_opt(year, month, day);
        match (as_date(first, second), as_date(second, first)) {
            (Some(one), Some(other)) => (one == other).then_some(one),
            (one, other) => one.or(other),
        }
    }

    fn separator(&mut self) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let before = self.0;
        self.eat(|c| "Tt,".contains(c));
        self.blanks();
        self.0.len() < before.len() || self.is_at(char::is_ascii_digit)
    }

    fn time_of_day(&mut self) -> Option<TimeDelta> {
        let hour = self.number()?;
        let has_colons = self.eat(|c| c == ':').is_some();
        let minute = self.number()?;
        let has_seconds = if has_colons {
            self.eat(|c| c == ':').is_some()
        } else {
            self.is_at(char::is_ascii_digit)
        };
        let second = if has_seconds { self.number()? } else { 0 };
        let fraction = match self.eat(|c| has_seconds && ".,".contains(c)) {
            Some(_) => self.fraction()?,
            None => 0,
        };
        self.blanks();
        let hour = self.hour_of_day(hour)?;
        if hour == 24 {
            return (minute == 0 && second == 0 && fraction == 0).then_some(TimeDelta::hours(24));
        }
        // PostgreSQL stores no leap second.
        let (second, fraction) = if second == 60 {
            (59, 999_999)
        } else {
            (second, fraction)
        };
        let time = NaiveTime::from_hms_micro_opt(hour, minute, second, fraction)?;
        Some(time - NaiveTime::MIN)
    }

    fn fraction(&mut self) -> Option<u32> {
        let digits = self.take(usize::MAX, |c| c.is_ascii_digit());
        (!digits.is_empty()).then(|| millionths(digits))
    }

    fn hour_of_day(&mut self, hour: u32) -> Option<u32> {
        let half = self.0.get(..2).map(str::to_ascii_lowercase);
        let is_afternoon = match half.as_deref() {
            Some("am") => false,
            Some("pm") => true,
            _ => return Some(hour),
        };
        self.0 = &self.0[2..];
        self.blanks();
        (1..=12)
            .contains(&hour)
            .then_some(hour % 12 + if is_afternoon { 12 } else { 0 })
    }

    /// `Some(None)`: no zone; `None`: an unknown one.
    fn zone(&mut self) -> Option<Option<i64>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let name = self.word();
        if !matches!(name.as_str(), "" | "z" | "utc" | "gmt" | "ut") {
            return None;
        }
        let minutes = match self.eat(|c| "+-\u{2212}".contains(c)) {
            Some(sign) => {
                let size = self.zone_size()?;
                if sign == '+' { size } else { -size }
            }
            None if name.is_empty() => return None,
            None => 0,
        };
        self.comment();
        (minutes.abs() <= WIDEST_ZONE).then_some(Some(minutes))
    }

    fn zone_size(&mut self) -> Option<i64> {
        let hours = self.number()?;
        let is_more = self.eat(|c| c == ':').is_some() || self.is_at(char::is_ascii_digit);
        let minutes = if is_more { self.number()? } else { 0 };
        (minutes < 60).then(|| i64::from(hours) * 60 + i64::from(minutes))
    }

    fn comment(&mut self) {
        self.blanks();
        let is_comment =
            |open, close| self.0.starts_with(open) && self.0.find(close) == Some(self.0.len() - 1);
        if is_comment('(', ')') || is_comment('[', ']') {
            self.0 = "";
        }
    }
}

fn month(word: &str) -> Option<u32> {
    let is_it = |name: &str| word == name || word == &name[..3];
    (1..)
        .zip(MONTHS.split(' '))
        .find_map(|(month, name)| is_it(name).then_some(month))
}

#[cfg(test)]
mod tests;
