use uuid::Uuid;

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
