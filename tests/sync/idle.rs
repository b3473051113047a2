//! A run that finds nothing to read is in no list, unless it ends a failure.

use crate::support::Job;
use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Fault, FaultKind};

use super::past::{Past, window};

const RUNS: &str =
    "select coalesce(string_agg(kind || ' ' || status, ', ' order by id), '') from smartassist_sync.runs";

#[tokio::test]
async fn refreshes_of_what_was_just_read_leave_no_run_behind() {
    let past = Past::of(200).await;
    for lookback in [TimeDelta::hours(2), TimeDelta::days(1), TimeDelta::days(30)] {
        let mut job = past.refresh(lookback);
        if let Job::Refresh { since, .. } = &mut job {
            // As after a restart: due since before all was loaded.
            *since -= TimeDelta::minutes(15);
        }
        let report = past.run(&job).await;
        assert_eq!((report.outcome, report.counters.windows), (Outcome::Succeeded, 0));
    }
    let report = past.run(&Job::Poll).await;
    assert_eq!(report.counters.windows, 0, "no second has passed");
    assert_eq!(past.requests(), 0);
    assert_eq!(past.database.text(RUNS).await, "sync succeeded");
}

#[tokio::test]
async fn a_poll_that_asks_and_finds_nothing_is_a_run() {
    let past = Past::of(50).await;
    past.setup.pass(TimeDelta::minutes(5));
    assert_eq!(past.run(&Job::Poll).await.counters.windows, 1);
    assert_eq!(past.requests(), 1);
    assert_eq!(past.database.text(RUNS).await, "sync succeeded, poll succeeded");
    let polled = "select (max(finished_at) = '2026-01-15T12:05:00Z')::int::bigint from smartassist_sync.runs";
    assert_eq!(past.database.number(polled).await, 1);
}

#[tokio::test]
async fn a_run_with_nothing_left_to_do_ends_a_failure_in_the_ledger() {
    let past = Past::of(50).await;
    past.setup.pass(TimeDelta::minutes(30));
    let refresh = past.refresh(TimeDelta::hours(2));
    past.setup
        .simulator
        .world()
        .inject(Fault::times(1_000, FaultKind::status(500)));
    assert_eq!(past.run(&refresh).await.outcome, Outcome::Failed);
    past.setup.simulator.world().clear_faults();
    // Somebody else reads all of it.
    let everything = Job::Backfill {
        range: window("2026-01-01T00:00:00Z", "2026-01-15T12:00:00Z"),
        refetch: true,
    };
    assert_eq!(past.run(&everything).await.outcome, Outcome::Succeeded);
    past.run(&Job::Poll).await;
    past.requests();
    let report = past.run(&refresh).await;
    assert_eq!((report.outcome, past.requests()), (Outcome::Succeeded, 0));
    let newest = "select purpose || ' ' || state from smartassist_sync.requests where policy is not null order by id desc limit 1";
    assert_eq!(past.database.text(newest).await, "refresh done");
    assert_eq!(past.run(&refresh).await.counters.windows, 0, "once is enough");
}
