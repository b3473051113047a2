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
mod tests {
    use super::*;

    fn see(check: &mut TimeZoneCheck, id: usize, opted: i64) {
        let off = quarters_off(TimeDelta::seconds(opted), TimeDelta::minutes(10));
        remember(&mut check.by_stamps.0, Uuid::from_u128(id as u128), off);
    }

    fn check(opted: &[i64]) -> TimeZoneVerdict {
        let mut check = TimeZoneCheck::default();
        for (id, seconds) in opted.iter().enumerate() {
            see(&mut check, id, *seconds);
        }
        check.verdict()
    }

    const WITNESS: Witness = Witness::StampsWithZone;

    fn agrees(records: u64, witness: Witness) -> TimeZoneVerdict {
        TimeZoneVerdict::Agrees { records, witness }
    }

    fn by_ids(check: &mut TimeZoneCheck, first: usize, minutes: &[i64]) {
        for (place, minutes) in minutes.iter().enumerate() {
            let second = 1_700_000_000 + 60 * i64::try_from(first + place).unwrap();
            let record = format!(
                r#"{{"sessionId":"{:08x}0123456789abcdef","sessionStartTime":"{}"}}"#,
                second + minutes * 60,
                chrono::DateTime::from_timestamp(second, 0)
                    .unwrap()
                    .format("%Y-%m-%dT%H:%M:%S")
            );
            let record = crate::transform::RecordText::of(record);
            let origin = crate::transform::Origin {
                account_id: "a",
                time_zone_offset: 0,
            };
            let interaction =
                crate::transform::transform(&record, origin, &crate::transform::privacy::Policy::default());
            check.see([interaction.unwrap()].iter());
        }
    }

    #[test]
    fn session_ids_tell_the_offset_that_fits() {
        let mut check = TimeZoneCheck::default();
        by_ids(&mut check, 0, &[0, 0, 0, 0]);
        assert_eq!(check.verdict(), agrees(4, Witness::SessionIds));
        assert!(check.newest_agree());
        by_ids(&mut check, 10, &[-330; 5]);
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
        let mut check = TimeZoneCheck::default();
        by_ids(&mut check, 0, &[-60, -60, -60, -120, -120, -120, -120]);
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
        let mut check = TimeZoneCheck::default();
        by_ids(&mut check, 0, &[525_600, 525_600, 525_600, 7, -8, 22]);
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
    fn a_record_counts_once_with_its_last_reading() {
        let mut check = TimeZoneCheck::default();
        for _ in 0..4 {
            see(&mut check, 0, -3_600);
        }
        assert_eq!(check.verdict(), TimeZoneVerdict::Unknown, "it is one record");
        see(&mut check, 0, 30);
        assert_eq!(check.verdict(), agrees(1, WITNESS));
    }

    #[test]
    fn a_shift_is_seen_however_long_records_agreed_before_it() {
        let mut check = TimeZoneCheck::default();
        for id in 0..10_000 {
            see(&mut check, id, 30);
        }
        let records = REMEMBERED as u64;
        assert_eq!(check.verdict(), agrees(records, WITNESS));
        for id in 10_000..10_000 + REMEMBERED / 2 + 1 {
            see(&mut check, id, 30 - 3_600);
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
        let mut check = TimeZoneCheck::default();
        for id in (0..REMEMBERED).chain(0..REMEMBERED / 2) {
            see(&mut check, id, 30);
        }
        let records = REMEMBERED as u64;
        assert_eq!(check.verdict(), agrees(records, WITNESS));
    }
}
