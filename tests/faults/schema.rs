//! The schema and the sync state: what is not as it should be is refused, and can be repaired.

use std::sync::Arc;

use chrono::TimeDelta;
use smartassist_etl::config::Cron;
use smartassist_etl::ledger::LoadError;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::postgres::migrate;
use smartassist_etl::sync;
use smartassist_etl::time::Window;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::postgres::start;
use super::watch;
use crate::support::{Job, Runs, TestDatabase, instant, wait};

#[tokio::test]
async fn a_failed_migration_leaves_nothing_and_can_be_run_again() {
    let database = TestDatabase::empty().await;
    // The last but a few of the migrations meets something in its way.
    database
        .execute("create schema smartassist_bi; create view smartassist_bi.interactions as select 1 as mine")
        .await;
    let error = migrate(&database.pool).await.unwrap_err();
    assert!(!error.is_passing(), "{error}");
    let ours = "select count(*) from pg_class as class join pg_namespace as schema on schema.oid = class.relnamespace \
                where schema.nspname in ('smartassist', 'smartassist_sync')";
    assert_eq!(database.number(ours).await, 0, "{error}");
    database.execute("drop schema smartassist_bi cascade").await;
    migrate(&database.pool).await.unwrap();
}

#[tokio::test]
async fn impossible_sync_state_is_refused_and_can_be_repaired() {
    let (database, setup) = start().await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    let wrong = [
        (
            "coverage = coverage + '{[2026-01-15Z,2999-01-01Z)}'",
            "in the future",
        ),
        (
            "coverage = coverage + '{[2024-01-01Z,2024-02-01Z)}'",
            "no window of the ledger",
        ),
        ("start_from = '2998-01-01Z'", "wanted from"),
    ];
    for (edit, said) in wrong {
        database
            .execute(&format!("update smartassist_sync.accounts set {edit}"))
            .await;
        let requests = setup.simulator.world().requests().count();
        let refused = setup.sync(&database).await;
        assert_eq!(refused.outcome, Outcome::Failed, "{edit}");
        let day = Window::new(instant("2026-01-10T00:00:00Z"), instant("2026-01-11T00:00:00Z"));
        let backfill = Job::Backfill {
            range: day,
            refetch: false,
        };
        let asked = setup
            .worker(&database.pool)
            .run(&backfill, &CancellationToken::new())
            .await;
        assert_eq!(asked.problem.unwrap().code, "sync_state", "{edit}");
        assert_eq!(
            setup.simulator.world().requests().count(),
            requests,
            "nothing is asked for"
        );
        let error = smartassist_etl::ledger::accounts::check(&database.pool, "acct-sim").await;
        let Err(error @ LoadError::Impossible(_)) = error else {
            panic!("{edit}: {error:?}")
        };
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.remedy().contains("mend_coverage"), "{}", error.remedy());
        database
            .execute("select smartassist_sync.mend_coverage('acct-sim')")
            .await;
        assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded, "{edit}");
    }
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn every_poll_checks_the_sync_state() {
    let (database, setup) = start().await;
    let (mut worker, stop) = (setup.worker(&database.pool), CancellationToken::new());
    let config = Arc::make_mut(&mut worker.sync);
    (config.poll, config.refresh) = (Cron::parse("0 * * * * *").unwrap(), Vec::new());
    let wake = Arc::<Notify>::default();
    let serving = tokio::spawn(sync::serve(worker.clone(), Arc::clone(&wake), stop.clone()));
    let polls = "select count(*) from smartassist_sync.runs where status = 'succeeded'";
    database.until("a poll", polls, |polls| polls == 1).await;
    database
        .execute("update smartassist_sync.accounts set coverage = coverage + '{[2024-01-01Z,2024-02-01Z)}'")
        .await;
    setup.pass(TimeDelta::minutes(5));
    wake.notify_one();
    let refused = wait::until("the problem of the sync state", async || {
        worker.health().problem().ok_or("nothing is wrong")
    })
    .await;
    assert!(refused.text.contains("no window of the ledger"), "{refused:?}");
    stop.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn compared_windows_prove_no_coverage() {
    let (database, setup) = start().await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    database
        .execute(
            "insert into smartassist_sync.windows (account_id, run_id, range, purpose, status, token) \
             select account_id, run_id, '[2024-01-01Z,2024-02-01Z)', 'verify', 'compared', token \
             from smartassist_sync.windows limit 1; \
             update smartassist_sync.accounts set coverage = coverage + '{[2024-01-01Z,2024-02-01Z)}'",
        )
        .await;
    let error = smartassist_etl::ledger::accounts::check(&database.pool, "acct-sim").await;
    assert!(matches!(error, Err(LoadError::Impossible(_))), "{error:?}");
    // And what lies in the future of the ledger, which a window of a clock that was ahead has drained.
    database
        .execute(
            "insert into smartassist_sync.windows (account_id, run_id, range, purpose, status, token) \
             select account_id, run_id, '[2026-01-15 11:58Z,2999-01-01Z)', 'new', 'drained', token \
             from smartassist_sync.windows limit 1; \
             update smartassist_sync.accounts set coverage = coverage + '{[2026-01-15 11:58Z,2999-01-01Z)}'; \
             select smartassist_sync.mend_coverage('acct-sim')",
        )
        .await;
    let ends = "select (extract(microseconds from upper(coverage)) % 1000000)::bigint from smartassist_sync.accounts";
    assert_eq!(database.number(ends).await, 0);
    let left = "select lower(coverage)::date::text from smartassist_sync.accounts";
    assert_eq!(database.text(left).await, "2026-01-01");
}
