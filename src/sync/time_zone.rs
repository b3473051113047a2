//! Checks our reading of naive time stamps against session ids (24 hex digits begin with the start in UTC
//! seconds) and callback stamps with a zone.

use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;
use uuid::Uuid;

use crate::transform::{
    Interaction, QUARTER_SECONDS, Rows, TOLERANCE_SECONDS, seconds_of_id, whole_quarters,
};

/// Time zones differ by at most 26 hours.
const MOST_QUARTERS: i64 = 26 * 4;

const ENOUGH: u64 = 3;

/// More would outvote a recent shift.
const REMEMBERED: usize = 500;

const NEWEST: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    SessionIds,
    /// In the same record.
    StampsWithZone,
}

impl Witness {
    pub fn words(self) -> &'static str {
        match self {
            Self::SessionIds => "the seconds in session ids",
            Self::StampsWithZone => "time stamps with a zone",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeZoneVerdict {
    Unknown,
    Agrees {
        records: u64,
        witness: Witness,
    },
    Disagrees {
        /// By which the witness is later; a multiple of 15.
        minutes: i64,
        records: u64,
        witness: Witness,
    },
}

impl TimeZoneVerdict {
    /// Witness minus naive stamps; 0 if they agree.
    pub fn minutes(self) -> Option<i64> {
        match self {
            Self::Unknown => None,
            Self::Agrees { .. } => Some(0),
            Self::Disagrees { minutes, .. } => Some(minutes),
        }
    }

    pub fn fitting_offset(self, offset: i32) -> Option<i64> {
        match self {
            Self::Disagrees { minutes, .. } => Some(i64::from(offset) + minutes),
            Self::Unknown | Self::Agrees { .. } => None,
        }
    }
}

/// Each record counts once, as last read.
#[derive(Debug, Default)]
pub(super) struct TimeZoneCheck {
    by_ids: Remembered,
    by_stamps: Remembered,
}

#[derive(Debug, Default)]
struct Remembered(VecDeque<ZoneEvidence>);

#[derive(Debug, Clone, Copy)]
struct ZoneEvidence {
    record: Uuid,
    quarters: i64,
}

impl TimeZoneCheck {
    pub(super) fn see<'a>(&mut self, interactions: impl Iterator<Item = &'a Interaction>) {
        for interaction in interactions {
            if let Some(quarters) = quarters_of_id(&interaction.rows) {
                remember(&mut self.by_ids.0, interaction.key, quarters);
            }
            if let Some(quarters) = quarters_of(&interaction.rows) {
                remember(&mut self.by_stamps.0, interaction.key, quarters);
            }
        }
    }

    /// Only the newest: a majority may predate a change.
    pub(super) fn newest_agree(&self) -> bool {
        let by_ids = &self.by_ids.0;
        let newest = by_ids.iter().rev().take(NEWEST);
        by_ids.len() as u64 >= ENOUGH && newest.into_iter().all(|evidence| evidence.quarters == 0)
    }

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
    fn verdict(&self, witness: Witness) -> TimeZoneVerdict {
        let remembered = &self.0;
        let seen = remembered.len() as u64;
        let mut records_by_quarters: BTreeMap<i64, u64> = BTreeMap::new();
        for evidence in remembered {
            *records_by_quarters.entry(evidence.quarters).or_default() += 1;
        }
        let agreeing = records_by_quarters.remove(&0).unwrap_or(0);
        let commonest = records_by_quarters
            .into_iter()
            .max_by_key(|(_, records)| *records);
        let speak_for = |records| match witness {
            // Ids are exact, so every disagreement counts.
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
}

fn remember(remembered: &mut VecDeque<ZoneEvidence>, record: Uuid, quarters: i64) {
    if let Some(place) = remembered.iter().position(|evidence| evidence.record == record) {
        remembered.remove(place);
    } else if remembered.len() == REMEMBERED {
        remembered.pop_front();
    }
    remembered.push_back(ZoneEvidence { record, quarters });
}

fn quarters_of_id(rows: &Rows) -> Option<i64> {
    let session = Some(&rows.session).filter(|session| !session.has_start_of_id())?;
    let seconds = seconds_of_id(session.session_id.as_deref()?)?;
    let later = seconds - rows.session.session_started_at.timestamp();
    whole_quarters(later, TOLERANCE_SECONDS).filter(|quarters| quarters.abs() <= MOST_QUARTERS)
}

/// The destination furthest off: a long wait hides a short shift.
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

fn quarters_off(opted: TimeDelta, ended: TimeDelta) -> i64 {
    let (opted, ended) = (opted.num_seconds(), ended.num_seconds());
    if -TOLERANCE_SECONDS <= opted && opted <= ended + TOLERANCE_SECONDS {
        return 0;
    }
    (opted + TOLERANCE_SECONDS).div_euclid(QUARTER_SECONDS)
}

#[cfg(test)]
mod tests;
