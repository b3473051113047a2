//! What the network does wrong, from end to end.

use std::time::Duration;

use smartassist_simulator::FaultKind;

use super::garbage;
use super::trial::Trial;
use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase, wait};

#[tokio::test]
async fn reset_connections_and_truncated_bodies_are_retried() {
    for kind in [
        FaultKind::ResetBeforeResponse,
        FaultKind::ResetInBody,
        FaultKind::TruncatedWithLength,
        FaultKind::TruncatedWithoutLength,
    ] {
        let mut trial = Trial::of(Trial::now_and_then(kind)).await;
        trial.shows("request failed, trying again after a pause").await;
        trial.heals().await;
    }
}

#[tokio::test]
async fn an_answer_of_a_byte_a_second_runs_into_the_limit() {
    let drip = FaultKind::Drip(Duration::from_secs(1));
    let mut trial = Trial::of(smartassist_simulator::Fault::times(2, drip)).await;
    trial.is_told_as("did not answer in time", "transport").await;
    trial.heals().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_fails_its_window_alone() {
    for kind in [FaultKind::Huge(40 << 20), FaultKind::GzipBomb(60 << 20)] {
        let mut setup = Setup::live().await;
        setup.seed_days(17, 2, 0, 1_500);
        setup.set("max_response_mebibytes", "4");
        setup.set("max_retries", "1");
        setup
            .simulator
            .world()
            .inject(smartassist_simulator::Fault::times(2, kind));
        let mut trial = Trial::with(setup).await;
        trial.is_told_as("window failed", "too_large").await;
        trial.heals().await;
    }
}

#[tokio::test]
async fn an_api_that_is_not_there_is_found_once_it_is() {
    let mut setup = Setup::live().await;
    setup.seed_days(17, 2, 0, 300);
    setup.set("max_retries", "0");
    setup.set("base_url", "http://no-such-host.invalid");
    let mut trial = Trial::with(setup).await;
    trial.is_told_as("cannot connect to the API", "transport").await;
    trial.ends().await;
}

#[tokio::test]
async fn a_host_that_never_answers_a_connection_runs_into_the_limit() {
    let mut setup = Setup::live().await;
    setup.set("max_retries", "0");
    setup.set("connect_timeout_seconds", "1");
    // A backlog that is full: nobody accepts, and no further connection is let in.
    let listening = tokio::net::TcpSocket::new_v4().unwrap();
    listening.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listening.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let filling: Vec<_> = (0..20)
        .map(|_| {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            tokio::spawn(socket.connect(address))
        })
        .collect();
    // Linux lets one more in than the backlog is long.
    wait::until("a backlog that is full", async || {
        let connected = filling.iter().filter(|filling| filling.is_finished()).count();
        if connected >= 2 { Ok(()) } else { Err(connected) }
    })
    .await;
    setup.set("base_url", &format!("http://{address}"));
    let mut trial = Trial::with(setup).await;
    trial.shows("window failed").await;
    trial.ends().await;
    filling.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn what_is_not_http_is_asked_for_again() {
    let answers: [&[u8]; 7] = [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-without-end: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\n{\"a\":\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"analyticsData\":[]} and then rubbish that makes a page of nothing no page at all ......",
    ];
    let trials = answers.into_iter().map(async |answer| {
        let mut setup = Setup::live().await;
        setup.set("max_retries", "1");
        setup.seed_days(17, 2, 0, 300);
        let address = garbage::before(setup.simulator.address(), answer, 5).await;
        setup.set("base_url", &format!("http://{address}"));
        let mut trial = Trial::with(setup).await;
        trial.shows("request failed, trying again after a pause").await;
        trial.heals().await;
    });
    futures_util::future::join_all(trials).await;
}

#[tokio::test]
async fn a_proxy_variable_is_said_at_the_start() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("max_retries", "0");
    setup.set("base_url", "http://api.example.com");
    let (mut environment, _) = environment(&setup, &database).await;
    environment.insert("HTTP_PROXY".to_owned(), "http://127.0.0.1:9".to_owned());
    let ended = Program::run(&["sync"], &environment).await;
    let said = ended.events("requests to the API go through a proxy, as this variable says");
    assert_eq!(said[0]["variable"], "HTTP_PROXY");
    let failed = &ended.events("window failed, nothing of it is covered")[0];
    assert!(failed["remedy"].as_str().unwrap().contains("proxy"), "{failed}");
}
