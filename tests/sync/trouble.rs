//! What the API or the database does wrong ends in the books, and coverage stays true.

use std::time::Duration;

use smartassist_etl::load::leases;
use smartassist_etl::load::runs::Outcome;
use smartassist_etl::sync::Failure;
use smartassist_etl::sync::Job;
use smartassist_simulator::{Fault, FaultKind, Seed};
use tokio_util::sync::CancellationToken;

use crate::support::{Setup, TestDatabase, instant};

#[tokio::test]
async fn a_window_that_fails_is_left_out_and_the_next_ones_go_on() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(300).await;
    setup.set("max_retries", "2");
    // The third window's first page fails at every try.
    setup
        .simulator
        .world()
        .inject(Fault::nth(3, FaultKind::status(503)));
    setup
        .simulator
        .world()
        .inject(Fault::nth(4, FaultKind::html(502)));
    setup
        .simulator
        .world()
        .inject(Fault::nth(5, FaultKind::ResetInBody));
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.failure),
        (Outcome::Failed, Some(Failure::Other))
    );
    assert_eq!(report.watermark, Some(instant("2026-01-03T00:00:00Z")));
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.windows where status = 'failed'")
            .await,
        1
    );

    let again = setup.sync(&database).await;
    assert_eq!(
        (again.outcome, again.counters.windows),
        (Outcome::Succeeded, 1),
        "only the hole is read"
    );
    assert_eq!(again.watermark, Some(instant("2026-01-15T11:58:00Z")));
    assert_eq!(database.counts().await[0], 300);
}

#[tokio::test]
async fn an_api_that_is_down_ends_the_run_after_a_few_windows() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(300).await;
    setup.set("max_retries", "1");
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::status(500)));
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.windows, report.counters.requests),
        (Outcome::Failed, 6, 12)
    );
}

#[tokio::test]
async fn an_api_that_refuses_us_ends_the_run_at_once() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(10).await;
    setup.set("client_secret", "another-secret-0123456789abcdef-");
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.failure),
        (Outcome::Failed, Some(Failure::Refused))
    );
    assert_eq!((report.counters.windows, report.counters.requests), (1, 2));
    let error = database.text("select error from smartassist_sync.runs").await;
    assert!(error.contains("refused us (status 401"), "{error}");
}

#[tokio::test]
async fn an_account_that_another_worker_has_is_skipped() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(10).await;
    let lasts = Duration::from_secs(60);
    let lease = leases::acquire(&database.pool, "acct-sim", "other", lasts)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Skipped);
    lease.release(&database.pool).await.unwrap();
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_worker_whose_lease_was_taken_writes_nothing_more() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    // Between two windows, the lease passes to another worker.
    let pool = database.pool.clone();
    setup.simulator.world().before_request(4, move |_| {
        let steal = "update smartassist_sync.leases set token = token + 1, holder = 'thief', \
                     expires_at = now() + interval '1 hour'";
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                use sqlx::Connection;
                let options = (*pool.connect_options()).clone();
                let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
                sqlx::query(steal).execute(&mut connection).await.unwrap();
            });
        })
        .join()
        .unwrap();
    });
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.windows")
            .await,
        3
    );
    assert_eq!(
        database
            .number("select max(token) from smartassist_sync.windows")
            .await,
        1
    );
    let late = "select count(*) from smartassist.sessions where session_started_at >= '2026-01-04Z'";
    assert_eq!(database.number(late).await, 0);
}

#[tokio::test]
async fn a_statement_that_fails_leaves_nothing_of_its_window() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    database
        .execute("alter table smartassist.tags add constraint refuses check (interaction_id = '') not valid")
        .await;
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.failure),
        (Outcome::Failed, Some(Failure::Other))
    );
    assert_eq!(database.counts().await, [0; 6]);
    assert_eq!(report.watermark, Some(instant("2026-01-01T00:00:00Z")));
    database
        .execute("alter table smartassist.tags drop constraint refuses")
        .await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await[0], 300);
}

#[tokio::test]
async fn a_record_that_the_database_refuses_holds_up_only_its_own_window() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    database
        .execute(
            "alter table smartassist.sessions add constraint refuses \
             check (session_started_at not between '2026-01-05Z' and '2026-01-06Z')",
        )
        .await;
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.failure),
        (Outcome::Failed, Some(Failure::Other))
    );
    assert_eq!(report.counters.windows, 15, "the windows after it are loaded");
    let failed = "select error from smartassist_sync.windows where status = 'failed'";
    assert!(database.text(failed).await.contains("violates check constraint"));
    assert_eq!(report.watermark, Some(instant("2026-01-05T00:00:00Z")));
}

#[tokio::test]
async fn a_request_that_the_api_does_not_accept_is_not_repeated_for_every_window() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::status(404)));
    let report = setup.sync(&database).await;
    assert_eq!((report.outcome, report.counters.requests), (Outcome::Failed, 6));
}

#[tokio::test]
async fn the_books_of_a_failed_window_say_what_it_cost() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-15T00:00:00Z");
    setup.set("max_retries", "0");
    let (from, to) = (instant("2026-01-15T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(5, from, to, 250));
    setup
        .simulator
        .world()
        .inject(Fault::at_offset(1, FaultKind::status(500)));
    setup.set("max_in_flight", "1");
    setup.sync(&database).await;
    let cost =
        "select requests || ' ' || pages || ' ' || records || ' ' || status from smartassist_sync.windows";
    assert_eq!(database.text(cost).await, "2 1 100 failed");
}

#[tokio::test]
async fn what_another_process_has_just_spent_is_not_spent_again() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(15).await;
    setup.set("requests_per_minute", "20");
    let mut first = setup.worker(&database.pool);
    first.holder = "first".to_owned();
    let stop = CancellationToken::new();
    assert_eq!(first.run(&Job::Sync, &stop).await.counters.requests, 15);
    database
        .execute("update smartassist_sync.accounts set coverage = '{}', watermark = start_from")
        .await;
    let second = setup.worker(&database.pool);
    let short = tokio::time::timeout(Duration::from_secs(2), second.run(&Job::Sync, &stop)).await;
    assert!(
        short.is_err(),
        "the sixth request of the second waits for the minute to pass"
    );
    assert_eq!(setup.simulator.world().requests().count(), 20);
}

#[tokio::test]
async fn what_blocks_the_old_end_does_not_keep_the_newest_away() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup
        .simulator
        .world()
        .inject(Fault::times(3, FaultKind::status(400)));
    let report = setup.sync(&database).await;
    assert_eq!((report.outcome, report.counters.windows), (Outcome::Failed, 15));
    assert_eq!(report.watermark, Some(instant("2026-01-01T00:00:00Z")));
    let newest = "select count(*) from smartassist.sessions where session_started_at > '2026-01-14Z'";
    assert!(database.number(newest).await > 0);
}
