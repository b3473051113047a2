//! When what is read; cron patterns are in UTC.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use croner::parser::{CronParser, Seconds};

use super::section::{Section, settings};

const A_NAME: &str = "up to 64 letters, digits, - and _, but not open";

/// Policy of open sessions.
const OPEN: &str = "open";

const A_LOOKBACK: &str = "a whole number and a unit (m, h or d), from 1m to 366d, as in \"2h\"";

const ENTRIES: &str =
    "a list of tables as in [{ every = \"0 23 * * * *\", lookback = \"24h\" }], or its JSON text";

const LONGEST_LOOKBACK: TimeDelta = TimeDelta::days(366);

settings! {
    SyncConfig {
        poll: Cron = cron("poll");
        /// Smallest lookback first.
        refresh: Vec<RefreshEntry> = entries("refresh");
        follow_open: Option<TimeDelta> = span_or_off("follow_open_hours", 0..=8_784, TimeDelta::hours);
        settle: Duration = number("settle_seconds", 0..=86_400, Duration::from_secs);
        late: TimeDelta = number("late_minutes", 0..=10_080, TimeDelta::minutes);
        missing_confirm: TimeDelta = number("missing_confirm_hours", 1..=8_784, TimeDelta::hours);
        lease: Duration = number("lease_seconds", 3..=3_600, Duration::from_secs);
        stall: Duration = number("stall_seconds", 1..=86_400, Duration::from_secs);
        shutdown: Duration = number("shutdown_seconds", 0..=3_600, Duration::from_secs);
    }
}

#[derive(Debug, Clone)]
pub struct RefreshEntry {
    /// As in the ledger; by default the lookback's text.
    pub name: String,
    pub every: Cron,
    pub lookback: TimeDelta,
}

#[derive(Debug, Clone)]
pub struct RefreshPolicy {
    /// As in `runs.policy`.
    pub name: String,
    pub every: Cron,
    pub selection: Selection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    Lookback {
        lookback: TimeDelta,
        /// Also what was last read before it was this old.
        late: Option<TimeDelta>,
    },
    Open {
        age: TimeDelta,
        /// Younger ones are read anyway.
        beyond: TimeDelta,
    },
}

impl SyncConfig {
    /// Configured policies, and one for open sessions on the first one's schedule. The first also reads what
    /// was read too early.
    pub fn policies(&self) -> Vec<RefreshPolicy> {
        let policy = |name: &str, every: &Cron, selection| RefreshPolicy {
            name: name.to_owned(),
            every: every.clone(),
            selection,
        };
        let mut policies = Vec::new();
        for (place, entry) in self.refresh.iter().enumerate() {
            let selection = Selection::Lookback {
                lookback: entry.lookback,
                late: (place == 0).then_some(self.late),
            };
            policies.push(policy(&entry.name, &entry.every, selection));
        }
        if let (Some(first), Some(age)) = (self.refresh.first(), self.follow_open) {
            let beyond = first.lookback;
            policies.push(policy(OPEN, &first.every, Selection::Open { age, beyond }));
        }
        policies
    }
}

impl RefreshEntry {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let name = section.parsed("name", A_NAME, parse_name);
        let every = section.cron("every");
        let lookback = section.required("lookback", A_LOOKBACK, |text| {
            parse_lookback(text).map(|lookback| (text.to_owned(), lookback))
        });
        let (lookback_text, lookback) = lookback?;
        Some(Self {
            name: name?.unwrap_or(lookback_text),
            every: every?,
            lookback,
        })
    }
}

impl Section<'_> {
    fn entries(&mut self, key: &str) -> Option<Vec<RefreshEntry>> {
        let mut entries = self.tables(key, ENTRIES, RefreshEntry::read)?;
        entries.sort_by_key(|entry| entry.lookback);
        let mut names = HashSet::new();
        if let Some(again) = entries.iter().find(|entry| !names.insert(&entry.name)) {
            let problem = format!("two of them have the name {}; give each its own", again.name);
            return self.invalid(key, &problem);
        }
        Some(entries)
    }
}

fn parse_name(text: &str) -> Option<String> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (text.len() <= 64 && text != OPEN && text.chars().all(is_of_word)).then(|| text.to_owned())
}

fn parse_lookback(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // The standard parser accepts signs.
    let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    let number = number.parse::<u32>().ok()?.into();
    let lookback = match unit {
        "m" => TimeDelta::minutes(number),
        "h" => TimeDelta::hours(number),
        "d" => TimeDelta::days(number),
        _ => return None,
    };
    (TimeDelta::minutes(1)..=LONGEST_LOOKBACK)
        .contains(&lookback)
        .then_some(lookback)
}

/// Six fields, seconds first.
#[derive(Debug, Clone)]
pub struct Cron(croner::Cron);

impl Cron {
    pub(super) const EXPECTED: &str = "a cron pattern of six fields (second minute hour day month weekday) that comes due some day, as in \"0 */5 * * * *\"";

    /// Refuses patterns that never occur (30 February).
    pub(super) fn parse_occurring(pattern: &str) -> Option<Self> {
        let cron = Self::parse(pattern).ok()?;
        cron.next_after(DateTime::UNIX_EPOCH).map(|_| cron)
    }

    /// Parses like the scheduler: both day fields must match.
    pub fn parse(pattern: &str) -> Result<Self, croner::errors::CronError> {
        CronParser::builder()
            .seconds(Seconds::Required)
            .dom_and_dow(true)
            .build()
            .parse(pattern)
            .map(Self)
    }

    /// Exclusive.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.find_next_occurrence(&at, false).ok()
    }

    /// Inclusive.
    pub fn last_before(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // The search keeps fractions.
        self.0.find_previous_occurrence(&at.trunc_subsecs(0), true).ok()
    }

    pub(crate) fn pattern(&self) -> String {
        self.0.pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_due_instant_is_after_the_one_given() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let cron = Cron::parse("0 */5 * * * *").unwrap();
        assert_eq!(
            cron.next_after(at("2026-01-01T12:00:00Z")),
            Some(at("2026-01-01T12:05:00Z"))
        );
        assert_eq!(
            cron.next_after(at("2026-01-01T12:04:59Z")),
            Some(at("2026-01-01T12:05:00Z"))
        );
    }

    #[test]
    fn the_last_due_instant_may_be_the_one_given() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let cron = Cron::parse("0 2,17,32,47 * * * *").unwrap();
        for (given, last) in [
            ("2026-01-01T12:02:00Z", "2026-01-01T12:02:00Z"),
            ("2026-01-01T12:02:00.7Z", "2026-01-01T12:02:00Z"),
            ("2026-01-01T12:01:59.9Z", "2026-01-01T11:47:00Z"),
        ] {
            assert_eq!(cron.last_before(at(given)), Some(at(last)), "{given}");
        }
        let never = Cron::parse("0 0 0 30 2 *").unwrap();
        assert_eq!(never.last_before(at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn five_fields_and_nonsense_are_refused() {
        for pattern in ["*/5 * * * *", "", "every five minutes", "0 0 25 * * *"] {
            assert!(Cron::parse(pattern).is_err(), "{pattern}");
        }
    }
}
