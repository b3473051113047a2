//! What the API or the database does wrong ends in the ledger, and coverage stays true.

use std::time::Duration;

use smartassist_etl::ledger::leases;
use smartassist_etl::ledger::problems::Failure;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Fault, FaultKind, Seed};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant, wait};

#[tokio::test]
async fn a_window_that_fails_is_left_out_and_the_next_ones_go_on() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(300).await;
    setup.set("max_retries", "2");
    {
        // Three longer windows are refused; then the newest day fails at every try, while nothing
        // else is read: how dense the account is, is not known yet.
        let mut world = setup.simulator.world();
        world.limits.max_days = 1;
        world.inject(Fault::nth(4, FaultKind::status(503)));
        world.inject(Fault::nth(5, FaultKind::html(502)));
        world.inject(Fault::nth(6, FaultKind::ResetInBody));
    }
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.failure()),
        (Outcome::Failed, Some(Failure::Other))
    );
    let newest = "select count(*) from smartassist_sync.windows, smartassist_sync.accounts \
                  where status = 'failed' and lower(range) = watermark and upper(range) = '2026-01-15 11:58Z'";
    assert_eq!(
        database.number(newest).await,
        1,
        "the watermark is before the hole"
    );
    let failed = "select count(*) from smartassist_sync.windows where status = 'failed'";
    assert_eq!(database.number(failed).await, 1);
    assert!(report.watermark > Some(instant("2026-01-14T11:58:00Z")));

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
    let mut setup = Setup::start().await;
    // Half a year of windows.
    setup.set("start_from", "2025-07-15");
    setup.set("max_retries", "1");
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::status(500)));
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Failed);
    // Three that failed, and what was on its way then.
    assert!((3..=5).contains(&report.counters.windows), "{report:?}");
    assert!(report.counters.requests <= 10, "{report:?}");
}

#[tokio::test]
async fn an_api_that_refuses_us_ends_the_run_at_once() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(10).await;
    setup.set("client_secret", "another-secret-0123456789abcdef-");
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.failure()),
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
        .unwrap()
        .lease;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Skipped);
    lease.release(&database.pool, &[]).await.unwrap();
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
}

// Several threads, since the theft blocks one of them, and waits for a window that is being stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_whose_lease_was_taken_writes_nothing_more() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup.simulator.world().limits.max_days = 1;
    // Among a few windows, the lease passes to another worker.
    let options = (*database.pool.options()).clone();
    setup.simulator.world().before_request(8, move |_| {
        let steal = "update smartassist_sync.leases set token = token + 1, holder = 'thief', \
                     expires_at = now() + interval '1 hour'; \
                     create table public.at_theft as select \
                     (select count(*) from smartassist_sync.windows) as windows, \
                     (select count(*) from smartassist.sessions) as sessions";
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                use sqlx::Connection;
                let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
                sqlx::raw_sql(steal).execute(&mut connection).await.unwrap();
            });
        })
        .join()
        .unwrap();
    });
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Interrupted);
    let windows = database.number("select windows from public.at_theft").await;
    let sessions = database.number("select sessions from public.at_theft").await;
    assert!(windows >= 4 && sessions > 0, "{windows} {sessions}");
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.windows")
            .await,
        windows
    );
    assert_eq!(
        database
            .number("select max(token) from smartassist_sync.windows")
            .await,
        1
    );
    assert_eq!(database.counts().await[0], sessions);
}

#[tokio::test]
async fn a_statement_that_fails_leaves_nothing_of_its_window() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    database
        .execute(
            "create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'no tags'; end $$; \
             create trigger refuses after insert on smartassist.tags for each statement execute function public.refuse()",
        )
        .await;
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.failure()),
        (Outcome::Failed, Some(Failure::Other))
    );
    assert_eq!(database.counts().await, [0; 7]);
    assert_eq!(report.watermark, Some(instant("2026-01-01T00:00:00Z")));
    database.execute("drop trigger refuses on smartassist.tags").await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await[0], 300);
}

