//! Connections that break, hang or never come about, and answers without end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smartassist_etl::extract::{Action, ApiError, Tally};
use smartassist_simulator::{Fault, FaultKind, Simulator};
use tokio::net::TcpListener;

use super::{arrived, failure, page, shown, texts, whole_page};
use crate::support::wait::{self, Stopwatch};
use crate::support::{Setup, port};

/// A transport error that shows neither where we connect to nor as whom.
fn assert_is_transport(error: &ApiError, what: &str) {
    assert!(matches!(error, ApiError::Transport { .. }), "{error:?}");
    assert_eq!(error.to_string(), what);
    assert_eq!(error.action(), Action::Retry);
    let shown = shown(error);
    for private in ["acct-sim", "st-sim", "http://", "https://", "interactionDetails"] {
        assert!(!shown.contains(private), "{private}: {shown}");
    }
}

#[tokio::test]
async fn a_page_cut_off_on_its_way_is_asked_for_again_as_a_whole() {
    for kind in [
        FaultKind::ResetBeforeResponse,
        FaultKind::ResetInBody,
        FaultKind::TruncatedWithLength,
        FaultKind::TruncatedWithoutLength,
    ] {
        let setup = Setup::with_interactions(500).await;
        let client = setup.client();
        let whole = page(&client, 0).await.0.unwrap();
        assert_eq!(whole.records.len(), 100);
        setup.simulator.world().inject(Fault::times(2, kind.clone()));
        let (page, requests) = page(&client, 0).await;
        assert_eq!(texts(&page.unwrap()), texts(&whole), "{kind:?}");
        assert_eq!((requests, arrived(&setup)), (3, 4), "{kind:?}");
    }
}

#[tokio::test]
async fn a_connection_that_always_breaks_ends_after_the_retries() {
    for kind in [
        FaultKind::ResetBeforeResponse,
        FaultKind::ResetInBody,
        FaultKind::TruncatedWithLength,
    ] {
        let mut setup = Setup::with_interactions(40).await;
        setup.set("max_retries", "2");
        setup.simulator.world().inject(Fault::always(kind.clone()));
        let (error, requests) = failure(&setup.client()).await;
        assert_is_transport(&error, "the connection to the API broke");
        // Nothing below us repeats a request that the budget has not paid for.
        assert_eq!((requests, arrived(&setup)), (3, 3), "{kind:?}");
    }
}

#[tokio::test]
async fn a_truncated_body_without_content_length_is_no_page() {
    let mut setup = Setup::with_interactions(40).await;
    setup.set("max_retries", "1");
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::TruncatedWithoutLength));
    let (error, requests) = failure(&setup.client()).await;
    assert!(matches!(error, ApiError::Undecodable { .. }), "{error:?}");
    assert_eq!(requests, 2);
}

