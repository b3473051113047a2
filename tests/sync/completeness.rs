//! Nothing lost and nothing twice, or a loud failure.

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::{ApiProfile, OffsetUnit};
use smartassist_simulator::{self as simulated, Behaviour, Channel, End, NumResults, Order, Rhythm, Seed};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, WHY_SPLIT, instant};

/// Two days with several pages each.
async fn dense() -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-13T12:00:00Z");
    let (from, to) = (instant("2026-01-13T12:00:00Z"), instant("2026-01-15T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(9, from, to, 500));
    setup
}

/// What is stored of the API's behaviour.
async fn profile(database: &TestDatabase) -> ApiProfile {
    let stored = database
        .text("select api_traits::text from smartassist_sync.accounts")
        .await;
    serde_json::from_str(&stored).unwrap()
}

#[tokio::test]
async fn a_window_with_too_many_records_is_read_in_parts() {
    for num_results in [NumResults::Total, NumResults::Page, NumResults::Absent] {
        let database = TestDatabase::migrated().await;
        let setup = Setup::start().await;
        let burst = Rhythm::Burst {
            at: instant("2026-01-05T10:00:00Z"),
            seconds: 3_600,
            count: 1_200,
        };
        let (from, to) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-15T00:00:00Z"));
        setup.simulator.world().seed(&Seed {
            rhythm: burst,
            ..Seed::new(3, from, to, 1_400)
        });
        setup.simulator.world().set_behaviour(Behaviour {
            num_results,
            ..Behaviour::default()
        });
        let report = setup.sync(&database).await;
        assert_eq!(report.outcome, Outcome::Succeeded, "{num_results:?}");
        assert_eq!(report.counters.inserted, 1_400, "{num_results:?}");
        assert_eq!(report.watermark, Some(instant("2026-01-15T11:58:00Z")));
        let split = "select count(*) from smartassist_sync.windows where status = 'split' \
                     and range && '[2026-01-05 10:00Z,2026-01-05 11:00Z)'::tstzrange";
        assert!(database.number(split).await > 0, "{num_results:?}");
        assert_eq!(
            database.text(WHY_SPLIT).await,
            "too_many_records",
            "{num_results:?}"
        );
        let overlapping = "select count(*) from smartassist_sync.windows a, smartassist_sync.windows b \
                           where a.id < b.id and a.status = 'drained' and b.status = 'drained' \
                           and a.range && b.range";
        assert_eq!(database.number(overlapping).await, 0, "nothing is read twice");
    }
}

#[tokio::test]
async fn a_window_of_exactly_the_most_records_is_loaded_by_its_total() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    let (from, to) = (instant("2026-01-05T01:00:00Z"), instant("2026-01-05T23:00:00Z"));
    setup.simulator.world().seed(&Seed::new(3, from, to, 1_100));
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.inserted),
        (Outcome::Succeeded, 1_100)
    );
}

#[tokio::test]
async fn rows_that_shift_between_pages_are_read_again() {
    for num_results in [NumResults::Total, NumResults::Absent] {
        let database = TestDatabase::migrated().await;
        let mut setup = Setup::start().await;
        setup.set("start_from", "2026-01-14T13:00:00Z");
        let (from, to) = (instant("2026-01-14T13:00:00Z"), instant("2026-01-15T11:00:00Z"));
        {
            let mut world = setup.simulator.world();
            world.seed(&Seed::new(5, from, to, 350));
            world.set_behaviour(Behaviour {
                num_results,
                order: Order::Ascending,
                ..Behaviour::default()
            });
            // While the second page is asked for, an interaction appears in front of all others:
            // the last of the first page is pushed to the second and comes twice.
            world.before_request(2, |world| {
                let mut early = world.interactions().next().unwrap().clone();
                early.session_id = "pushed-in".to_owned();
                early.conversation = None;
                world.insert(early);
            });
        }
        let report = setup.sync(&database).await;
        assert_eq!(report.outcome, Outcome::Succeeded);
        assert_eq!(database.counts().await[0], 351, "{num_results:?}");
    }
}