#[tokio::test]
async fn a_record_refused_by_the_database_fails_only_its_window() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup.simulator.world().limits.max_days = 1;
    database
        .execute(
            "alter table smartassist.sessions add constraint refuses \
             check (session_started_at not between '2026-01-05Z' and '2026-01-06Z')",
        )
        .await;
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.failure()),
        (Outcome::Failed, Some(Failure::Other))
    );
    let failed = "select min(error) from smartassist_sync.windows where status = 'failed'";
    assert!(database.text(failed).await.contains("violates check constraint"));
    let elsewhere = "select count(*) from smartassist_sync.windows where status = 'failed' \
                     and not range && '[2026-01-05Z,2026-01-06Z]'::tstzrange";
    assert_eq!(database.number(elsewhere).await, 0);
    let uncovered = "select count(*) from smartassist_sync.accounts where coverage <> \
                     tstzmultirange(tstzrange(start_from, '2026-01-15 11:58Z')) - (select range_agg(range) \
                     from smartassist_sync.windows where status = 'failed')";
    assert_eq!(
        database.number(uncovered).await,
        0,
        "all windows beside them are loaded"
    );
    let watermark = "select count(*) from smartassist_sync.accounts where watermark = \
                     (select min(lower(range)) from smartassist_sync.windows where status = 'failed')";
    assert_eq!(database.number(watermark).await, 1);
    let near = "select (upper(range_agg(range)) - lower(range_agg(range)) <= interval '3 days')::int::bigint \
                from smartassist_sync.windows where status = 'failed'";
    assert_eq!(database.number(near).await, 1);
}

#[tokio::test]
async fn a_refused_request_is_not_repeated_for_every_window() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::status(404)));
    let report = setup.sync(&database).await;
    // A week in halves down to a day; then what is newest is refused too, so all is.
    assert_eq!(report.outcome, Outcome::Failed);
    assert!((4..=6).contains(&report.counters.requests), "{report:?}");
}

#[tokio::test]
async fn the_ledger_of_a_failed_window_says_what_it_cost() {
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
    let mut setup = Setup::with_interactions(1_500).await;
    setup.set("requests_per_minute", "28");
    let mut first = setup.worker(&database.pool);
    first.holder = "first".to_owned();
    let stop = CancellationToken::new();
    let spent = first.run(&Job::Sync, &stop).await.counters.requests;
    // 1,500 records are 15 pages at least, so there is not room for two loads.
    assert!((15..28).contains(&spent), "{spent}");
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    let second = setup.worker(&database.pool);
    let requests = || setup.simulator.world().requests().count();
    tokio::select! {
        second = second.run(&Job::Sync, &stop) => panic!("it did not wait for the minute to pass: {second:?}"),
        () = async {
            wait::until("the minute's requests to be spent", async || {
                let requests = requests();
                if requests >= 28 { Ok(()) } else { Err(requests) }
            })
            .await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        } => {}
    }
    assert_eq!(requests(), 28);
}

#[tokio::test]
async fn what_blocks_the_newest_end_does_not_keep_the_oldest_away() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(300).await;
    setup.set("start_from", "2025-10-01");
    setup.set("max_retries", "0");
    {
        let mut world = setup.simulator.world();
        let (from, to) = (instant("2025-10-01T00:00:00Z"), instant("2025-12-20T00:00:00Z"));
        world.seed(&Seed::new(8, from, to, 200));
        world.inject(Fault::times(2, FaultKind::status(500)));
    }
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Failed);
    let failed = "select count(*) from smartassist_sync.windows where status = 'failed'";
    assert_eq!(database.number(failed).await, 2);
    let after_the_failure = setup.simulator.world().requests().nth(1).unwrap().start;
    assert!(
        after_the_failure < Some(instant("2025-11-24T00:00:00Z")),
        "what comes after a failure is older than the middle: {after_the_failure:?}"
    );
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await[0], 500);
}
