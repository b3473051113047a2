//! PostgreSQL in trouble: loading goes on by itself, and the tables are as if nothing had been.

use std::time::Duration;

use smartassist_etl::config::{Config, SessionConfig};
use smartassist_etl::ledger::problems::Failure;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::postgres::Pool;
use smartassist_etl::sync::{AccountContext, RunReport};
use smartassist_simulator::Seed;
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use super::proxy::{Harm, Proxy};
use super::watch;
use crate::support::wait::PATIENCE;
use crate::support::{Job, Runs, Setup, TestDatabase, database, instant};

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn session() -> SessionConfig {
    let config = Config::from_layers(None, std::collections::HashMap::new()).unwrap();
    config.database.session
}

/// A database that is watched, and an account of several windows.
pub(super) async fn start() -> (TestDatabase, Setup) {
    let database = TestDatabase::migrated().await;
    watch::install(&database).await;
    let setup = Setup::with_interactions(300).await;
    setup.simulator.world().limits.max_days = 1;
    (database, setup)
}

pub(super) async fn run(worker: &AccountContext) -> RunReport {
    worker.run(&Job::Sync, &CancellationToken::new()).await
}

/// What is done to the fourth window by this statement of a trigger, at its first row or at COMMIT.
async fn at_the_fourth_window(database: &TestDatabase, at_commit: bool, statement: &str) {
    let (kind, when) = if at_commit {
        ("constraint trigger", "deferrable initially deferred")
    } else {
        ("trigger", "")
    };
    database
        .execute(&format!(
            "create sequence public.windows; \
             create function public.harm() returns trigger language plpgsql as $$ begin \
             if new.status = 'drained' and nextval('public.windows') = 4 then {statement}; end if; return null; end $$; \
             create {kind} harm after insert on smartassist_sync.windows {when} for each row \
             execute function public.harm();"
        ))
        .await;
}

/// The run fails at the fourth window, and the same worker's next run makes it good.
async fn fails_once_and_goes_on(database: &TestDatabase, setup: &Setup) -> RunReport {
    let worker = setup.worker(&database.pool);
    let failed = run(&worker).await;
    assert_eq!(failed.outcome, Outcome::Failed);
    assert!(failed.counters.inserted > 0);
    let again = run(&worker).await;
    assert_eq!(again.outcome, Outcome::Succeeded);
    all_is_well(database, setup).await;
    failed
}

pub(super) async fn all_is_well(database: &TestDatabase, setup: &Setup) {
    watch::check(database).await;
    watch::same_as_a_fresh_load(setup, database).await;
}

#[tokio::test]
async fn a_backend_killed_within_a_window_fails_only_that_window() {
    let (database, setup) = start().await;
    let kill = "perform pg_terminate_backend(pg_backend_pid())";
    at_the_fourth_window(&database, false, kill).await;
    let failed = fails_once_and_goes_on(&database, &setup).await;
    assert_eq!(failed.failure(), Some(Failure::DatabaseUnreachable));
}

#[tokio::test]
async fn a_backend_killed_during_commit_fails_only_that_window() {
    let (database, setup) = start().await;
    let kill = "perform pg_terminate_backend(pg_backend_pid())";
    at_the_fourth_window(&database, true, kill).await;
    let failed = fails_once_and_goes_on(&database, &setup).await;
    assert_eq!(failed.failure(), Some(Failure::DatabaseUnreachable));
}

#[tokio::test]
async fn an_error_within_commit_is_never_reported_as_committed() {
    let (database, setup) = start().await;
    at_the_fourth_window(
        &database,
        true,
        "raise exception 'refused' using errcode = 'XX000'",
    )
    .await;
    let failed = fails_once_and_goes_on(&database, &setup).await;
    let stored = "select sum(inserted)::bigint from smartassist_sync.windows where run_id = 1";
    assert_eq!(
        u64::try_from(database.number(stored).await).unwrap(),
        failed.counters.inserted
    );
}

/// A worker whose connections go through a proxy.
async fn behind_proxy(
    database: &TestDatabase,
    setup: &Setup,
    session: &SessionConfig,
) -> (AccountContext, Proxy) {
    let server = database::server().await.options();
    let proxy = Proxy::before(server.get_port()).await;
    let pool = Pool::new(server.database(&database.name).port(proxy.port), session);
    (setup.worker(&pool), proxy)
}

