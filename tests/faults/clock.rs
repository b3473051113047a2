//! Clocks that jump, differ or stand still: nothing that has not happened yet counts as read.

use chrono::{DateTime, TimeDelta, Utc};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::{AccountContext, RunReport};
use smartassist_etl::time::{Clock, Window};
use tokio_util::sync::CancellationToken;

use super::watch;
use crate::support::{Job, Runs, Setup, TestDatabase, instant, real_now};

/// Everything up to noon of 15 January is loaded.
async fn loaded() -> (TestDatabase, Setup, AccountContext) {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    let worker = setup.worker(&database.pool);
    assert_eq!(poll(&worker).await.outcome, Outcome::Succeeded);
    (database, setup, worker)
}

async fn poll(worker: &AccountContext) -> RunReport {
    worker.run(&Job::Poll, &CancellationToken::new()).await
}

/// The API's time goes on, ours as well.
fn pass(setup: &Setup, ours_ahead: TimeDelta, span: TimeDelta) {
    let now = setup.simulator.world().now() + span;
    setup.simulator.world().set_now(now);
    setup.clock.set(now + ours_ahead);
}

async fn watermark(database: &TestDatabase) -> DateTime<Utc> {
    sqlx::query_scalar("select watermark from smartassist_sync.accounts")
        .fetch_one(&database.pool)
        .await
        .unwrap()
}

fn settled(setup: &Setup) -> DateTime<Utc> {
    // Clocks that differ by a few seconds are the same.
    setup.simulator.world().now() - TimeDelta::seconds(120 - 6)
}

#[tokio::test]
async fn a_clock_an_hour_ahead_covers_nothing_in_the_future() {
    let (database, setup, worker) = loaded().await;
    let ahead = TimeDelta::hours(1);
    for minute in 0..6 {
        // It is set right after three polls.
        let ours = if minute < 4 { ahead } else { TimeDelta::zero() };
        setup.simulator.world().arrive(3, TimeDelta::zero());
        pass(&setup, ours, TimeDelta::minutes(6));
        // The first asks without knowing that the clock has jumped, the second knows it.
        for _ in 0..2 {
            let report = poll(&worker).await;
            assert_eq!(report.outcome, Outcome::Succeeded);
            let watermark = watermark(&database).await;
            assert!(watermark <= settled(&setup), "{minute}: {watermark}");
            assert!(
                watermark >= settled(&setup) - TimeDelta::seconds(20),
                "{minute}: {watermark}"
            );
        }
        assert_eq!(database.counts().await[0], 300 + 3 * (minute + 1));
    }
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn a_clock_an_hour_behind_delays_loading_and_loses_nothing() {
    let (database, setup, worker) = loaded().await;
    poll(&worker).await;
    let before = watermark(&database).await;
    setup.simulator.world().arrive(5, TimeDelta::zero());
    pass(&setup, -TimeDelta::hours(1), TimeDelta::minutes(30));
    let behind = poll(&worker).await;
    assert_eq!(behind.outcome, Outcome::Succeeded);
    assert_eq!(watermark(&database).await, before);
    pass(&setup, TimeDelta::zero(), TimeDelta::minutes(30));
    assert_eq!(poll(&worker).await.counters.inserted, 5);
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn readings_by_a_fast_clock_are_refreshed_once_it_is_right() {
    for refetch in [false, true] {
        let database = TestDatabase::migrated().await;
        let setup = Setup::with_interactions(300).await;
        let worker = setup.worker(&database.pool);
        pass(&setup, TimeDelta::days(1), TimeDelta::zero());
        while database.counts().await[0] < 300 {
            poll(&worker).await;
        }
        // It is right again, and what was read tomorrow changes.
        pass(&setup, TimeDelta::zero(), TimeDelta::minutes(5));
        setup.simulator.world().mutate_some(4, 1.0);
        let now = setup.clock.now();
        let job = if refetch {
            Job::Backfill {
                range: Window::new(instant("2026-01-01T00:00:00Z"), now),
                refetch,
            }
        } else {
            Job::Refresh {
                lookback: TimeDelta::days(30),
                since: real_now(),
                open_since: None,
                unsettled: false,
            }
        };
        let report = worker.run(&job, &CancellationToken::new()).await;
        assert_eq!(report.outcome, Outcome::Succeeded);
        let counters = &report.counters;
        assert!(counters.updated + counters.missing > 100, "{counters:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_is_no_reason_to_be_refused() {
    for off in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
        let setup = Setup::with_interactions(20).await;
        setup.clock.set(setup.simulator.world().now() + off);
        let database = TestDatabase::migrated().await;
        let report = setup.sync(&database).await;
        assert_eq!(report.outcome, Outcome::Succeeded, "{off}");
        let refused = setup.simulator.world().counters().unauthorized;
        assert!(refused <= 1, "the first answer says what time it is there");
    }
}

#[tokio::test]
async fn an_api_with_a_slow_clock_is_read_by_its_own_time() {
    let (database, setup, worker) = loaded().await;
    let ahead = TimeDelta::minutes(5);
    pass(&setup, ahead, TimeDelta::minutes(10));
    poll(&worker).await;
    // It starts now, and that is minutes ago by our clock: no refresh is needed to find it.
    setup.simulator.world().arrive(1, TimeDelta::zero());
    pass(&setup, ahead, TimeDelta::minutes(5));
    assert_eq!(poll(&worker).await.counters.inserted, 1);
    assert_eq!(database.counts().await[0], 301);
}

#[tokio::test]
async fn after_twelve_hours_of_sleep_one_run_reads_the_whole_gap() {
    let (database, setup, worker) = loaded().await;
    for hour in 0..12 {
        setup.pass(TimeDelta::hours(1));
        setup.simulator.world().arrive(10 + hour, TimeDelta::minutes(5));
    }
    let report = poll(&worker).await;
    assert_eq!(
        (report.outcome, report.counters.inserted),
        (Outcome::Succeeded, 186)
    );
    assert_eq!(report.watermark, Some(instant("2026-01-15T23:58:00Z")));
    watch::same_as_a_fresh_load(&setup, &database).await;
}
