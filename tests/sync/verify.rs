//! What is stored is compared with the API: equal data costs a request a day, and every
//! difference is found on its day and called by its name.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::{DayComparison, Method, RunReport};
use smartassist_simulator::{Basis, Behaviour, End, Interaction, NumResults, Seed};
use tokio_util::sync::CancellationToken;

use crate::support::{Setup, Verification, Verifies, instant};

use super::past::{Past, stored_id, window};

/// The behaviours of every reading of which sessions belong to a day.
pub(super) fn readings() -> impl Iterator<Item = Behaviour> {
    [Basis::Start, Basis::End, Basis::Overlap]
        .into_iter()
        .flat_map(|basis| {
            [End::Inclusive, End::Exclusive].map(|end| Behaviour {
                basis,
                end,
                ..Behaviour::default()
            })
        })
}

/// Two weeks with sessions of up to six hours, of which many cross midnight.
async fn set_up(count: usize, behaviour: Behaviour) -> Setup {
    let setup = Setup::start().await;
    let (from, to) = (instant("2026-01-01T06:00:00Z"), instant("2026-01-14T18:00:00Z"));
    let seed = Seed {
        longest_session: Duration::from_secs(6 * 3_600),
        ..Seed::new(11, from, to, count)
    };
    setup.simulator.world().seed(&seed);
    setup.simulator.world().set_behaviour(behaviour);
    setup
}

/// The same, loaded.
pub(super) async fn long_sessions(count: usize, behaviour: Behaviour) -> Past {
    Past::of_setup(set_up(count, behaviour).await).await
}

/// Adds a copy of the first session that goes from here to there.
fn insert(setup: &Setup, id: &str, start: &str, end: &str) {
    let mut world = setup.simulator.world();
    let mut copy = world.interactions().next().unwrap().clone();
    id.clone_into(&mut copy.session_id);
    (copy.start, copy.end, copy.conversation) = (instant(start), Some(instant(end)), None);
    world.insert(copy);
}

/// All of the two weeks.
pub(super) fn two_weeks() -> Verification {
    Verification::of(window("2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z"))
}

impl Past {
    pub(super) async fn verify(&self, verification: &mut Verification) -> RunReport {
        self.worker.verify(verification, &CancellationToken::new()).await
    }
}

/// The days that differ: which, and how many are not stored, not returned, changed.
pub(super) fn differing(verification: &Verification) -> Vec<(String, [u64; 3])> {
    let of = |day: &DayComparison| {
        (
            day.from.format("%m-%d").to_string(),
            [day.not_stored, day.not_returned, day.changed],
        )
    };
    verification
        .compared()
        .filter(|day| day.differs())
        .map(of)
        .collect()
}

/// A session that starts and ends within the day, and is not the first or last one of it.
pub(super) fn within(past: &Past, day: &str) -> Interaction {
    let noon = instant(&format!("{day}T12:00:00Z"));
    let ends_before = noon + TimeDelta::hours(10);
    let world = past.setup.simulator.world();
    let mut fitting = world
        .interactions()
        .filter(|one| one.start >= noon && one.end.is_some_and(|end| end < ends_before));
    fitting.next().unwrap().clone()
}

/// A session that goes on over the midnight at the end of the day.
pub(super) fn crossing(past: &Past, day: &str) -> Interaction {
    let midnight = instant(&format!("{day}T00:00:00Z")) + TimeDelta::days(1);
    let world = past.setup.simulator.world();
    let mut fitting = world
        .interactions()
        .filter(|one| one.start < midnight && one.end.is_some_and(|end| end > midnight));
    fitting.next().unwrap().clone()
}

pub(super) async fn delete(past: &Past, one: &Interaction) {
    let sql = format!(
        "delete from smartassist.sessions where '{}' in (conversation_id, session_id)",
        stored_id(one)
    );
    past.database.execute(&sql).await;
}

