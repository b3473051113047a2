//! A run that is told to stop.

use smartassist_etl::ledger::runs::Outcome;
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase};

#[tokio::test]
async fn a_stopped_run_keeps_whole_windows_and_the_next_continues() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    // A page a day; three longer windows are refused first.
    setup.simulator.world().limits.max_days = 1;
    let stop = CancellationToken::new();
    let told = stop.clone();
    setup.simulator.world().before_request(10, move |_| told.cancel());
    let report = setup.worker(&database.pool).run(&Job::Poll, &stop).await;
    assert_eq!(report.outcome, Outcome::Interrupted);
    let drained = database
        .number("select count(*) from smartassist_sync.windows where status = 'drained'")
        .await;
    assert!(
        (1..=10).contains(&drained),
        "what was read is kept, what was being read is let go: {drained}"
    );
    let outside = "select count(*) from smartassist.sessions, smartassist_sync.accounts \
                   where not coverage @> session_started_at";
    assert_eq!(database.number(outside).await, 0);

    let rest = setup.sync(&database).await;
    assert_eq!((rest.outcome, rest.counters.unchanged), (Outcome::Succeeded, 0));
    assert_eq!(database.counts().await[0], 300);
}

#[tokio::test]
async fn requests_of_windows_that_a_stop_ended_are_in_the_ledger() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(3_000).await;
    // One request at a time: when it is told to stop, no other is on its way to the API.
    setup.set("max_in_flight", "1");
    // Its answer never comes, so that none of its window does.
    let stop = CancellationToken::new();
    let told = stop.clone();
    setup.simulator.world().before_request(12, move |world| {
        world.hold = Some(CancellationToken::new());
        told.cancel();
    });
    let report = setup.worker(&database.pool).run(&Job::Poll, &stop).await;
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(setup.simulator.world().counters().requests, 12);
    // One that was about to be sent may be in the ledger and not have arrived; never the other way.
    let booked = report.counters.requests;
    assert!((12..=14).contains(&booked), "{booked}");
    let windows = "select sum(requests)::bigint from smartassist_sync.windows";
    let runs = "select requests::bigint from smartassist_sync.runs";
    for sum in [windows, runs] {
        assert_eq!(u64::try_from(database.number(sum).await).unwrap(), booked);
    }
    let let_go =
        "select count(*) from smartassist_sync.windows where error_code = 'run_ended' and requests > 0";
    assert!(database.number(let_go).await > 0);
}

#[tokio::test]
async fn a_run_whose_worker_died_is_closed_by_the_next_one() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(10).await;
    database
        .execute(
            "insert into smartassist_sync.runs (account_id, kind, status, started_at) \
             values ('acct-sim', 'poll', 'running', now())",
        )
        .await;
    setup.sync(&database).await;
    let statuses = "select string_agg(status, ' ' order by id) from smartassist_sync.runs";
    assert_eq!(database.text(statuses).await, "interrupted succeeded");
}
