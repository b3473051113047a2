//! What a verification costs, leaves in the ledger, and never does: count as having loaded.

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::ledger::recent_counts;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::Method;
use smartassist_simulator::{Behaviour, Fault, FaultKind, NumResults, Rhythm, Seed};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, Verification, Verifies, instant};

use super::past::{Past, window};
use super::verify::{delete, differing, long_sessions, two_weeks, within};

#[tokio::test]
async fn a_day_larger_than_one_window_is_compared_completely() {
    for num_results in [NumResults::Total, NumResults::Absent] {
        let mut setup = Setup::start().await;
        setup.set("start_from", "2026-01-14T00:00:00Z");
        let (from, to) = (instant("2026-01-14T00:00:00Z"), instant("2026-01-15T00:00:00Z"));
        setup.simulator.world().seed(&Seed::new(5, from, to, 3_000));
        setup.simulator.world().set_behaviour(Behaviour {
            num_results,
            ..Behaviour::default()
        });
        let past = Past::of_setup(setup).await;
        delete(&past, &within(&past, "2026-01-14")).await;
        let gone = {
            let world = past.setup.simulator.world();
            world.interactions().nth(500).unwrap().session_id.clone()
        };
        past.setup.simulator.world().vanish(&gone).unwrap();
        past.setup.simulator.world().insert_raw(
            instant("2026-01-14T05:00:00Z"),
            &json!({ "sessionId": "startless" }),
        );
        // The bad record tells that it is not the one that is gone.
        let mut verification = Verification::of(window("2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z"));
        let report = past.verify(&mut verification).await;
        assert_eq!(report.outcome, Outcome::Succeeded);
        let day = verification.compared().next().unwrap().clone();
        assert_eq!(
            (day.api, day.stored, day.method),
            (2_999, 2_999, Method::Identity)
        );
        assert_eq!(differing(&verification), [("01-14".to_owned(), [1, 1, 0])]);
        assert_eq!(day.rejected, 1);
    }
}

#[tokio::test]
async fn a_second_that_cannot_be_read_completely_fails_its_day() {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-13T00:00:00Z");
    {
        let mut world = setup.simulator.world();
        let (from, to) = (instant("2026-01-13T00:00:00Z"), instant("2026-01-14T20:00:00Z"));
        world.seed(&Seed::new(5, from, to, 100));
        for (hour, number) in [10, 15]
            .into_iter()
            .flat_map(|hour| (0..1_200).map(move |number| (hour, number)))
        {
            let at = format!("2026-01-14T{hour}:00:00");
            let record = json!({ "sessionId": format!("same-{hour}-{number}"), "sessionStartTime": at });
            world.insert_raw(instant(&format!("{at}Z")), &record);
        }
    }
    let past = Past::of_setup(setup).await;
    let mut verification = Verification::of(window("2026-01-13T00:00:00Z", "2026-01-15T00:00:00Z"));
    let report = past.verify(&mut verification).await;
    assert_eq!(
        report.outcome,
        Outcome::Succeeded,
        "it was compared as far as it goes"
    );
    let days: Vec<_> = verification.compared().collect();
    assert_eq!((days.len(), days[0].differs()), (2, false));
    assert!(days[1].differs());
    let problem = days[1].problem.as_deref().unwrap_or_default();
    assert!(
        problem.contains("15:00:00Z: the API reports 1200 records in this second and shows 1100"),
        "{problem}"
    );
    assert_eq!(days[1].not_returned, 0, "what could not be reached may be there");
    let lines = |rest: &str| {
        format!("select count(*) from smartassist_sync.windows where purpose = 'verify' and {rest}")
    };
    let gaps = past
        .database
        .number(&lines("status = 'compared' and error is not null"))
        .await;
    assert_eq!(gaps, 1, "the first one is enough");
    assert!(past.database.number(&lines("status = 'compared'")).await > 2);
    let tried = "select max(times_tried) from smartassist_sync.gaps";
    assert_eq!(past.database.number(tried).await, 1, "comparing is no try");
}

