//! A run that is told to stop.

use smartassist_etl::load::runs::Outcome;
use smartassist_etl::sync::Job;
use tokio_util::sync::CancellationToken;

use crate::support::{Setup, TestDatabase};

#[tokio::test]
async fn a_run_that_is_told_to_stop_keeps_whole_windows_and_the_next_goes_on() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    let stop = CancellationToken::new();
    let told = stop.clone();
    setup.simulator.world().before_request(5, move |_| told.cancel());
    let report = setup.worker(&database.pool).run(&Job::Poll, &stop).await;
    assert_eq!(report.outcome, Outcome::Interrupted);
    let drained = database
        .number("select count(*) from smartassist_sync.windows where status = 'drained'")
        .await;
    assert_eq!(drained, 4, "a page each, and the fifth is let go");
    let outside = "select count(*) from smartassist.sessions, smartassist_sync.accounts \
                   where not coverage @> session_started_at";
    assert_eq!(database.number(outside).await, 0);

    let rest = setup.sync(&database).await;
    assert_eq!((rest.outcome, rest.counters.unchanged), (Outcome::Succeeded, 0));
    assert_eq!(database.counts().await[0], 300);
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
