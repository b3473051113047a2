//! Tests of how we read time stamps, free with the records that come anyway.
//!
//! A naive stamp is read at the offset that we asked with, a stamp with a zone is what it says. Were that
//! wrong, records would be off by the same multiple of a quarter of an hour, as time zones are.
//!
//! - A session id of 24 hexadecimal digits is an object id: its first eight are the second in which the
//!   session started, in UTC. Nearly every record tells.
//! - A customer opts for a callback (a stamp with a zone) after entering a queue and before the session
//!   ends (naive stamps). Few records tell.
//!
//! A third test compares what is stored with what is read again: `load::moved`.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;

use crate::transform::{Interaction, Rows, seconds_of_id};

/// Time zones differ by whole quarters of an hour.
const QUARTER: i64 = 15 * 60;

/// Clocks of the API's own parts differ by seconds.
const TOLERANCE: i64 = 10;

/// An id that is farther from its start than any two time zones from each other is no object id.
const MOST_QUARTERS: i64 = 26 * 4;

/// One record may be odd; so many that agree on being off are not.
const ENOUGH: u64 = 3;

/// The verdict is about so many records, those read last: a month of agreement must not outvote a
/// shift that began today.
const REMEMBERED: usize = 500;

/// So many records are those that were read last.
const NEWEST: usize = 10;

/// What stamps without a zone are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// The seconds in session ids.
    SessionIds,
    /// Stamps with a zone of the same record.
    StampsWithZone,
}

impl Witness {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::SessionIds => "the seconds in session ids",
            Self::StampsWithZone => "time stamps with a zone",
        }
    }
}

/// What records said of our reading of time stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeZoneVerdict {
    /// No or too few records tell.
    Unknown,
    /// They agree.
    Agrees {
        /// So many records.
        records: u64,
        /// With these.
        witness: Witness,
    },
    /// Naive stamps are off.
    Disagrees {
        /// Minutes by which what is certain is later than naive stamps, a multiple of 15.
        minutes: i64,
        /// So many records say so.
        records: u64,
        /// What is certain.
        witness: Witness,
    },
}

impl TimeZoneVerdict {
    /// Minutes by which what is certain is later than naive stamps, 0 where they agree; `None` where
    /// too few records tell.
    pub fn minutes(self) -> Option<i64> {
        match self {
            Self::Unknown => None,
            Self::Agrees { .. } => Some(0),
            Self::Disagrees { minutes, .. } => Some(minutes),
        }
    }

    /// The `time_zone_offset` that fits, where this one does not.
    pub fn fitting_offset(self, offset: i32) -> Option<i64> {
        match self {
            Self::Disagrees { minutes, .. } => Some(i64::from(offset) + minutes),
            Self::Unknown | Self::Agrees { .. } => None,
        }
    }
}

/// What the records that were read last say, each once however often it is read.
#[derive(Debug, Default)]
pub(super) struct TimeZoneCheck {
    by_ids: Remembered,
    by_stamps: Remembered,
}

#[derive(Debug, Default)]
struct Remembered(Mutex<VecDeque<Evidence>>);

/// What one record says.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    /// The hash of the interaction's id: which record it is of.
    record: u64,
    /// Quarters of an hour between what is certain and a naive stamp.
    quarters: i64,
}

impl TimeZoneCheck {
    /// Looks at records that have just been read.
    pub(super) fn see<'a>(&self, interactions: impl Iterator<Item = &'a Interaction>) {
        let (mut by_ids, mut by_stamps) = (self.by_ids.lock(), self.by_stamps.lock());
        for interaction in interactions {
            if let Some(quarters) = quarters_of_id(&interaction.rows) {
                remember(&mut by_ids, interaction.id(), quarters);
            }
            if let Some(quarters) = quarters_of(&interaction.rows) {
                remember(&mut by_stamps, interaction.id(), quarters);
            }
        }
    }

    /// Whether the ids of the records that were read last all agree: where most of them do, some may have been
    /// read before the stamps became others.
    pub(super) fn newest_agree(&self) -> bool {
        let by_ids = self.by_ids.lock();
        let newest = by_ids.iter().rev().take(NEWEST);
        by_ids.len() as u64 >= ENOUGH && newest.into_iter().all(|evidence| evidence.quarters == 0)
    }

    /// What these records together say: whatever disagrees speaks first.
    pub(super) fn verdict(&self) -> TimeZoneVerdict {
        let by_ids = self.by_ids.verdict(Witness::SessionIds);
        let by_stamps = self.by_stamps.verdict(Witness::StampsWithZone);
        match (by_ids, by_stamps) {
            (TimeZoneVerdict::Unknown, other)
            | (TimeZoneVerdict::Agrees { .. }, other @ TimeZoneVerdict::Disagrees { .. }) => other,
            (by_ids, _) => by_ids,
        }
    }
}

