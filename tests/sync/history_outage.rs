//! A gateway that refuses everything for some seconds is no end of what the API serves.

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::time::Window;
use smartassist_simulator::{Fault, FaultKind};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant, real_now};

/// What a gateway, or the API itself, says of every request while it is out.
fn refusals() -> [FaultKind; 3] {
    let message = br#"{"errors":[{"msg":"Service is being updated","code":404}]}"#;
    [
        FaultKind::html(404),
        FaultKind::status(400),
        FaultKind::Body(message.to_vec()),
    ]
}

/// More requests than a run makes.
const ALL: u64 = 10_000;

/// From the request after so many on, so many suffer it.
fn goes_out(setup: &Setup, after: u64, requests: u64, kind: &FaultKind) {
    let kind = kind.clone();
    setup
        .simulator
        .world()
        .before_request(after + 1, move |world| world.inject(Fault::times(requests, kind)));
}

/// Whether the ledger says what it said before, and nothing is wrong for long.
async fn assert_unmoved(database: &TestDatabase, start_from: &str, about: &str) {
    let state =
        "select concat_ws(' ', start_from at time zone 'UTC', served_from) from smartassist_sync.accounts";
    assert_eq!(database.text(state).await, start_from, "{about}");
    let problems = "select count(*) from smartassist_sync.problems where code = 'history_not_served'";
    assert_eq!(database.number(problems).await, 0, "{about}");
}

async fn assert_all_is_read(setup: &Setup, database: &TestDatabase, about: &str) {
    setup.simulator.world().clear_faults();
    setup.pass(TimeDelta::minutes(5));
    let report = setup.sync(database).await;
    assert_eq!(
        report.outcome,
        Outcome::Succeeded,
        "{about}: {:?}",
        report.problem
    );
    assert_eq!(report.watermark, Some(instant("2026-01-15T12:03:00Z")), "{about}");
    assert_eq!(database.counts().await[0], 300, "{about}");
}

#[tokio::test]
async fn an_outage_in_the_middle_of_a_load_is_no_end_of_history() {
    // Those that last, and those that end among the requests that look for the edge.
    let lengths = [ALL, ALL, ALL, 15, 16, 17, 18, 19];
    for (requests, kind) in lengths.into_iter().zip(refusals().iter().cycle()) {
        let about = format!("{} for {requests} requests", kind.name());
        let database = TestDatabase::migrated().await;
        let mut setup = Setup::with_interactions(300).await;
        setup.set("max_retries", "0");
        goes_out(&setup, 4, requests, kind);
        setup.sync(&database).await;
        assert_unmoved(&database, "2026-01-01 00:00:00", &about).await;
        assert_all_is_read(&setup, &database, &about).await;
    }
}

#[tokio::test]
async fn an_outage_in_the_middle_of_a_refresh_moves_nothing() {
    for kind in refusals() {
        let about = kind.name();
        let database = TestDatabase::migrated().await;
        let mut setup = Setup::with_interactions(300).await;
        setup.set("max_retries", "0");
        setup.sync(&database).await;
        goes_out(&setup, 1, ALL, &kind);
        setup.pass(TimeDelta::minutes(1));
        let refresh = Job::Refresh {
            lookback: TimeDelta::days(14),
            since: real_now(),
            open_since: None,
            unsettled: false,
        };
        let worker = setup.worker(&database.pool);
        worker.run(&refresh, &CancellationToken::new()).await;
        assert_unmoved(&database, "2026-01-01 00:00:00", about).await;
    }
}

#[tokio::test]
async fn an_outage_in_the_middle_of_a_backfill_moves_nothing() {
    for (kind, after) in refusals().iter().zip([4, 5, 6]) {
        let about = &format!("{} after {after}", kind.name());
        let database = TestDatabase::migrated().await;
        let mut setup = Setup::with_interactions(300).await;
        setup.set("max_retries", "0");
        setup.set("start_from", "2026-01-14");
        setup.sync(&database).await;
        goes_out(&setup, after, ALL, kind);
        let range = Window::new(instant("2025-11-01T00:00:00Z"), instant("2026-01-14T00:00:00Z"));
        let backfill = Job::Backfill {
            range,
            refetch: false,
        };
        let worker = setup.worker(&database.pool);
        worker.run(&backfill, &CancellationToken::new()).await;
        assert_unmoved(&database, "2026-01-14 00:00:00", about).await;
        setup.simulator.world().clear_faults();
        let report = worker.run(&backfill, &CancellationToken::new()).await;
        assert_eq!(
            report.outcome,
            Outcome::Succeeded,
            "{about}: {:?}",
            report.problem
        );
        assert_eq!(database.counts().await[0], 300, "{about}");
    }
}

#[tokio::test]
async fn one_refusal_and_a_failure_after_it_end_the_run_and_not_the_history() {
    for kind in refusals() {
        let about = kind.name();
        let database = TestDatabase::migrated().await;
        let mut setup = Setup::with_interactions(300).await;
        setup.set("max_retries", "0");
        goes_out(&setup, 0, 1, &kind);
        goes_out(&setup, 9, 1, &FaultKind::status(503));
        setup.sync(&database).await;
        assert_unmoved(&database, "2026-01-01 00:00:00", about).await;
        assert_all_is_read(&setup, &database, about).await;
    }
}
