use chrono::TimeDelta;
use serde_json::{Value, json};
use smartassist_simulator::{Basis, Behaviour, End, NumResults, OffsetUnit, Quirks, Seed};

use super::super::judge::{Judgement, judge};
use super::super::lesson::PassFacts;
use super::super::pages::RawPage;
use super::super::pass::{self, Pass};
use super::super::{ApiProfile, OffsetUnit as Unit};
use super::{MemoryApi, ORIGIN, instant, window};
use crate::transform::{RawRecord, RecordText};
use crate::warehouse::compare;

const HOUR: (&str, &str) = ("2026-01-15T08:00:00Z", "2026-01-15T09:00:00Z");

fn page(records: impl IntoIterator<Item = Value>) -> RawPage {
    let raw = |record: Value| RecordText::of(record.to_string());
    RawPage {
        reported: Some(102),
        records: records
            .into_iter()
            .map(|record| RawRecord::of(raw(record), 0, ORIGIN).unwrap())
            .collect(),
        strays: Vec::new(),
    }
}

fn good(id: usize) -> Value {
    json!({"sessionId": format!("s-{id}"), "sessionStartTime": "2026-01-15T08:00:00"})
}

#[test]
fn a_rejected_record_on_two_pages_has_displaced_another() {
    for bad in [
        json!({"sessionId": "bad"}),
        json!({"sessionId": "", "sessionStartTime": "2026-01-15T08:00:00"}),
    ] {
        let profile = ApiProfile::default();
        let mut pass = Pass::of(page((1..100).map(good).chain([bad.clone()])), &profile);
        pass.take(Some(page([bad, good(101)])));
        pass.end = pass::PassEnd::BelowTotal;
        assert_eq!((pass.shown(), pass.distinct()), (102, 101));
        assert_eq!(judge(&profile, &pass, None), Judgement::Again);
        // Both copies are really there.
        assert_eq!(judge(&profile, &pass, Some(&pass)), Judgement::Drained);
    }
}

#[test]
fn a_bad_minute_has_single_pages_read_for_a_while() {
    let mut profile = ApiProfile::default();
    let several = profile.pages();
    let pass = Pass::of(page([good(1)]), &profile);
    profile.see_inconsistent();
    assert_eq!(profile.pages(), several);
    profile.see_inconsistent();
    for steady in 0..20 {
        assert_eq!(profile.pages(), 1, "{steady}");
        profile.learn_pass(&PassFacts::of(&pass, Judgement::Drained));
    }
    assert_eq!(profile.pages(), several);
    profile.see_inconsistent();
    assert_eq!(profile.pages(), 1, "one more is enough");
}

fn of_an_hour(count: usize, behaviour: Behaviour, max_offset: i64) -> MemoryApi {
    MemoryApi::new(|world| {
        world.seed(&Seed::new(4, instant(HOUR.0), instant(HOUR.1), count));
        world.set_behaviour(behaviour);
        world.limits.max_offset = max_offset;
    })
}

#[tokio::test]
async fn one_full_page_by_records_limits_nothing() {
    for num_results in [NumResults::Total, NumResults::Page, NumResults::Absent] {
        let behaviour = Behaviour {
            num_results,
            offset_unit: OffsetUnit::Records,
            end: End::Exclusive,
            ..Behaviour::default()
        };
        for (count, max_offset, refused) in [(100, 10_000, None), (100, 10, None), (101, 10, Some(1))] {
            let model = of_an_hour(count, behaviour.clone(), max_offset);
            let about = format!("{count} {max_offset} {num_results:?}");
            let slice = super::Slice::of(window(HOUR.0, HOUR.1), super::Priority::Head);
            let reading = model.read_slice(&slice).await;
            let verdict = if refused.is_none() {
                super::Verdict::Drained
            } else {
                super::Verdict::Overflow
            };
            assert_eq!(reading.unwrap().verdict, verdict, "{about}");
            let profile = model.profile();
            assert_eq!(profile.refused_page, refused, "{about}");
            if refused.is_some() {
                assert_eq!(profile.offset_unit, Some(Unit::Records), "{about}");
            }
        }
    }
}

#[tokio::test]
async fn the_basis_of_the_range_is_found_out() {
    for (basis, found) in [
        (Basis::Start, compare::Basis::Start),
        (Basis::End, compare::Basis::End),
        (Basis::Overlap, compare::Basis::Overlap),
    ] {
        let model = of_an_hour(
            400,
            Behaviour {
                basis,
                ..Behaviour::default()
            },
            10,
        );
        let mut start = instant(HOUR.0);
        for _ in 0..12 {
            let end = start + TimeDelta::minutes(5);
            model.load(crate::time::window::Window { start, end }).await;
            start = end;
        }
        assert_eq!(model.profile().basis, Some(found), "{basis:?}");
        let kept = serde_json::to_value(model.profile()).unwrap();
        let mut known: ApiProfile = serde_json::from_value(kept).unwrap();
        assert_eq!(known.basis, Some(found), "{basis:?}");
        // One odd window withdraws nothing.
        let odd = json!({"sessionId": "odd", "sessionStartTime": "2026-01-15T07:00:00", "sessionEndTime": "2026-01-15T12:00:00"});
        let pass = Pass::of(page([odd]), &known);
        known.learn_pass(&PassFacts::of(&pass, Judgement::Drained));
        assert_eq!(known.basis, Some(found), "{basis:?}");
    }
}

#[tokio::test]
async fn clamped_pages_are_found_out_by_one_window() {
    let quirks = Quirks {
        page_cap: Some(37),
        ..Quirks::default()
    };
    for num_results in [NumResults::Total, NumResults::Page, NumResults::Absent] {
        let behaviour = Behaviour {
            num_results,
            quirks: quirks.clone(),
            ..Behaviour::default()
        };
        let model = of_an_hour(300, behaviour, 10);
        let loaded = model.load(window(HOUR.0, HOUR.1)).await;
        assert_eq!(
            (loaded.records, loaded.gaps),
            (model.held(), vec![]),
            "{num_results:?}"
        );
        assert_eq!(model.profile().page_size, Some(37), "{num_results:?}");
        assert!(model.requests() < 24, "{num_results:?}: {}", model.requests());
    }
}
