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
//! A third test compares what is stored with what is read again: `warehouse::moved`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use uuid::Uuid;

use crate::transform::{
    Interaction, QUARTER_SECONDS, Rows, TOLERANCE_SECONDS, seconds_of_id, whole_quarters,
};

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
    /// Which record it is of.
    record: Uuid,
    /// Quarters of an hour between what is certain and a naive stamp.
    quarters: i64,
}

impl TimeZoneCheck {
    /// Looks at records that have just been read.
    pub(super) fn see<'a>(&self, interactions: impl Iterator<Item = &'a Interaction>) {
        let (mut by_ids, mut by_stamps) = (self.by_ids.lock(), self.by_stamps.lock());
        for interaction in interactions {
            if let Some(quarters) = quarters_of_id(&interaction.rows) {
                remember(&mut by_ids, interaction.key, quarters);
            }
            if let Some(quarters) = quarters_of(&interaction.rows) {
                remember(&mut by_stamps, interaction.key, quarters);
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
                    minutes: quarters * QUARTER_SECONDS / 60,
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
fn remember(remembered: &mut VecDeque<Evidence>, record: Uuid, quarters: i64) {
    if let Some(place) = remembered.iter().position(|evidence| evidence.record == record) {
        remembered.remove(place);
    } else if remembered.len() == REMEMBERED {
        remembered.pop_front();
    }
    remembered.push_back(Evidence { record, quarters });
}

/// What the seconds in the session's id say of its start.
fn quarters_of_id(rows: &Rows) -> Option<i64> {
    let session = Some(&rows.session).filter(|session| !session.has_start_of_id())?;
    let seconds = seconds_of_id(session.session_id.as_deref()?)?;
    let later = seconds - rows.session.session_started_at.timestamp();
    whole_quarters(later, TOLERANCE_SECONDS).filter(|quarters| quarters.abs() <= MOST_QUARTERS)
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
    if -TOLERANCE_SECONDS <= opted && opted <= ended + TOLERANCE_SECONDS {
        return 0;
    }
    (opted + TOLERANCE_SECONDS).div_euclid(QUARTER_SECONDS)
}

#[cfg(test)]
mod tests;
