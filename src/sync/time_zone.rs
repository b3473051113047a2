//! The test of how we read time stamps that records bring with them.
//!
//! A naive stamp is read at the offset that we asked with, a stamp with a zone is what it
//! says. A customer opts for a callback (a stamp with a zone) after entering a queue and before the session
//! ends (naive stamps). Were our reading of naive stamps wrong, records would be outside of that by
//! the same multiple of a quarter of an hour, as time zones are.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;

use crate::transform::{Interaction, Rows};

/// Time zones differ by whole quarters of an hour.
const QUARTER: i64 = 15 * 60;

/// Clocks of the API's own parts differ by seconds.
const TOLERANCE: i64 = 10;

/// One record may be odd; so many that agree on being off are not.
const ENOUGH: u64 = 3;

/// The verdict is about so many records, those read last: a month of agreement must not outvote a
/// shift that began today.
const REMEMBERED: usize = 500;

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

impl TimeZoneVerdict {
    /// Minutes by which stamps with a zone are later than naive ones, 0 where they agree; `None` where
    /// too few records tell.
    pub fn minutes(self) -> Option<i64> {
        match self {
            Self::Unknown => None,
            Self::Agrees { .. } => Some(0),
            Self::Disagrees { minutes, .. } => Some(minutes),
        }
    }
}

/// What the records that were read last say, each once however often it is read.
#[derive(Debug, Default)]
pub(super) struct TimeZoneCheck(Mutex<VecDeque<Evidence>>);

/// What one record says.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    /// The hash of the interaction's id: which record it is of.
    record: u64,
    /// Quarters of an hour between the two kinds of stamp.
    quarters: i64,
}

impl TimeZoneCheck {
    /// Looks at records that have just been read.
    pub(super) fn see<'a>(&self, interactions: impl Iterator<Item = &'a Interaction>) {
        let mut remembered = self.lock();
        for interaction in interactions {
            if let Some(quarters) = quarters_of(&interaction.rows) {
                remember(&mut remembered, interaction.id(), quarters);
            }
        }
    }

    /// What these records together say.
    pub(super) fn verdict(&self) -> TimeZoneVerdict {
        let remembered = self.lock();
        let seen = remembered.len() as u64;
        let mut records_by_quarters: BTreeMap<i64, u64> = BTreeMap::new();
        for evidence in remembered.iter() {
            *records_by_quarters.entry(evidence.quarters).or_default() += 1;
        }
        let commonest = records_by_quarters.iter().max_by_key(|(_, records)| **records);
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

    fn lock(&self) -> MutexGuard<'_, VecDeque<Evidence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes note of a record, in the place of what it said before. The list is short enough to be
/// searched: few records carry both kinds of stamp.
fn remember(remembered: &mut VecDeque<Evidence>, id: &str, quarters: i64) {
    let record = BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
    if let Some(place) = remembered.iter().position(|evidence| evidence.record == record) {
        remembered.remove(place);
    } else if remembered.len() == REMEMBERED {
        remembered.pop_front();
    }
    remembered.push_back(Evidence { record, quarters });
}

/// What a record with both kinds of stamp says. Of several destinations the one that is furthest
/// off speaks: a short shift hides in a long wait.
fn quarters_of(rows: &Rows) -> Option<i64> {
    let ended = rows.session.session_ended_at?;
    let stamps = rows
        .destinations
        .iter()
        .filter_map(|destination| destination.entered_at.zip(destination.callback_opted_at));
    stamps
        .map(|(entered, opted)| quarters_off(opted - entered, ended - entered))
        .max_by_key(|quarters| quarters.abs())
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

    /// Reads a record whose session ended ten minutes after the queue was entered.
    fn see(check: &TimeZoneCheck, id: usize, opted: i64) {
        let off = quarters_off(TimeDelta::seconds(opted), TimeDelta::minutes(10));
        remember(&mut check.lock(), &id.to_string(), off);
    }

    /// Of different records.
    fn check(opted: &[i64]) -> TimeZoneVerdict {
        let check = TimeZoneCheck::default();
        for (id, seconds) in opted.iter().enumerate() {
            see(&check, id, *seconds);
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

    #[test]
    fn a_record_counts_once_however_often_it_is_read_and_says_what_it_said_last() {
        let check = TimeZoneCheck::default();
        for _ in 0..4 {
            see(&check, 0, -3_600);
        }
        assert_eq!(check.verdict(), TimeZoneVerdict::Unknown, "it is one record");
        see(&check, 0, 30);
        assert_eq!(check.verdict(), TimeZoneVerdict::Agrees { records: 1 });
    }

    #[test]
    fn a_shift_is_seen_however_long_records_agreed_before_it() {
        let check = TimeZoneCheck::default();
        for id in 0..10_000 {
            see(&check, id, 30);
        }
        let records = REMEMBERED as u64;
        assert_eq!(check.verdict(), TimeZoneVerdict::Agrees { records });
        for id in 10_000..10_000 + REMEMBERED / 2 + 1 {
            see(&check, id, 30 - 3_600);
        }
        assert_eq!(
            check.verdict(),
            TimeZoneVerdict::Disagrees {
                minutes: -60,
                records: records / 2 + 1
            }
        );
    }

    #[test]
    fn a_record_that_is_read_again_forgets_no_other() {
        let check = TimeZoneCheck::default();
        for id in (0..REMEMBERED).chain(0..REMEMBERED / 2) {
            see(&check, id, 30);
        }
        let records = REMEMBERED as u64;
        assert_eq!(check.verdict(), TimeZoneVerdict::Agrees { records });
    }
}