#[tokio::test]
async fn a_server_that_reshuffles_every_answer_is_read_completely() {
    for num_results in [NumResults::Total, NumResults::Page, NumResults::Absent] {
        let database = TestDatabase::migrated().await;
        let mut setup = Setup::start().await;
        setup.set("start_from", "2026-01-14T13:00:00Z");
        let (from, to) = (instant("2026-01-14T13:00:00Z"), instant("2026-01-15T11:00:00Z"));
        setup.simulator.world().seed(&Seed::new(5, from, to, 350));
        setup.simulator.world().set_behaviour(Behaviour {
            order: Order::Reshuffled,
            num_results,
            ..Behaviour::default()
        });
        let report = setup.sync(&database).await;
        assert_eq!(report.outcome, Outcome::Succeeded, "{num_results:?}");
        assert_eq!(report.watermark, Some(instant("2026-01-15T11:58:00Z")));
        assert_eq!(database.counts().await[0], 350, "{num_results:?}");
        if num_results == NumResults::Total {
            assert_eq!(database.text(WHY_SPLIT).await, "records_shift");
        }
    }
}

#[tokio::test]
async fn a_second_that_never_adds_up_fails_and_is_not_covered() {
    for num_results in [NumResults::Total, NumResults::Absent] {
        let database = TestDatabase::migrated().await;
        let mut setup = Setup::start().await;
        setup.set("start_from", "2026-01-14T13:00:00Z");
        let at = instant("2026-01-14T16:00:00Z");
        let (from, to) = (instant("2026-01-14T13:00:00Z"), instant("2026-01-15T11:00:00Z"));
        {
            let mut world = setup.simulator.world();
            world.seed(&Seed::new(5, from, to, 50));
            // No filter parts them: their channel and everything else is the same.
            for mut it in Seed::new(6, at, at + TimeDelta::seconds(1), 350).interactions() {
                (it.conversation, it.channel) = (None, Channel::Voice);
                world.insert(it);
            }
            world.set_behaviour(Behaviour {
                order: Order::Reshuffled,
                end: End::Exclusive,
                num_results,
                ..Behaviour::default()
            });
        }
        let report = setup.sync(&database).await;
        assert_eq!(report.outcome, Outcome::Failed, "{num_results:?}");
        assert_eq!(report.watermark, Some(at), "it does not pass the hole");
        let gaps = "select string_agg(lower(range)::text || ' ' || upper(range)::text, ',') \
                    from smartassist_sync.gaps";
        assert_eq!(
            database.text(gaps).await,
            "2026-01-14 16:00:00+00 2026-01-14 16:00:01+00"
        );
        let others =
            "select count(*) from smartassist.sessions where session_started_at <> '2026-01-14 16:00Z'";
        assert_eq!(database.number(others).await, 50);
    }
}

#[tokio::test]
async fn reshuffled_rows_are_not_mistaken_for_offsets_in_records() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-14T13:00:00Z");
    let (from, to) = (instant("2026-01-14T13:00:00Z"), instant("2026-01-15T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(5, from, to, 198));
    setup.simulator.world().set_behaviour(Behaviour {
        order: Order::Reshuffled,
        ..Behaviour::default()
    });
    let worker = setup.worker(&database.pool);
    let report = worker.run(&Job::Sync, &CancellationToken::new()).await;
    assert_eq!(
        (report.outcome, report.counters.inserted),
        (Outcome::Succeeded, 198)
    );
    assert_ne!(profile(&database).await.offset_unit, Some(OffsetUnit::Records));
    // A second page shares rows with the first by chance, and is never asked for in records.
    let in_records = |offset: &i64| *offset >= 100;
    let world = setup.simulator.world();
    assert_eq!(
        world
            .requests()
            .filter_map(|it| it.offset)
            .filter(in_records)
            .count(),
        0
    );
}

#[tokio::test]
async fn a_hostile_record_is_rejected_and_its_page_is_loaded() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(100).await;
    let start = instant("2026-01-10T10:00:00Z");
    {
        let mut world = setup.simulator.world();
        world.insert_raw(
            start,
            &json!({ "sessionId": "", "sessionStartTime": "2026-01-10T10:00:00" }),
        );
        world.insert_raw(start, &json!({ "sessionId": "never", "sessionStartTime": null }));
        world.insert_raw(
            start,
            &json!({ "sessionId": "no-start", "sessionStartTime": "soon" }),
        );
        world.insert_raw_bytes(
            start,
            br#"{"sessionId":"nul","sessionStartTime":"2026-01-10T10:00:00","channel":"a\u0000b\ud800"}"#
                .to_vec(),
        );
    }
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!((report.counters.inserted, report.counters.rejected), (101, 3));
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.rejected_records")
            .await,
        3
    );
    let channel = "select channel from smartassist.sessions where session_id = 'nul'";
    assert_eq!(database.text(channel).await, "a\u{fffd}b\u{fffd}");

    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    setup.sync(&database).await;
    let seen = "select min(times_seen) * 10 + count(*) from smartassist_sync.rejected_records";
    assert_eq!(database.number(seen).await, 23, "seen twice, and still three");
}

