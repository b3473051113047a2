//! A backfill beside a live daemon: they share an account, its lease and its request budget, and
//! nothing else.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Program, Setup, TestDatabase, days_ago, instant, real_now};

use crate::support::daemon::environment;

/// The API's limit, and that of the account in both processes.
async fn limited(setup: &mut Setup, database: &TestDatabase, per_minute: u32) -> HashMap<String, String> {
    setup.simulator.world().limits.requests_per_minute = Some(per_minute);
    setup.set("requests_per_minute", &per_minute.to_string());
    let (mut environment, _) = environment(setup, database).await;
    environment.insert(
        "SMARTASSIST_ETL__SYNC__POLL".to_owned(),
        "*/5 * * * * *".to_owned(),
    );
    environment
}

fn finished(log: &[String], kind: &str) -> Vec<Value> {
    let events = log
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events
        .filter(|event| event["message"] == "run finished" && event["kind"] == kind)
        .collect()
}

fn at(event: &Value) -> DateTime<Utc> {
    instant(event["timestamp"].as_str().unwrap())
}

/// Backfills 30 to 23 days ago while a daemon polls. Gives the log of both.
async fn side_by_side(environment: &HashMap<String, String>, extra: &[&str]) -> (Vec<String>, Vec<String>) {
    let mut daemon = Program::start(&["run"], environment);
    daemon.event("run finished").await;
    let (from, to) = (days_ago(30), days_ago(23));
    let arguments = [&["backfill", "--from", &from, "--to", &to], extra].concat();
    let backfill = Program::start(&arguments, environment);
    // Whoever has the account reads it.
    daemon.finished_as("backfill", "succeeded").await;
    let backfill = backfill.ended().await;
    assert_eq!(backfill.code(), 0, "{}", backfill.log.join("\n"));
    daemon.signal(Signal::SIGTERM);
    let daemon = daemon.ended().await;
    assert_eq!(daemon.code(), 0, "{}", daemon.log.join("\n"));
    (daemon.log, backfill.log)
}

#[tokio::test]
async fn polls_go_on_within_seconds_while_a_dense_past_is_backfilled() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.seed_days(11, 30, 23, 12_000);
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    setup.simulator.world().behaviour.latency = Duration::from_millis(300);
    let environment = limited(&mut setup, &database, 600).await;
    let began = real_now();
    let (daemon, backfill) = side_by_side(&environment, &[]).await;
    assert_eq!(database.counts().await[0], 12_005);
    assert_eq!(setup.simulator.world().counters().rate_limited, 0);

    let runs = finished(&daemon, "backfill");
    assert_eq!(
        finished(&backfill, "backfill"),
        [] as [Value; 0],
        "it only watches"
    );
    let mut polls = finished(&daemon, "poll");
    // The daemon was told to end, maybe while it polled.
    polls.pop_if(|last| last["outcome"] == "interrupted");
    assert!(
        polls.iter().all(|poll| poll["outcome"] == "succeeded"),
        "{polls:?}"
    );
    let ends = std::iter::once(began)
        .chain(polls.iter().map(at))
        .chain([at(&runs[runs.len() - 1])]);
    let ends: Vec<_> = ends.collect();
    let longest = ends.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    // A poll comes every five seconds, and its pages go before those of the backfill.
    assert!(
        longest < TimeDelta::seconds(20),
        "no poll for {longest}: {polls:?}"
    );
}

#[tokio::test]
async fn two_processes_together_never_ask_more_than_the_api_allows() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.seed_days(12, 30, 23, 7_000);
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let environment = limited(&mut setup, &database, 60).await;
    let began = Instant::now();
    let (_, backfill) = side_by_side(&environment, &[]).await;
    assert!(
        began.elapsed() > Duration::from_secs(55),
        "there was a budget to be used up"
    );
    assert_eq!(setup.simulator.world().counters().rate_limited, 0);
    assert_eq!(database.counts().await[0], 7_005);

    let progress = backfill
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["message"] == "progress");
    let lines: Vec<Value> = progress.collect();
    assert!(lines.len() >= 2, "{}", backfill.join("\n"));
    // One every ten seconds; one that comes late does not put off the next.
    let first = at(&serde_json::from_str(&backfill[0]).unwrap());
    for (line, number) in lines.iter().zip(1..) {
        assert!(at(line) - first > TimeDelta::seconds(10 * number), "{lines:?}");
    }
    for two in lines.windows(2) {
        assert!(
            two[0]["requests"].as_u64() <= two[1]["requests"].as_u64(),
            "{lines:?}"
        );
    }
    for line in &lines {
        assert_eq!(line["account"], "main");
        let (left, eta) = (line["requests_left"].as_u64(), line["eta_seconds"].as_u64());
        assert!(
            eta.unwrap() >= left.unwrap(),
            "one request a second is allowed: {line}"
        );
    }
}