#[tokio::test]
async fn a_connection_lost_during_commit_duplicates_nothing() {
    for harm in [Harm::CutAfterCommit, Harm::CutBeforeCommit] {
        // Commits of opening runs and of windows; some are of single statements.
        for spare in [0, 3, 8, 12] {
            let (database, setup) = start().await;
            let (worker, proxy) = behind_proxy(&database, &setup, &session()).await;
            proxy.harm(harm, spare);
            let first = run(&worker).await;
            assert_eq!(proxy.done(), 1, "{harm:?} {spare}");
            let again = run(&worker).await;
            assert_eq!(
                again.outcome,
                Outcome::Succeeded,
                "{harm:?} {spare} after {first:?}"
            );
            all_is_well(&database, &setup).await;
        }
    }
}

#[tokio::test]
async fn a_database_that_falls_silent_is_given_up_and_asked_anew() {
    let (database, setup) = start().await;
    let quick = SessionConfig {
        statement_timeout: SECOND,
        ..session()
    };
    let (worker, proxy) = behind_proxy(&database, &setup, &quick).await;
    proxy.harm(Harm::FallSilent, 8);
    let silent = tokio::time::timeout(PATIENCE, run(&worker)).await.unwrap();
    assert_eq!(
        (silent.outcome, silent.failure()),
        (Outcome::Failed, Some(Failure::DatabaseUnreachable))
    );
    // The lease is this worker's own, and what hangs hangs on one connection.
    assert_eq!(run(&worker).await.outcome, Outcome::Succeeded);
    all_is_well(&database, &setup).await;
}

#[tokio::test]
async fn a_run_dropped_at_any_moment_leaves_no_open_transaction() {
    let (database, setup) = start().await;
    for step in 0..60_u64 {
        let worker = setup.worker(&database.pool);
        // A run without a fault takes longer than the longest of these.
        let _ = tokio::time::timeout(Duration::from_millis(3 * step), run(&worker)).await;
    }
    let open = "select count(*) from pg_stat_activity where datname = current_database() \
                and state like 'idle in transaction%'";
    database
        .until("the end of all transactions", open, |open| open == 0)
        .await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    all_is_well(&database, &setup).await;
}