#[tokio::test]
async fn a_verification_has_a_run_and_counts_for_nothing_else() {
    for num_results in [NumResults::Total, NumResults::Absent] {
        let past = long_sessions(
            500,
            Behaviour {
                num_results,
                ..Behaviour::default()
            },
        )
        .await;
        let coverage = "select coverage::text || watermark from smartassist_sync.accounts";
        let versions = past.database.row_versions().await;
        past.setup.pass(TimeDelta::hours(1));
        let job = past.refresh(TimeDelta::days(5));
        past.setup.pass(TimeDelta::minutes(1));
        past.run(&Job::Poll).await;
        past.requests();
        let covered = past.database.text(coverage).await;
        // Also what was never loaded.
        let mut verification = Verification::of(window("2025-12-30T00:00:00Z", "2026-01-15T00:00:00Z"));
        let report = past.verify(&mut verification).await;
        assert_eq!(report.outcome, Outcome::Succeeded);
        assert_eq!(report.counters.requests, past.requests() as u64);
        let run = "select concat_ws(' ', kind, status, requests = \
                   (select sum(requests) from smartassist_sync.windows as line where line.run_id = run.id), \
                   inserted + updated + unchanged + missing) from smartassist_sync.runs as run order by id desc limit 1";
        assert_eq!(past.database.text(run).await, "verify succeeded t 0");
        let purposes = "select string_agg(distinct purpose, ' ') from smartassist_sync.windows \
                        where run_id = (select max(id) from smartassist_sync.runs)";
        assert_eq!(past.database.text(purposes).await, "verify");
        assert_eq!(past.database.text(coverage).await, covered);
        assert_eq!(past.database.row_versions().await, versions);
        past.run(&job).await;
        assert!(past.requests() > 0, "what was compared was not read");
        let ages = "select count(*) from smartassist_bi.change_by_age where reread > 0";
        assert!(past.database.number(ages).await > 0);
    }
}

#[tokio::test]
async fn what_was_only_compared_teaches_a_later_process_nothing_wrong() {
    for num_results in [NumResults::Total, NumResults::Absent] {
        let past = long_sessions(
            3_000,
            Behaviour {
                num_results,
                ..Behaviour::default()
            },
        )
        .await;
        for day in 2..14 {
            delete(&past, &within(&past, &format!("2026-01-{day:02}"))).await;
        }
        past.verify(&mut two_weeks()).await;
        let fewest = "select min(distinct_records) from smartassist_sync.windows where purpose = 'verify' \
                      and upper(range) - lower(range) >= '12 h'";
        assert!(past.database.number(fewest).await > 50, "{num_results:?}");
        let loaded =
            "select count(*) from smartassist_sync.windows where purpose = 'new' and status = 'drained'";
        let learned = recent_counts(&past.database.pool, "acct-sim", 4_000).await;
        assert_eq!(
            i64::try_from(learned.unwrap().len()).unwrap(),
            past.database.number(loaded).await
        );

        past.setup.pass(TimeDelta::hours(1));
        past.requests();
        let fresh = past.other_worker();
        let job = past.refresh(TimeDelta::days(20));
        let report = fresh.run(&job, &CancellationToken::new()).await;
        assert_eq!(report.outcome, Outcome::Succeeded);
        let split =
            "select count(*) from smartassist_sync.windows where purpose = 'refresh' and status = 'split'";
        assert_eq!(past.database.number(split).await, 0, "{num_results:?}");
    }
}

