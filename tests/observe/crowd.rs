//! Many connections at once: whoever holds them keeps nobody from being answered.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::daemon::{environment, get};
use crate::support::{Program, Setup, TestDatabase};

async fn daemon() -> (Program, u16, TestDatabase, Setup) {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (environment, port) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    (daemon, port, database, setup)
}

/// Asks for a path over and over, without waiting for answers, on one connection after the other.
async fn pipeline(port: u16, path: &str) {
    let requests = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(50);
    loop {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await else {
            continue;
        };
        let (mut answers, mut asking) = stream.into_split();
        let ask = async { while asking.write_all(requests.as_bytes()).await.is_ok() {} };
        let read = async {
            let mut buffer = [0; 8_192];
            while answers.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
        };
        tokio::join!(ask, read);
    }
}

#[tokio::test]
async fn busy_connections_keep_no_probe_from_being_answered() {
    let (_daemon, port, ..) = daemon().await;
    for path in ["/readyz", "/metrics", "/healthz", "/"] {
        let mut crowd = JoinSet::new();
        for _ in 0..64 {
            crowd.spawn(pipeline(port, path));
        }
        for probe in ["/healthz", "/readyz", "/healthz"] {
            let answer = timeout(Duration::from_secs(5), get(port, probe)).await;
            assert_eq!(
                answer.expect("no answer in five seconds").0,
                200,
                "{path} {probe}"
            );
        }
        crowd.shutdown().await;
    }
}

#[tokio::test]
async fn a_connection_ends_after_its_answer() {
    let (_daemon, port, ..) = daemon().await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
}
