//! Work of which nothing comes: those who watch from outside see it, and it mends itself.

use std::time::Duration;

use chrono::TimeDelta;
use smartassist_simulator::{Fault, FaultKind};

use crate::support::daemon::{environment, get, until_answer};
use crate::support::{Program, Setup, TestDatabase, wait};

const STALL: &str = "SMARTASSIST_ETL__SYNC__STALL_SECONDS";

async fn becomes(port: u16, status: u16, said: &str) {
    until_answer(port, "/readyz", status, said).await;
}

/// The metric's value.
async fn stalled_seconds(port: u16) -> f64 {
    let (_, metrics) = get(port, "/metrics").await;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(r#"smartassist_etl_stalled_seconds{account="main"} "#));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_api_that_is_down_for_too_long_is_a_stall_until_it_is_back() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("max_retries", "0");
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::status(500)));
    let (mut environment, port) = environment(&setup, &database).await;
    environment.insert(STALL.to_owned(), "3".to_owned());
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    becomes(port, 200, r#""status":"degraded""#).await;
    becomes(port, 503, r#""stalled":true"#).await;
    assert!(stalled_seconds(port).await >= 3.0);
    assert_eq!(get(port, "/healthz").await.0, 200);
    setup.simulator.world().clear_faults();
    becomes(port, 200, r#"{"status":"ready"}"#).await;
    wait::until("the stall to be over", async || {
        let seconds = stalled_seconds(port).await;
        if seconds < 3.0 { Ok(()) } else { Err(seconds) }
    })
    .await;
    assert_eq!(database.counts().await[0], 5);
}

#[tokio::test]
async fn an_api_that_hangs_fails_the_run_and_the_next_begins_anew() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("request_timeout_seconds", "2");
    setup.set("max_retries", "0");
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    setup.simulator.world().behaviour.latency = Duration::from_secs(60);
    let (mut environment, port) = environment(&setup, &database).await;
    environment.insert(STALL.to_owned(), "2".to_owned());
    let mut daemon = Program::start(&["run"], &environment);
    let hung = daemon.event("window failed, nothing of it is covered").await;
    let error = hung["error"].as_str().unwrap();
    assert!(error.contains("the API did not answer in time"), "{hung}");
    daemon.finished_as("poll", "failed").await;
    becomes(port, 503, "makes no progress").await;
    setup.simulator.world().behaviour.latency = Duration::ZERO;
    daemon.finished_as("poll", "succeeded").await;
    assert_eq!(database.counts().await[0], 5);
    becomes(port, 200, "ready").await;
}
