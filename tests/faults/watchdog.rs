//! Who watches over runs ends what hangs, and nothing else.

use chrono::{NaiveDateTime, TimeDelta};
use smartassist_simulator::{Fault, FaultKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::kills::FAILPOINT;
use crate::support::daemon::{environment, get, until_answer};
use crate::support::{Program, Setup, TestDatabase, real_now};

const STALL: &str = "SMARTASSIST_ETL__SYNC__STALL_SECONDS";
const CRASHED: &str = "run crashed";

/// A daemon whose runs may be silent for two seconds loads all the same.
async fn loads(setup: &Setup, database: &TestDatabase) {
    let (mut environment, port) = environment(setup, database).await;
    environment.insert(STALL.to_owned(), "2".to_owned());
    let mut daemon = Program::start(&["run"], &environment);
    let first = daemon.finished("poll").await;
    assert_eq!(first["outcome"], "succeeded", "{}", daemon.log.join("\n"));
    assert!(!daemon.log.iter().any(|line| line.contains(CRASHED)));
    assert_eq!(database.counts().await[0], 5);
    until_answer(port, "/readyz", 200, "").await;
}

#[tokio::test]
async fn a_pause_that_the_api_asks_for_does_not_end_the_run() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let pause = FaultKind::retry_after(429, "6");
    setup.simulator.world().inject(Fault::next(pause));
    loads(&setup, &database).await;
}

#[tokio::test]
async fn a_budget_that_is_used_up_does_not_end_the_run() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    assert_eq!(setup.sync(&database).await.counters.inserted, 5);
    // All of a minute's requests were spent at once, by another process, some time ago.
    setup.set("requests_per_minute", "600");
    database
        .execute(
            "update smartassist_sync.windows set requests = 600, finished_at = now() - interval '53 seconds'; \
             update smartassist_sync.accounts set coverage = '{}'",
        )
        .await;
    loads(&setup, &database).await;
}

/// Passes connections on to the API, but for those that ask for a window which begins longer ago than
/// this: they are never answered.
async fn deaf_to_the_past(setup: &Setup, age: TimeDelta) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = setup.simulator.address();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 65_536];
                let mut length = 0;
                while !request[..length].ends_with(b"}") {
                    match client.read(&mut request[length..]).await {
                        Ok(more @ 1..) => length += more,
                        _ => return,
                    }
                }
                let text = String::from_utf8_lossy(&request[..length]).replacen(
                    "TP/1.1\r\n",
                    "TP/1.1\r\nconnection: close\r\n",
                    1,
                );
                let (_, start) = text.split_once(r#""startDate":""#).unwrap();
                let start = NaiveDateTime::parse_from_str(&start[..19], "%Y-%m-%d %H:%M:%S").unwrap();
                if real_now().naive_utc() - start > age {
                    return std::future::pending().await;
                }
                let mut server = TcpStream::connect(server).await.unwrap();
                server.write_all(text.as_bytes()).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_refresh_that_hangs_is_ended_while_polls_go_well() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    // All is read up to now, so that only a refresh asks for the past.
    setup.sync(&database).await;
    setup.set("base_url", &deaf_to_the_past(&setup, TimeDelta::hours(1)).await);
    setup.set("request_timeout_seconds", "3");
    setup.set("max_retries", "0");
    let (mut environment, port) = environment(&setup, &database).await;
    environment.insert(
        "SMARTASSIST_ETL__SYNC__REFRESH".to_owned(),
        r#"[{"every":"* * * * * *","lookback":"24h"}]"#.to_owned(),
    );
    let mut daemon = Program::start(&["run"], &environment);
    let hung = daemon.event("window failed, nothing of it is covered").await;
    let error = hung["error"].as_str().unwrap();
    assert!(error.contains("the API did not answer in time"), "{hung}");
    assert!(hung["remedy"].is_string(), "{hung}");
    assert_eq!(daemon.finished("poll").await["outcome"], "succeeded");
    let (_, metrics) = get(port, "/metrics").await;
    let failed = r#"smartassist_etl_windows_total{account="main",purpose="refresh",status="failed"} "#;
    assert!(metrics.contains(failed), "{metrics}");
    until_answer(port, "/readyz", 200, "").await;
}

#[tokio::test]
async fn a_run_that_panics_counts_as_one_that_failed() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (mut environment, port) = environment(&setup, &database).await;
    environment.insert("SMARTASSIST_ETL__SYNC__POLL".to_owned(), "0 0 0 1 1 *".to_owned());
    environment.insert(FAILPOINT.to_owned(), "run.leased=panic".to_owned());
    let mut daemon = Program::start(&["run"], &environment);
    assert_eq!(daemon.event(CRASHED).await["error"], "it panicked");
    let body = until_answer(port, "/readyz", 200, "its last poll failed").await;
    assert!(body.contains("report it"), "{body}");
    let (_, metrics) = get(port, "/metrics").await;
    let failed = r#"smartassist_etl_runs_total{account="main",kind="poll",outcome="failed"} 1"#;
    assert!(metrics.contains(failed), "{metrics}");
}
