//! The test of how we read time stamps that records bring with them.
//!
//! A naive stamp is read at the offset that we asked with, a stamp with a zone is what it
//! says. A customer opts for a callback (a stamp with a zone) after entering a queue and before the session
//! ends (naive stamps). Were our reading of naive stamps wrong, records would be outside of that by
//! the same multiple of a quarter of an hour, as time zones are.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;

use crate::transform::Interaction;

/// Time zones differ by whole quarters of an hour.
const QUARTER: i64 = 15 * 60;

/// Clocks of the API's own parts differ by seconds.
const TOLERANCE: i64 = 10;

/// One record may be odd; so many that agree on being off are not.
const ENOUGH: u64 = 3;

/// What records said of our reading of time stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeZoneVerdict {
    /// No or too few records carry both kinds of stamp.
    Unknown,
    /// They agree.
    Agrees {
        /// So many records.
        records: u64,
    },
    /// Naive stamps are off.
    Disagrees {
        /// Minutes by which stamps with a zone are later than naive ones, a multiple of 15.
        minutes: i64,
        /// So many records say so.
        records: u64,
    },
}

/// Quarters of an hour between the two kinds of stamp, and how many records were off by them.
#[derive(Debug, Default)]
pub(super) struct TimeZoneCheck(Mutex<BTreeMap<i64, u64>>);

impl TimeZoneCheck {
    /// Looks at records that have just been read.
    pub(super) fn see<'a>(&self, interactions: impl Iterator<Item = &'a Interaction>) {
        let mut quarters = self.lock();
        for rows in interactions.map(|interaction| &interaction.rows) {
            let Some(ended) = rows.session.session_ended_at else {
                continue;
            };
            for destination in &rows.destinations {
                if let (Some(entered), Some(opted)) = (destination.entered_at, destination.callback_opted_at)
                {
                    *quarters
                        .entry(quarters_off(opted - entered, ended - entered))
                        .or_default() += 1;
                }
            }
        }
    }

    /// What all records together say.
    pub(super) fn verdict(&self) -> TimeZoneVerdict {
        let quarters = self.lock();
        let seen: u64 = quarters.values().sum();
        let commonest = quarters.iter().max_by_key(|(_, records)| **records);
        match commonest {
            Some((0, records)) => TimeZoneVerdict::Agrees { records: *records },
            Some((quarters, records)) if *records >= ENOUGH && records * 2 > seen => {
                TimeZoneVerdict::Disagrees {
                    minutes: quarters * QUARTER / 60,
                    records: *records,
                }
            }
            _ => TimeZoneVerdict::Unknown,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By how many quarters of an hour the stamp with a zone, so long after the queue was entered, is
/// outside of what is possible: from then on, until the session ended.
fn quarters_off(opted: TimeDelta, ended: TimeDelta) -> i64 {
    let (opted, ended) = (opted.num_seconds(), ended.num_seconds());
    if -TOLERANCE <= opted && opted <= ended + TOLERANCE {
        return 0;
    }
    (opted + TOLERANCE).div_euclid(QUARTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of sessions that ended ten minutes after the queue was entered.
    fn check(opted: &[i64]) -> TimeZoneVerdict {
        let check = TimeZoneCheck::default();
        for seconds in opted {
            let off = quarters_off(TimeDelta::seconds(*seconds), TimeDelta::minutes(10));
            *check.lock().entry(off).or_default() += 1;
        }
        check.verdict()
    }

    #[test]
    fn stamps_within_the_session_agree() {
        assert_eq!(check(&[0, 40, -3, 600]), TimeZoneVerdict::Agrees { records: 4 });
        assert_eq!(check(&[]), TimeZoneVerdict::Unknown);
    }

    #[test]
    fn a_customer_who_waited_long_says_nothing_about_time_zones() {
        let waited = quarters_off(TimeDelta::minutes(50), TimeDelta::minutes(55));
        assert_eq!(waited, 0);
        assert_eq!(
            check(&[20 * 60]),
            TimeZoneVerdict::Unknown,
            "one record may be odd"
        );
    }

    #[test]
    fn records_that_are_all_off_by_the_same_quarters_tell_the_shift() {
        let india = 330 * 60;
        for (shift, minutes) in [(-india, -330), (india, 330), (-900, -15)] {
            assert_eq!(
                check(&[30 + shift, 5 + shift, 50 + shift, 17]),
                TimeZoneVerdict::Disagrees { minutes, records: 3 }
            );
        }
    }
}