#[tokio::test]
async fn what_has_just_begun_is_left_to_the_next_run() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    setup.simulator.world().arrive(3, TimeDelta::seconds(60));
    setup.simulator.world().arrive(2, TimeDelta::seconds(180));
    assert_eq!(setup.sync(&database).await.counters.inserted, 2);
    setup.pass(TimeDelta::seconds(120));
    assert_eq!(setup.sync(&database).await.counters.inserted, 3);
}

#[tokio::test]
async fn equal_rejected_records_on_several_pages_block_no_window() {
    let database = TestDatabase::migrated().await;
    let setup = dense().await;
    for _ in 0..3 {
        let record = json!({ "sessionId": "", "sessionStartTime": "2026-01-14T10:00:00" });
        setup
            .simulator
            .world()
            .insert_raw(instant("2026-01-14T10:00:00Z"), &record);
    }
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.inserted),
        (Outcome::Succeeded, 500)
    );
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.rejected_records")
            .await,
        1
    );
}

#[tokio::test]
async fn an_interaction_that_the_api_returns_twice_is_loaded_once() {
    for num_results in [NumResults::Total, NumResults::Absent] {
        let database = TestDatabase::migrated().await;
        let setup = dense().await;
        let twin = json!({ "sessionId": "twin", "sessionStartTime": "2026-01-14T10:00:00" });
        {
            let mut world = setup.simulator.world();
            // In one window, and pages apart.
            world.insert_raw(instant("2026-01-13T13:00:00Z"), &twin);
            world.insert_raw(instant("2026-01-14T11:00:00Z"), &twin);
            world.set_behaviour(Behaviour {
                num_results,
                order: Order::Ascending,
                ..Behaviour::default()
            });
        }
        let report = setup.sync(&database).await;
        assert_eq!(
            (report.outcome, report.counters.inserted),
            (Outcome::Succeeded, 501),
            "{num_results:?}"
        );
    }
}

#[tokio::test]
async fn pages_that_overlap_are_told_from_a_shift_and_nothing_is_lost() {
    for num_results in [NumResults::Total, NumResults::Absent] {
        let database = TestDatabase::migrated().await;
        let setup = dense().await;
        setup.simulator.world().set_behaviour(Behaviour {
            num_results,
            offset_unit: simulated::OffsetUnit::Records,
            ..Behaviour::default()
        });
        let worker = setup.worker(&database.pool);
        let report = worker.run(&Job::Sync, &CancellationToken::new()).await;
        assert_eq!(
            (report.outcome, report.counters.inserted),
            (Outcome::Succeeded, 500),
            "{num_results:?}"
        );
        assert_eq!(report.watermark, Some(instant("2026-01-15T11:58:00Z")));
        // Without totals, windows may be so short that no second page is asked for.
        assert_ne!(profile(&database).await.offset_unit, Some(OffsetUnit::Pages));
        if num_results == NumResults::Total {
            assert_eq!(profile(&database).await.offset_unit, Some(OffsetUnit::Records));
        }
        let unaddable =
            "select count(*) from smartassist_sync.windows where status not in ('drained', 'split')";
        assert_eq!(database.number(unaddable).await, 0);
    }
}