impl Remembered {
    /// Where most are off, by how much most of these are: a fixed offset is wrong in two ways where the
    /// source keeps daylight saving time.
    fn verdict(&self, witness: Witness) -> TimeZoneVerdict {
        let remembered = self.lock();
        let seen = remembered.len() as u64;
        let mut records_by_quarters: BTreeMap<i64, u64> = BTreeMap::new();
        for evidence in remembered.iter() {
            *records_by_quarters.entry(evidence.quarters).or_default() += 1;
        }
        let agreeing = records_by_quarters.remove(&0).unwrap_or(0);
        let commonest = records_by_quarters
            .into_iter()
            .max_by_key(|(_, records)| *records);
        let speak_for = |records| match witness {
            // To the second, so whatever they say counts.
            Witness::SessionIds => seen - agreeing,
            Witness::StampsWithZone => records,
        };
        match commonest {
            Some((quarters, records)) if records >= ENOUGH && speak_for(records) * 2 > seen => {
                TimeZoneVerdict::Disagrees {
                    minutes: quarters * QUARTER / 60,
                    records,
                    witness,
                }
            }
            _ if agreeing > 0 => TimeZoneVerdict::Agrees {
                records: agreeing,
                witness,
            },
            _ => TimeZoneVerdict::Unknown,
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Evidence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes note of a record, in the place of what it said before. The list is short enough to be
/// searched.
fn remember(remembered: &mut VecDeque<Evidence>, id: &str, quarters: i64) {
    let record = BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
    if let Some(place) = remembered.iter().position(|evidence| evidence.record == record) {
        remembered.remove(place);
    } else if remembered.len() == REMEMBERED {
        remembered.pop_front();
    }
    remembered.push_back(Evidence { record, quarters });
}

/// What the seconds in the session's id say of its start.
fn quarters_of_id(rows: &Rows) -> Option<i64> {
    let seconds = seconds_of_id(rows.session.session_id.as_deref()?)?;
    let later = seconds - rows.session.session_started_at.timestamp();
    let quarters = (later + QUARTER / 2).div_euclid(QUARTER);
    let is_near = (later - quarters * QUARTER).abs() <= TOLERANCE;
    (is_near && quarters.abs() <= MOST_QUARTERS).then_some(quarters)
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
        remember(&mut check.by_stamps.lock(), &id.to_string(), off);
    }

    /// Of different records.
    fn check(opted: &[i64]) -> TimeZoneVerdict {
        let check = TimeZoneCheck::default();
        for (id, seconds) in opted.iter().enumerate() {
            see(&check, id, *seconds);
        }
        check.verdict()
    }

    const WITNESS: Witness = Witness::StampsWithZone;

    fn agrees(records: u64, witness: Witness) -> TimeZoneVerdict {
        TimeZoneVerdict::Agrees { records, witness }
    }

    /// Reads sessions of one morning whose ids are later than their stamps by so many minutes.
    fn by_ids(check: &TimeZoneCheck, first: usize, minutes: &[i64]) {
        for (place, minutes) in minutes.iter().enumerate() {
            let second = 1_700_000_000 + 60 * i64::try_from(first + place).unwrap();
            let record = format!(
                r#"{{"sessionId":"{:08x}0123456789abcdef","sessionStartTime":"{}"}}"#,
                second + minutes * 60,
                chrono::DateTime::from_timestamp(second, 0)
                    .unwrap()
                    .format("%Y-%m-%dT%H:%M:%S")
            );
            let record = serde_json::value::RawValue::from_string(record).unwrap();
            let interaction =
                crate::transform::transform(&record, 0, &crate::transform::privacy::Policy::default());
            check.see([interaction.unwrap()].iter());
        }
    }

    #[test]
    fn session_ids_tell_the_offset_that_fits() {
        let check = TimeZoneCheck::default();
        by_ids(&check, 0, &[0, 0, 0, 0]);
        assert_eq!(check.verdict(), agrees(4, Witness::SessionIds));
        assert!(check.newest_agree());
        // Of India, from a moment on.
        by_ids(&check, 10, &[-330; 5]);
        let verdict = check.verdict();
        let (minutes, records, witness) = (-330, 5, Witness::SessionIds);
        assert_eq!(
            verdict,
            TimeZoneVerdict::Disagrees {
                minutes,
                records,
                witness
            }
        );
        assert_eq!(
            (verdict.fitting_offset(0), verdict.fitting_offset(330)),
            (Some(-330), Some(0))
        );
        assert!(!check.newest_agree());
    }

    #[test]
    fn a_zone_with_daylight_saving_time_is_off_in_two_ways() {
        let check = TimeZoneCheck::default();
        by_ids(&check, 0, &[-60, -60, -60, -120, -120, -120, -120]);
        let (minutes, records, witness) = (-120, 4, Witness::SessionIds);
        assert_eq!(
            check.verdict(),
            TimeZoneVerdict::Disagrees {
                minutes,
                records,
                witness
            }
        );
    }

    #[test]
    fn ids_that_are_no_object_ids_tell_nothing() {
        let check = TimeZoneCheck::default();
        // A year, and some minutes that are no quarters of an hour.
        by_ids(&check, 0, &[525_600, 525_600, 525_600, 7, -8, 22]);
        assert_eq!(check.verdict(), TimeZoneVerdict::Unknown);
        assert!(!check.newest_agree());
    }

    #[test]
    fn stamps_within_the_session_agree() {
        assert_eq!(check(&[0, 40, -3, 600]), agrees(4, WITNESS));
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
                TimeZoneVerdict::Disagrees {
                    minutes,
                    records: 3,
                    witness: WITNESS
                }
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
        assert_eq!(check.verdict(), agrees(1, WITNESS));
    }

    #[test]
    fn a_shift_is_seen_however_long_records_agreed_before_it() {
        let check = TimeZoneCheck::default();
        for id in 0..10_000 {
            see(&check, id, 30);
        }
        let records = REMEMBERED as u64;
        assert_eq!(check.verdict(), agrees(records, WITNESS));
        for id in 10_000..10_000 + REMEMBERED / 2 + 1 {
            see(&check, id, 30 - 3_600);
        }
        assert_eq!(
            check.verdict(),
            TimeZoneVerdict::Disagrees {
                minutes: -60,
                records: records / 2 + 1,
                witness: WITNESS
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
        assert_eq!(check.verdict(), agrees(records, WITNESS));
    }
}