#[tokio::test]
async fn a_dripping_answer_reaches_the_request_timeout() {
    let mut setup = Setup::with_interactions(40).await;
    setup.set("max_retries", "0");
    setup.set("request_timeout_seconds", "1");
    setup.set("read_timeout_seconds", "30");
    // Each byte comes well inside the limit between two pieces.
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::Drip(Duration::from_millis(100))));
    let (began, watch) = (Instant::now(), Stopwatch::start());
    let (error, _) = failure(&setup.client()).await;
    assert_is_transport(&error, "the API did not answer in time");
    let took = (began.elapsed(), watch.elapsed());
    assert!(took.0 >= Duration::from_secs(1), "{took:?}");
    assert!(took.1 < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_reaches_the_read_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut setup = Setup::start().await;
    setup.set("base_url", &format!("http://{}", listener.local_addr().unwrap()));
    setup.set("max_retries", "0");
    setup.set("read_timeout_seconds", "1");
    let watch = Stopwatch::start();
    let (error, requests) = failure(&setup.client()).await;
    assert_is_transport(&error, "the API did not answer in time");
    assert_eq!(requests, 1);
    assert!(watch.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn an_answer_that_comes_late_but_in_time_is_a_page() {
    let mut setup = Setup::with_interactions(40).await;
    setup.set("read_timeout_seconds", "2");
    let slow = FaultKind::Latency(Duration::from_millis(500));
    setup.simulator.world().inject(Fault::next(slow));
    let (page, requests) = page(&setup.client(), 0).await;
    assert!(page.is_ok(), "{page:?}");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn the_error_of_a_refused_connection_tells_no_url_or_account() {
    let mut setup = Setup::start().await;
    setup.set("base_url", &format!("http://{}", port::closed()));
    setup.set("max_retries", "2");
    let (error, requests) = failure(&setup.client()).await;
    assert_is_transport(&error, "cannot connect to the API");
    assert!(
        shown(&error).to_lowercase().contains("connection refused"),
        "{error:?}"
    );
    assert_eq!(requests, 3);
}

#[tokio::test]
async fn an_unknown_host_is_reported_as_a_failed_connection() {
    let mut setup = Setup::start().await;
    setup.set("base_url", "http://smartassist.invalid");
    setup.set("connect_timeout_seconds", "5");
    setup.set("max_retries", "0");
    let (error, _) = failure(&setup.client()).await;
    assert_is_transport(&error, "cannot connect to the API");
}

#[tokio::test]
async fn a_server_without_tls_under_https_is_not_spoken_to() {
    let mut setup = Setup::start().await;
    let base_url = setup.simulator.base_url().replace("http://", "https://");
    setup.set("base_url", &base_url);
    setup.set("max_retries", "0");
    let (error, _) = failure(&setup.client()).await;
    assert_is_transport(&error, "cannot connect to the API");
    assert_eq!(arrived(&setup), 0);
}

#[tokio::test]
async fn a_server_that_was_down_for_a_moment_is_found_again() {
    let mut setup = Setup::with_interactions(40).await;
    setup.set("retry_pause_milliseconds", "20");
    setup.set("max_retries", "20");
    // On a port of its own, which nobody takes while the server is down.
    let (address, world) = (port::closed(), setup.simulator.shared_world());
    setup.set("base_url", &format!("http://{address}"));
    let server = Simulator::start_with(address, Arc::clone(&world)).await.unwrap();
    let (client, tally) = (setup.client(), Tally::default());
    let whole = page(&client, 0).await.0.unwrap();
    server.stop().await;
    let comeback = async {
        wait::until("a request that fails", async || {
            let requests = tally.cost().requests;
            if requests > 1 { Ok(()) } else { Err(requests) }
        })
        .await;
        Simulator::start_with(address, world).await.unwrap()
    };
    let request = whole_page(0);
    let (again, _server) = tokio::join!(client.page(&request, &tally), comeback);
    assert_eq!(texts(&again.unwrap()), texts(&whole));
    assert!(tally.cost().requests > 1);
}

#[tokio::test]
async fn an_answer_larger_than_the_cap_is_given_up_at_the_cap() {
    // Far more than could be read in the time that this test has, and a little more than the cap.
    let endless = 1 << 40;
    for kind in [
        FaultKind::Huge(endless),
        FaultKind::Huge(1024 * 1024),
        FaultKind::GzipBomb(endless),
        FaultKind::GzipBomb(1024 * 1024),
    ] {
        let mut setup = Setup::with_interactions(40).await;
        setup.set("max_response_mebibytes", "1");
        setup.simulator.world().inject(Fault::always(kind.clone()));
        let (error, requests) = failure(&setup.client()).await;
        assert!(
            matches!(error, ApiError::TooLarge { limit } if limit == 1024 * 1024),
            "{kind:?}: {error:?}"
        );
        assert_eq!((error.action(), requests), (Action::GiveUpWindow, 1), "{kind:?}");
    }
}

#[tokio::test]
async fn an_answer_that_unpacks_to_less_than_the_cap_is_a_page() {
    // A bomb comes in whole mebibytes.
    for kind in [FaultKind::Huge(1_500_000), FaultKind::GzipBomb(500_000)] {
        let mut setup = Setup::with_interactions(20).await;
        setup.set("max_response_mebibytes", "2");
        let client = setup.client();
        let whole = page(&client, 0).await.0.unwrap();
        setup.simulator.world().inject(Fault::next(kind.clone()));
        let (page, requests) = page(&client, 0).await;
        assert_eq!(texts(&page.unwrap()), texts(&whole), "{kind:?}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn the_body_of_an_error_does_not_change_what_its_status_says() {
    let endless = FaultKind::Status {
        status: 503,
        retry_after: None,
        content_type: "text/html".to_owned(),
        body: "x".repeat(5_000_000),
    };
    let mut setup = Setup::start().await;
    setup.set("max_retries", "1");
    setup.simulator.world().inject(Fault::always(endless));
    let (error, requests) = failure(&setup.client()).await;
    assert!(matches!(error, ApiError::ServerFault { .. }), "{error:?}");
    assert_eq!(requests, 2);
}