#[tokio::test]
async fn a_begin_dropped_half_way_leaves_no_open_transaction() {
    let database = TestDatabase::migrated().await;
    let pool = Pool::new((*database.pool.options()).clone(), &session());
    let open = "select count(*) from pg_stat_activity where datname = current_database() \
                and state = 'idle in transaction'";
    for polls in (0..20).flat_map(|polls| [polls; 5]) {
        // A connection that is there already, so that it does not begin with making one.
        drop(pool.begin().await.unwrap());
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut beginning = Box::pin(pool.begin());
        for _ in 0..polls {
            if futures_util::poll!(&mut beginning).is_ready() {
                break;
            }
            // Time enough for the server to answer something.
            std::thread::sleep(Duration::from_micros(50));
            tokio::task::yield_now().await;
        }
        drop(beginning);
        let what = format!("the end of a transaction that was polled {polls} times");
        database.until(&what, open, |open| open == 0).await;
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let (database, setup) = start().await;
    at_the_fourth_window(&database, false, "perform pg_sleep(60)").await;
    let quick = SessionConfig {
        statement_timeout: SECOND,
        ..session()
    };
    let options = (*database.pool.options()).clone();
    let worker = setup.worker(&Pool::new(options, &quick));
    let failed = run(&worker).await;
    assert_eq!(
        (failed.outcome, failed.failure()),
        (Outcome::Failed, Some(Failure::Other))
    );
    let error = database
        .text("select error from smartassist_sync.runs where status = 'failed'")
        .await;
    assert!(error.contains("statement timeout"), "{error}");
    assert_eq!(run(&worker).await.outcome, Outcome::Succeeded);
    all_is_well(&database, &setup).await;
}

#[tokio::test]
async fn a_serialization_failure_is_tried_again_at_once() {
    let (database, setup) = start().await;
    at_the_fourth_window(
        &database,
        false,
        "raise exception 'conflict' using errcode = '40001'",
    )
    .await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    all_is_well(&database, &setup).await;
}

#[tokio::test]
async fn a_deadlock_is_tried_again_at_once() {
    let (database, setup) = start().await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    setup.simulator.world().mutate_some(5, 1.0);
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'; truncate public.seen")
        .await;
    // Another transaction holds a row that a window wants, and then wants what the window holds. It
    // waits for longer than we do before it looks for deadlocks, so that it is we who are ended.
    let mut other = sqlx::PgConnection::connect_with(&database.pool.options())
        .await
        .unwrap();
    let hold = "set deadlock_timeout = '20s'; begin; select from smartassist.sessions for update";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();
    let (report, ()) = tokio::join!(setup.sync(&database), async {
        database.until_a_lock_is_waited_for().await;
        let want = "select from smartassist_sync.accounts for update; commit";
        sqlx::raw_sql(want).execute(&mut other).await.unwrap();
    });
    assert_eq!(report.outcome, Outcome::Succeeded);
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    database
        .until("a deadlock", deadlocks, |deadlocks| deadlocks > 0)
        .await;
    assert!(report.counters.updated > 0);
    watch::check(&database).await;
}

#[tokio::test]
async fn a_lock_timeout_fails_the_run_and_the_next_one_succeeds() {
    let (database, setup) = start().await;
    let mut other = sqlx::PgConnection::connect_with(&database.pool.options())
        .await
        .unwrap();
    let hold = "begin; lock table smartassist.tags in access exclusive mode";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();
    let quick = SessionConfig {
        lock_timeout: SECOND,
        ..session()
    };
    let worker = setup.worker(&Pool::new((*database.pool.options()).clone(), &quick));
    let failed = run(&worker).await;
    assert_eq!(failed.outcome, Outcome::Failed);
    let error = database
        .text("select error from smartassist_sync.runs where status = 'failed'")
        .await;
    assert!(error.contains("lock timeout"), "{error}");
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    assert_eq!(run(&worker).await.outcome, Outcome::Succeeded);
    all_is_well(&database, &setup).await;
}

#[tokio::test]
async fn an_exhausted_pool_is_a_clear_error_and_never_a_deadlock() {
    let (database, setup) = start().await;
    let two = SessionConfig {
        max_connections: 2,
        connect_timeout: SECOND,
        ..session()
    };
    let pool = Pool::new((*database.pool.options()).clone(), &two);
    let held = [pool.begin().await.unwrap(), pool.begin().await.unwrap()];
    let worker = setup.worker(&pool);
    let failed = run(&worker).await;
    let problem = failed.problem.as_ref().unwrap();
    assert_eq!(
        (failed.outcome, failed.failure()),
        (Outcome::Failed, Some(Failure::Other)),
        "the database is there"
    );
    assert!(problem.remedy.contains("database.max_connections"), "{problem:?}");
    drop(held);
    assert_eq!(run(&worker).await.outcome, Outcome::Succeeded);
    all_is_well(&database, &setup).await;
}

#[tokio::test]
async fn more_accounts_than_connections_all_complete() {
    let database = TestDatabase::migrated().await;
    let two = SessionConfig {
        max_connections: 2,
        ..session()
    };
    let pool = Pool::new((*database.pool.options()).clone(), &two);
    let mut accounts = Vec::new();
    for id in ["acct-1", "acct-2", "acct-3", "acct-4", "acct-5"] {
        let setup = Setup::of(id).await;
        let (from, to) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
        setup.simulator.world().seed(&Seed::new(9, from, to, 400));
        accounts.push((setup.worker(&pool), setup));
    }
    let runs = accounts.iter().map(|(worker, _)| run(worker));
    for report in futures_util::future::join_all(runs).await {
        assert_eq!(
            (report.outcome, report.counters.inserted),
            (Outcome::Succeeded, 400)
        );
    }
}

#[tokio::test]
async fn loading_continues_once_a_full_disk_has_room_again() {
    let (database, setup) = start().await;
    let full = "raise exception 'could not extend file: No space left on device' using errcode = '53100'";
    at_the_fourth_window(&database, false, full).await;
    let failed = fails_once_and_goes_on(&database, &setup).await;
    assert_eq!(failed.failure(), Some(Failure::Other));
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_and_nothing_is_half_written() {
    let (database, setup) = start().await;
    let user = format!("limited_{}", database.name);
    database
        .execute(&format!(
            "create role {user} login password 'limited'; \
             grant usage on schema smartassist, smartassist_sync, public to {user}; \
             grant all on all tables in schema smartassist, smartassist_sync, public to {user}; \
             grant all on all sequences in schema smartassist_sync to {user}; \
             grant execute on all functions in schema smartassist_sync to {user}; \
             revoke insert on smartassist.tags from {user}"
        ))
        .await;
    let options = (*database.pool.options())
        .clone()
        .username(&user)
        .password("limited");
    let worker = setup.worker(&Pool::new(options, &session()));
    let failed = run(&worker).await;
    assert_eq!(failed.outcome, Outcome::Failed);
    let error = database
        .text("select error from smartassist_sync.runs where status = 'failed'")
        .await;
    assert!(error.contains("permission denied for table tags"), "{error}");
    assert_eq!(database.counts().await, [0; 7]);
    database
        .execute(&format!("grant insert on smartassist.tags to {user}"))
        .await;
    assert_eq!(run(&worker).await.outcome, Outcome::Succeeded);
    all_is_well(&database, &setup).await;
}
