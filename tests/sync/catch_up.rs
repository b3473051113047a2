//! In which order, how often and for which ranges the API is asked.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Basis, NumResults, Seed};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant};

const NEWEST_ALONE: &str = "select count(*) from smartassist_sync.accounts \
                            where coverage @> '2026-01-22 11:57:59Z'::timestamptz \
                            and watermark = '2026-01-15 11:58Z'";

/// Everything is loaded, a day at a time; then a week passes, with 3,000 interactions, and nobody
/// loads.
async fn week_down(database: &TestDatabase) -> Setup {
    let setup = Setup::with_interactions(1_000).await;
    setup.simulator.world().limits.max_days = 1;
    setup.sync(database).await;
    setup.pass(TimeDelta::days(7));
    let (from, to) = (instant("2026-01-15T12:00:00Z"), instant("2026-01-22T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(8, from, to, 3_000));
    setup.simulator.world().clear_requests();
    setup
}

/// Start and end of the windows whose first page was asked for, in the order of the requests.
fn windows(setup: &Setup) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let world = setup.simulator.world();
    let first_pages = world.requests().filter(|it| it.offset == Some(0));
    first_pages.filter_map(|it| it.start.zip(it.end)).collect()
}

#[tokio::test]
async fn after_a_week_down_the_newest_is_read_first() {
    let database = TestDatabase::migrated().await;
    let setup = week_down(&database).await;
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.inserted),
        (Outcome::Succeeded, 3_000)
    );
    assert_eq!(report.watermark, Some(instant("2026-01-22T11:58:00Z")));
    // A second at the edge of a window shows what the API compares the range with.
    let is_read = |window: &(DateTime<Utc>, DateTime<Utc>)| window.1 - window.0 > TimeDelta::seconds(1);
    let asked: Vec<_> = windows(&setup).into_iter().filter(is_read).collect();
    // Four are read at the same time, and any of them may ask first.
    let newest = instant("2026-01-22T11:58:00Z");
    assert!(asked[..4].iter().any(|window| window.1 == newest), "{asked:?}");
    assert!(asked.len() >= 7, "{asked:?}");
    for (nth, window) in asked.iter().enumerate() {
        let newer_later = asked[nth..].iter().filter(|later| later.1 > window.1).count();
        assert!(newer_later <= 3, "{asked:?}");
    }
    let oldest = asked
        .iter()
        .position(|it| it.0 <= instant("2026-01-15T11:58:00Z"));
    assert!(oldest.unwrap() + 4 >= asked.len(), "{asked:?}");
}

#[tokio::test]
async fn the_watermark_waits_at_the_hole_while_the_newest_is_there() {
    let database = TestDatabase::migrated().await;
    let setup = week_down(&database).await;
    // So much that there is a hole once the newest is there.
    setup.simulator.world().behaviour.latency = Duration::from_millis(100);
    let stop = CancellationToken::new();
    let worker = setup.worker(&database.pool);
    let stopping = async {
        database
            .until("the newest", NEWEST_ALONE, |there| there == 1)
            .await;
        stop.cancel();
    };
    let job = Job::Poll;
    let (report, ()) = tokio::join!(worker.run(&job, &stop), stopping);
    setup.simulator.world().behaviour.latency = Duration::ZERO;
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(report.watermark, Some(instant("2026-01-15T11:58:00Z")));
    assert_eq!(database.number(NEWEST_ALONE).await, 1);
    let there = database.counts().await[0];
    assert!((1_000 + 1..4_000).contains(&there), "{there}");

    let rest = setup.sync(&database).await;
    assert_eq!(rest.outcome, Outcome::Succeeded);
    assert_eq!(rest.watermark, Some(instant("2026-01-22T11:58:00Z")));
    assert_eq!(database.counts().await[0], 4_000);
}

#[tokio::test]
async fn a_poll_with_nothing_new_costs_one_request() {
    for num_results in [NumResults::Total, NumResults::Page, NumResults::Absent] {
        for count in [0, 300] {
            let database = TestDatabase::migrated().await;
            let setup = Setup::with_interactions(count).await;
            setup.simulator.world().behaviour.num_results = num_results;
            let worker = setup.worker(&database.pool);
            let stop = CancellationToken::new();
            worker.run(&Job::Poll, &stop).await;
            for _ in 0..5 {
                setup.pass(TimeDelta::minutes(1));
                let before = setup.simulator.world().counters().requests;
                let report = worker.run(&Job::Poll, &stop).await;
                assert_eq!(report.outcome, Outcome::Succeeded);
                let after = setup.simulator.world().counters().requests;
                assert_eq!(after - before, 1, "{num_results:?} {count}");
            }
        }
    }
}

#[tokio::test]
async fn sessions_longer_than_windows_are_loaded_once_by_overlap() {
    let mut digests = Vec::new();
    for basis in [Basis::Start, Basis::Overlap] {
        let database = TestDatabase::migrated().await;
        let setup = Setup::start().await;
        let (from, to) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
        {
            let mut world = setup.simulator.world();
            world.limits.max_days = 1;
            world.behaviour.basis = basis;
            world.seed(&Seed {
                longest_session: Duration::from_secs(3 * 86_400),
                ..Seed::new(31, from, to, 900)
            });
            let over_a_day = |it: &&smartassist_simulator::Interaction| {
                it.end.is_some_and(|end| end - it.start > TimeDelta::days(1))
            };
            assert!(world.interactions().filter(over_a_day).count() > 0);
        }
        let report = setup.sync(&database).await;
        assert_eq!(
            (report.outcome, report.counters.inserted, report.counters.missing),
            (Outcome::Succeeded, 900, 0)
        );
        // What comes with several windows came with each of them as it is.
        assert_eq!(report.counters.updated, 0);
        digests.push(database.digest(&[]).await);
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn no_request_is_for_more_than_seven_days_or_seven_dates() {
    for offset in ["0", "-330"] {
        for count in [150, 1_500] {
            let database = TestDatabase::migrated().await;
            let mut setup = Setup::start().await;
            setup.set("time_zone_offset", offset);
            setup.set("start_from", "2025-10-17T12:00:00Z");
            let (from, to) = (instant("2025-10-17T12:00:00Z"), instant("2026-01-15T11:00:00Z"));
            setup.simulator.world().seed(&Seed::new(41, from, to, count));
            let report = setup.sync(&database).await;
            assert_eq!(report.outcome, Outcome::Succeeded);
            let world = setup.simulator.world();
            let mut longest = (TimeDelta::zero(), 0);
            for request in world.requests() {
                assert_eq!(request.status, 200);
                let (length, dates) = length_and_dates(&request.body);
                assert!(
                    length <= TimeDelta::days(7) && dates <= 7,
                    "{length} {dates} {}",
                    request.body
                );
                longest = longest.max((length, dates));
            }
            assert_eq!(longest.1, 7, "what is allowed is used: {longest:?}");
        }
    }
}

/// The length of a request's range, and on how many dates of the clock that it is asked by the
/// half-open range lies.
fn length_and_dates(body: &serde_json::Value) -> (TimeDelta, i64) {
    let stamp =
        |key: &str| NaiveDateTime::parse_from_str(body[key].as_str().unwrap(), "%Y-%m-%d %H:%M:%S").unwrap();
    let (start, end) = (stamp("startDate"), stamp("endDate"));
    let last: NaiveDate = (end - TimeDelta::seconds(1)).date();
    (end - start, (last - start.date()).num_days() + 1)
}
