//! Cron patterns in UTC.

use chrono::{DateTime, SubsecRound, Utc};
use croner::parser::{CronParser, Seconds};

/// Six fields, seconds first.
#[derive(Debug, Clone)]
pub struct Cron(croner::Cron);

impl Cron {
    pub(super) const EXPECTED: &str =
        "a cron pattern of six fields (second minute hour day month weekday), as in \"0 */5 * * * *\"";

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