#[tokio::test]
async fn equal_data_costs_one_small_request_a_day_under_every_reading() {
    for behaviour in readings() {
        let setup = set_up(500, behaviour.clone()).await;
        insert(
            &setup,
            "at midnight",
            "2026-01-05T00:00:00Z",
            "2026-01-05T00:01:00Z",
        );
        let past = Past::of_setup(setup).await;
        let versions = past.database.row_versions().await;
        let mut verification = two_weeks();
        let report = past.verify(&mut verification).await;
        assert_eq!(report.outcome, Outcome::Succeeded);
        assert_eq!(verification.compared().count(), 14);
        assert_eq!(differing(&verification), [], "{behaviour:?}");
        let limits: Vec<_> = {
            let world = past.setup.simulator.world();
            world.requests().map(|request| request.limit).collect()
        };
        let counted = limits.iter().filter(|limit| **limit == Some(1)).count();
        assert_eq!(counted, 14, "{behaviour:?}");
        // A record of the very midnight is of both days, where the end is inclusive.
        let by_identity = verification
            .compared()
            .filter(|day| day.method == Method::Identity);
        let looked_at: Vec<_> = by_identity.map(|day| day.to).collect();
        let midnight = [instant("2026-01-05T00:00:00Z")];
        let unclear = if behaviour.basis == Basis::End || behaviour.end == End::Exclusive {
            &[]
        } else {
            &midnight[..]
        };
        assert_eq!(looked_at, unclear, "{behaviour:?}");
        // One is read whole, and shows first that ranges are kept to.
        assert!(limits.len() <= 14 + 2 * unclear.len(), "{behaviour:?}");
        assert_eq!(past.database.row_versions().await, versions);
    }
}

#[tokio::test]
async fn without_totals_equal_days_are_compared_by_identity() {
    for num_results in [NumResults::Page, NumResults::Absent] {
        let behaviour = Behaviour {
            num_results,
            ..Behaviour::default()
        };
        let past = long_sessions(500, behaviour).await;
        let versions = past.database.row_versions().await;
        let mut verification = two_weeks();
        let report = past.verify(&mut verification).await;
        assert_eq!(report.outcome, Outcome::Succeeded);
        assert_eq!(differing(&verification), [], "{num_results:?}");
        let mut days = verification.compared();
        assert!(days.all(|day| day.method == Method::Identity && day.api > 10));
        assert_eq!(past.database.row_versions().await, versions);
    }
}

#[tokio::test]
async fn differences_are_found_on_their_days_under_every_reading() {
    for behaviour in readings() {
        let past = long_sessions(500, behaviour.clone()).await;
        delete(&past, &within(&past, "2026-01-03")).await;
        let gone = within(&past, "2026-01-06").session_id;
        let (changed, gone_too) = (within(&past, "2026-01-09"), crossing(&past, "2026-01-09"));
        {
            let mut world = past.setup.simulator.world();
            world.vanish(&gone).unwrap();
            world.add_tag(&changed.session_id, "late", json!("1"));
            world.vanish(&gone_too.session_id).unwrap();
        }
        let mut verification = two_weeks();
        let report = past.verify(&mut verification).await;
        assert_eq!(report.outcome, Outcome::Succeeded);
        let on = |day: &str, counts| (day.to_owned(), counts);
        let mut expected = vec![on("01-03", [1, 0, 0]), on("01-06", [0, 1, 0])];
        // Where a session that crosses midnight belongs is the reading's to say; the change is seen
        // only on a day that is looked at because its total differs.
        expected.extend(match behaviour.basis {
            Basis::Start => vec![on("01-09", [0, 1, 1])],
            Basis::End => vec![on("01-10", [0, 1, 0])],
            Basis::Overlap => vec![on("01-09", [0, 1, 1]), on("01-10", [0, 1, 0])],
        });
        assert_eq!(differing(&verification), expected, "{behaviour:?}");
    }
}

#[tokio::test]
async fn totals_do_not_see_a_change_and_identity_does() {
    for (num_results, expected) in [(NumResults::Total, None), (NumResults::Absent, Some("01-09"))] {
        let past = long_sessions(
            500,
            Behaviour {
                num_results,
                ..Behaviour::default()
            },
        )
        .await;
        let changed = within(&past, "2026-01-09").session_id;
        past.setup.simulator.world().add_tag(&changed, "late", json!("1"));
        let mut verification = two_weeks();
        past.verify(&mut verification).await;
        let expected: Vec<_> = expected
            .map(|day| (day.to_owned(), [0, 0, 1]))
            .into_iter()
            .collect();
        assert_eq!(differing(&verification), expected, "{num_results:?}");
    }
}

