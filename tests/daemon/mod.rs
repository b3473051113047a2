//! The daemon as operators run it: the real program, signals, HTTP.

mod backfill;
mod canary;
mod debug_lines;
mod idle;
mod log;
mod time_zone;

use std::time::Duration;

use chrono::TimeDelta;
use nix::sys::signal::Signal;
use smartassist_etl::ledger::leases;
use smartassist_simulator::{Fault, FaultKind};

use crate::support::daemon::{environment, get, until_answer};
use crate::support::wait::Stopwatch;
use crate::support::{Program, Setup, TestDatabase, port};

#[tokio::test]
async fn an_interaction_that_appears_is_in_the_tables_within_a_poll() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let (environment, _) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    assert_eq!(daemon.event("run finished").await["inserted"], 5);

    let (new, watch) = (
        setup.simulator.world().arrive(1, TimeDelta::zero()),
        Stopwatch::start(),
    );
    let arrived = daemon
        .event_that("a run that inserts it", |event| event["inserted"] == 1)
        .await;
    // Settled after a second, polled after another, and a third for slow machines.
    assert!(watch.elapsed() < Duration::from_secs(5), "{:?}", watch.elapsed());
    let found = format!(
        "select count(*) from smartassist.sessions where session_id = '{}'",
        new[0]
    );
    assert_eq!(database.number(&found).await, 1);
    // It began in a second, settled for a second, and the API tells its time in whole ones.
    let missed = format!(
        "select count(*) from smartassist_sync.runs where id < {} and started_at >= \
         (select session_started_at + interval '3 seconds' from smartassist.sessions where session_id = '{}')",
        arrived["spans"][0]["run_id"], new[0]
    );
    assert_eq!(database.number(&missed).await, 0, "polls that did not find it");

    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
}

#[tokio::test]
async fn sigterm_in_the_middle_of_a_window_ends_the_daemon_in_order() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(50, TimeDelta::hours(3));
    let never = setup.hold_answers();
    let (mut environment, _) = environment(&setup, &database).await;
    // Nobody here waits for that long: it has to end by itself, and lets the window go that is being fetched.
    environment.insert(
        "SMARTASSIST_ETL__SYNC__SHUTDOWN_SECONDS".to_owned(),
        "3600".to_owned(),
    );
    let daemon = Program::start(&["run"], &environment);
    setup.until_in_flight(1).await;
    daemon.signal(Signal::SIGTERM);
    let ended = daemon.ended().await;
    assert_eq!(ended.code(), 0);
    assert!(!never.is_cancelled());
    assert_eq!(ended.events("run finished")[0]["outcome"], "interrupted");
    assert_eq!(
        database.text("select status from smartassist_sync.runs").await,
        "interrupted"
    );
    assert_eq!(database.counts().await[0], 0);
}

#[tokio::test]
async fn sigkill_in_the_middle_of_a_load_leaves_nothing_half_done() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    for hours in 1..40 {
        setup.simulator.world().arrive(20, TimeDelta::hours(hours));
    }
    let (mut environment, _) = environment(&setup, &database).await;
    environment.insert("SMARTASSIST_ETL__SYNC__LEASE_SECONDS".to_owned(), "3".to_owned());
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("window drained").await;
    daemon.signal(Signal::SIGKILL);
    drop(daemon);
    let again = Program::run(&["sync"], &environment).await;
    assert_eq!(again.code(), 0, "{}", again.log.join("\n"));
    assert_eq!(database.counts().await[0], 780);
}

#[tokio::test]
async fn health_readiness_and_metrics_are_served() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let (environment, port) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    assert_eq!(get(port, "/healthz").await.0, 200);
    let ready = r#"{"status":"ready"}"#;
    assert_eq!(until_answer(port, "/readyz", 200, ready).await, ready);
    let (status, page) = get(port, "/").await;
    assert_eq!(status, 200);
    assert!(page.contains("All data is complete"), "{page}");
    let (_, metrics) = get(port, "/metrics").await;
    for line in [
        r#"smartassist_etl_records_total{account="main",result="inserted"} 5"#,
        r#"smartassist_etl_requests_total{account="main",outcome="ok"} "#,
        r#"smartassist_etl_watermark_timestamp_seconds{account="main"} "#,
        "# TYPE smartassist_etl_run_duration_seconds histogram",
    ] {
        assert!(metrics.contains(line), "no {line} in:\n{metrics}");
    }
    let health = Program::run(&["healthcheck"], &environment).await;
    assert_eq!(health.code(), 0, "{}", health.last_word());
    // It is as alive as before while its configuration is being edited.
    let mut edited = environment.clone();
    edited.insert("SMARTASSIST_ETL__SYNC__POLL".to_owned(), "never".to_owned());
    edited.insert(
        "SMARTASSIST_ETL__HTTP__TOKEN_FILE".to_owned(),
        "/is/not/there".to_owned(),
    );
    assert_eq!(Program::run(&["status"], &edited).await.code(), 2);
    assert_eq!(Program::run(&["healthcheck"], &edited).await.code(), 0);
    daemon.signal(Signal::SIGINT);
    assert_eq!(daemon.ended().await.code(), 0);
    let health = Program::run(&["healthcheck"], &environment).await;
    assert_eq!(health.code(), 1);
    assert!(
        health.last_word().contains("no live daemon at"),
        "{}",
        health.last_word()
    );
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_waited_for() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (mut environment, port) = environment(&setup, &database).await;
    environment.insert(
        "DATABASE_URL".to_owned(),
        format!("postgres://nobody@{}/none", port::closed()),
    );
    environment.insert(
        "SMARTASSIST_ETL__DATABASE__CONNECT_TIMEOUT_SECONDS".to_owned(),
        "1".to_owned(),
    );
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("waiting for the database").await;
    assert_eq!(get(port, "/healthz").await.0, 200);
    let (status, body) = get(port, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("not open"), "{body}");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
}

#[tokio::test]
async fn a_daemon_whose_api_was_away_catches_up_by_itself() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("max_retries", "0");
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    setup
        .simulator
        .world()
        .inject(Fault::times(4, FaultKind::ResetBeforeResponse));
    let (environment, _) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    assert_eq!(daemon.event("run finished").await["outcome"], "failed");
    daemon.finished_as("poll", "succeeded").await;
    assert_eq!(database.counts().await[0], 5);
}

#[tokio::test]
async fn the_account_of_a_dead_worker_is_taken_over_after_its_lease() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let (mut environment, _) = environment(&setup, &database).await;
    environment.insert("SMARTASSIST_ETL__SYNC__POLL".to_owned(), "0 0 0 1 1 *".to_owned());
    environment.insert("SMARTASSIST_ETL__SYNC__LEASE_SECONDS".to_owned(), "3".to_owned());
    let lasts = Duration::from_secs(600);
    leases::acquire(&database.pool, "acct-sim", "dead", lasts)
        .await
        .unwrap()
        .unwrap();
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("another worker has the account, standing by").await;
    database
        .execute("update smartassist_sync.leases set expires_at = clock_timestamp()")
        .await;
    assert_eq!(daemon.finished_as("poll", "succeeded").await["inserted"], 5);
}