#[tokio::test]
async fn what_is_not_loaded_yet_is_left_out_unless_nothing_is() {
    let past = long_sessions(500, Behaviour::default()).await;
    {
        let mut world = past.setup.simulator.world();
        let mut fresh = world.interactions().next().unwrap().clone();
        "fresh".clone_into(&mut fresh.session_id);
        (fresh.conversation, fresh.start) = (None, instant("2026-01-15T13:00:00Z"));
        fresh.end = Some(instant("2026-01-15T13:05:00Z"));
        world.insert(fresh);
    }
    past.setup.pass(TimeDelta::hours(3));
    let loaded = "select to_char(upper(coverage) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
                  from smartassist_sync.accounts";
    let loaded = instant(&past.database.text(loaded).await);
    let mut verification = Verification::of(window("2026-01-14T00:00:00Z", "2026-01-17T00:00:00Z"));
    let report = past.verify(&mut verification).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(verification.range().end, loaded);
    let days: Vec<_> = verification
        .compared()
        .map(|day| (day.to, day.differs()))
        .collect();
    assert_eq!(days, [(instant("2026-01-15T00:00:00Z"), false), (loaded, false)]);

    // Whoever compares loads what is new, perhaps only meanwhile.
    let rest = window("2026-01-15T12:30:00Z", "2026-01-16T00:00:00Z");
    past.verify(&mut Verification::of(rest)).await;
    let fresh = "select count(*) from smartassist.sessions where session_id = 'fresh'";
    assert_eq!(past.database.number(fresh).await, 1);
    let mut verification = Verification::of(rest);
    past.verify(&mut verification).await;
    assert_eq!(differing(&verification), []);
}

#[tokio::test]
async fn requests_of_a_day_that_failed_are_in_the_ledger() {
    let mut setup = Setup::with_interactions(100).await;
    setup.set("max_retries", "0");
    let past = Past::of_setup(setup).await;
    past.setup
        .simulator
        .world()
        .inject(Fault::nth(3, FaultKind::Body("<html>".into())));
    let mut verification = two_weeks();
    let report = past.verify(&mut verification).await;
    assert_eq!((report.outcome, report.counters.requests), (Outcome::Failed, 3));
    let lines = "select string_agg(status || ' ' || requests || ' ' || (error is not null), ', ' order by id) \
                 from smartassist_sync.windows where purpose = 'verify'";
    assert_eq!(
        past.database.text(lines).await,
        "compared 1 false, compared 1 false, failed 1 true"
    );
    past.requests();
    let rest = past.verify(&mut verification).await;
    assert_eq!(rest.outcome, Outcome::Succeeded);
    let world = past.setup.simulator.world();
    let counting = world
        .requests()
        .filter(|request| (request.limit, request.offset) == (Some(1), Some(0)));
    assert_eq!(
        counting.count(),
        14,
        "it failed as a whole, and is asked for anew"
    );
}

#[tokio::test]
async fn an_api_that_refuses_us_fails_the_verification_at_once() {
    let mut setup = Setup::with_interactions(100).await;
    setup.set("max_retries", "0");
    setup.set("client_secret", "another-secret-0123456789abcdef-");
    let database = TestDatabase::migrated().await;
    let worker = setup.worker(&database.pool);
    let mut verification = two_weeks();
    let report = worker.verify(&mut verification, &CancellationToken::new()).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(verification.compared().count(), 0);
    // Those on their way sign in again once.
    let requests = setup.simulator.world().requests().count();
    assert!((2..=8).contains(&requests), "{requests}");
}

#[tokio::test]
async fn a_burst_that_fills_a_minute_is_compared_as_any_other_time() {
    let setup = Setup::start().await;
    let (from, to) = (instant("2026-01-10T00:00:00Z"), instant("2026-01-11T00:00:00Z"));
    setup.simulator.world().seed(&Seed {
        rhythm: Rhythm::Burst {
            at: instant("2026-01-10T09:00:00Z"),
            seconds: 60,
            count: 1_500,
        },
        ..Seed::new(5, from, to, 1_600)
    });
    let past = Past::of_setup(setup).await;
    delete(&past, &within(&past, "2026-01-10")).await;
    let mut verification = Verification::of(window("2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z"));
    past.verify(&mut verification).await;
    assert_eq!(differing(&verification), [("01-10".to_owned(), [1, 0, 0])]);
}