#[tokio::test]
async fn a_single_day_is_compared_correctly_under_every_reading() {
    for behaviour in readings() {
        let past = long_sessions(500, behaviour.clone()).await;
        let day = || Verification::of(window("2026-01-08T00:00:00Z", "2026-01-09T00:00:00Z"));
        let mut verification = day();
        past.verify(&mut verification).await;
        assert_eq!(differing(&verification), [], "{behaviour:?}");

        delete(&past, &within(&past, "2026-01-08")).await;
        let mut verification = day();
        past.verify(&mut verification).await;
        assert_eq!(
            differing(&verification),
            [("01-08".to_owned(), [1, 0, 0])],
            "{behaviour:?}"
        );

        // What is known of the basis tells on which side of midnight the vanished ones belong.
        for day in ["2026-01-07", "2026-01-08"] {
            let gone = crossing(&past, day).session_id;
            past.setup.simulator.world().vanish(&gone).unwrap();
        }
        let mut verification = day();
        verification.demand_identity();
        past.verify(&mut verification).await;
        let gone = if behaviour.basis == Basis::Overlap { 2 } else { 1 };
        assert_eq!(
            differing(&verification),
            [("01-08".to_owned(), [1, gone, 0])],
            "{behaviour:?}"
        );
    }
}

#[tokio::test]
async fn a_reading_that_fits_by_chance_does_not_hide_a_difference() {
    // One comes in over midnight: the day that lost another counts by overlap what it should by start.
    let setup = Setup::start().await;
    let (from, to) = (instant("2026-01-08T00:00:00Z"), instant("2026-01-08T12:00:00Z"));
    setup.simulator.world().seed(&Seed::new(11, from, to, 20));
    insert(&setup, "crossing", "2026-01-07T23:50:00Z", "2026-01-08T00:10:00Z");
    let past = Past::of_setup(setup).await;
    delete(&past, &within_morning(&past)).await;
    let mut verification = Verification::of(window("2026-01-08T00:00:00Z", "2026-01-09T00:00:00Z"));
    past.verify(&mut verification).await;
    assert_eq!(differing(&verification), [("01-08".to_owned(), [1, 0, 0])]);
}

fn within_morning(past: &Past) -> Interaction {
    let world = past.setup.simulator.world();
    let mut fitting = world
        .interactions()
        .filter(|one| one.start >= instant("2026-01-08T06:00:00Z"));
    fitting.next().unwrap().clone()
}

#[tokio::test]
async fn a_record_that_is_rejected_is_no_difference() {
    let past = long_sessions(500, Behaviour::default()).await;
    {
        let mut world = past.setup.simulator.world();
        world.insert_raw(
            instant("2026-01-07T10:00:00Z"),
            &json!({ "sessionId": "", "sessionStartTime": "2026-01-07T10:00:00" }),
        );
        world.insert_raw(
            instant("2026-01-07T20:00:00Z"),
            &json!({ "sessionId": "startless" }),
        );
    }
    let mut verification = two_weeks();
    let report = past.verify(&mut verification).await;
    assert_eq!(differing(&verification), []);
    let by_identity: Vec<_> = verification
        .compared()
        .filter(|day| day.method == Method::Identity)
        .map(|day| (day.from, day.rejected))
        .collect();
    assert_eq!(by_identity, [(instant("2026-01-07T00:00:00Z"), 2)]);
    assert_eq!(report.outcome, Outcome::Succeeded);
    let rejected = "select count(*) from smartassist_sync.rejected_records";
    assert_eq!(past.database.number(rejected).await, 0, "nothing is written");

    // The one without ids may be one that is not returned any more.
    for _ in 0..5 {
        let gone = within(&past, "2026-01-07").session_id;
        past.setup.simulator.world().vanish(&gone).unwrap();
    }
    let mut verification = two_weeks();
    past.verify(&mut verification).await;
    assert_eq!(differing(&verification), [("01-07".to_owned(), [0, 4, 0])]);
}

#[tokio::test]
async fn a_missing_session_is_a_difference_only_once_it_is_back() {
    let past = long_sessions(500, Behaviour::default()).await;
    let gone = within(&past, "2026-01-07");
    let marked = format!(
        "update smartassist.sessions set missing_since = now() where '{}' in (conversation_id, session_id)",
        stored_id(&gone)
    );
    past.database.execute(&marked).await;
    past.setup.simulator.world().vanish(&gone.session_id).unwrap();
    let mut verification = two_weeks();
    past.verify(&mut verification).await;
    assert_eq!(differing(&verification), []);
    assert!(verification.compared().all(|day| day.method == Method::Total));

    past.setup.simulator.world().insert(gone);
    let mut verification = two_weeks();
    past.verify(&mut verification).await;
    assert_eq!(differing(&verification), [("01-07".to_owned(), [0, 0, 1])]);
}
