//! Cron patterns of six fields (second first), in UTC.

use chrono::{DateTime, Utc};
use croner::parser::{CronParser, Seconds};

/// A pattern that says when something is due.
#[derive(Debug, Clone)]
pub struct Cron(croner::Cron);

impl Cron {
    /// Reads a pattern, exactly as the scheduler reads it: seconds are required, and where both
    /// days are given, both must match.
    ///
    /// # Errors
    /// It is no pattern of six fields.
    pub fn parse(pattern: &str) -> Result<Self, croner::errors::CronError> {
        CronParser::builder()
            .seconds(Seconds::Required)
            .dom_and_dow(true)
            .build()
            .parse(pattern)
            .map(Self)
    }

    /// The first due instant after `at`; `None` where there is none, as on 30 February.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.find_next_occurrence(&at, false).ok()
    }

    pub(super) fn pattern(&self) -> String {
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
    fn five_fields_and_nonsense_are_refused() {
        for pattern in ["*/5 * * * *", "", "every five minutes", "0 0 25 * * *"] {
            assert!(Cron::parse(pattern).is_err(), "{pattern}");
        }
    }
}
