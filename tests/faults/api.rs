//! What the API does wrong, from end to end: the daemon tells it, outlasts it and loses nothing.

use smartassist_simulator::{Fault, FaultKind, Order};

use super::trial::Trial;
use crate::support::{Program, Setup, TestDatabase, daemon::environment};

#[tokio::test]
async fn a_429_is_waited_for_whatever_it_says_of_when() {
    let says = |retry_after: &str| FaultKind::retry_after(429, retry_after);
    let date = "Tue, 01 Jan 2019 00:00:00 GMT";
    for kind in [says("1"), says(date), says("soon"), FaultKind::status(429)] {
        let mut trial = Trial::of(Fault::times(2, kind)).await;
        trial.is_told_as("rate limit", "rate_limited").await;
        trial.heals().await;
    }
}

#[tokio::test]
async fn a_rate_limit_told_in_a_200_or_400_is_one() {
    let message = br#"{"errors":[{"msg":"API rate limit exceeded","code":429}]}"#;
    let ok = FaultKind::Body(message.to_vec());
    let bad_request = FaultKind::Status {
        status: 400,
        retry_after: None,
        content_type: "application/json".to_owned(),
        body: String::from_utf8(message.to_vec()).unwrap(),
    };
    for kind in [ok, bad_request] {
        let mut trial = Trial::of(Fault::times(2, kind)).await;
        trial.is_told_as("rate limit", "rate_limited").await;
        trial.heals().await;
    }
}

#[tokio::test]
async fn windows_failed_by_server_errors_are_read_by_the_next_polls() {
    for status in [500, 502, 503, 504] {
        let mut trial = Trial::of(Fault::times(20, FaultKind::html(status))).await;
        trial
            .is_told_as(&format!("status {status}"), "server_fault")
            .await;
        trial.shows("window failed, nothing of it is covered").await;
        trial.heals().await;
    }
}

#[tokio::test]
async fn server_errors_now_and_then_are_outlasted() {
    Trial::of(Trial::now_and_then(FaultKind::status(503)))
        .await
        .heals()
        .await;
}

#[tokio::test]
async fn tokens_that_expire_in_the_middle_are_replaced() {
    let mut trial = Trial::of(Trial::now_and_then(FaultKind::status(401))).await;
    trial
        .counts(r#"smartassist_etl_requests_total{account="main",outcome="refused"}"#)
        .await;
    trial.heals().await;
}

#[tokio::test]
async fn a_refusal_that_persists_stops_the_account_until_it_is_let_in() {
    for status in [401, 403] {
        let mut trial = Trial::of(Fault::always(FaultKind::status(status))).await;
        trial.shows(&format!("status {status}")).await;
        trial.shows(r#""outcome":"failed""#).await;
        trial.heals().await;
    }
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::status(403)));
    let (environment, _) = environment(&setup, &database).await;
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 3);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = format!("http://{}/elsewhere", elsewhere.local_addr().unwrap());
    let mut trial = Trial::of(Fault::times(10, FaultKind::Redirect(address))).await;
    trial.shows("redirect").await;
    assert!(elsewhere.accept().is_err(), "somebody came");
    trial.heals().await;
}

#[tokio::test]
async fn answers_that_are_no_pages_are_asked_for_again() {
    for (body, outcome) in [
        (&b"<html><body>maintenance</body></html>"[..], "undecodable"),
        (br#"{"error":"try later"}"#, "message"),
        (b"", "undecodable"),
    ] {
        let mut trial = Trial::of(Fault::times(8, FaultKind::Body(body.to_vec()))).await;
        trial
            .counts(&format!(
                r#"smartassist_etl_requests_total{{account="main",outcome="{outcome}"}}"#
            ))
            .await;
        trial.shows("request failed, trying again after a pause").await;
        trial.heals().await;
    }
}

#[tokio::test]
async fn rows_that_shift_and_are_reshuffled_all_arrive() {
    let setup = Setup::live().await;
    setup.seed_days(17, 2, 0, 1_500);
    setup.simulator.world().behaviour.order = Order::Reshuffled;
    Trial::with(setup).await.heals().await;
}
