//! What the API or the database does wrong ends in the books, and coverage stays true.

use std::time::Duration;

use smartassist_etl::load::leases;
use smartassist_etl::load::runs::Outcome;
use smartassist_etl::sync::Failure;
use smartassist_simulator::{Fault, FaultKind};

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
        (Outcome::Failed, 3, 6)
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
