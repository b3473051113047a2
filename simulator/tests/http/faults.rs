//! Every fault, as a client sees it; each is over when it is over.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use smartassist_simulator::{Fault, FaultKind, Simulator};

use crate::client::{Client, day, simulator};

async fn broken(kind: FaultKind) -> (Simulator, Client) {
    let simulator = simulator(120).await;
    simulator.world().inject(Fault::next(kind));
    let client = Client::new(&simulator);
    (simulator, client)
}

/// The fault is used up, and the log names it.
async fn is_over(simulator: &Simulator, client: &Client, name: &str, status: u16) {
    {
        let world = simulator.world();
        assert_eq!(world.pending_faults(), 0);
        let last = world.requests().next_back().unwrap();
        assert_eq!((last.fault, last.status), (Some(name), status));
    }
    assert_eq!(client.ids("", &day()).await.len(), 100);
    assert_eq!(simulator.world().requests().next_back().unwrap().fault, None);
}

/// Whether the kernel said "connection reset", somewhere down the chain.
fn is_reset(err: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(err);
    while let Some(err) = next {
        let io = err.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionReset) {
            return true;
        }
        next = err.source();
    }
    false
}

#[tokio::test]
async fn a_status_comes_with_its_header_and_body() {
    let (simulator, client) = broken(FaultKind::retry_after(429, "17")).await;
    let response = client.ask("", &day()).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"17".parse().unwrap())
    );
    is_over(&simulator, &client, "status", 429).await;

    simulator.world().inject(Fault::next(FaultKind::html(502)));
    let response = client.ask("", &day()).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (502, &"text/html".parse().unwrap())
    );
    assert!(response.text().await.unwrap().starts_with("<html>"));
    is_over(&simulator, &client, "status", 502).await;
}

#[tokio::test]
async fn a_body_may_be_anything_under_a_200() {
    for bytes in [
        b"<html>login</html>".to_vec(),
        b"{\"error\":1}".to_vec(),
        Vec::new(),
        vec![0xff, 0, 0xc3],
    ] {
        let (simulator, client) = broken(FaultKind::Body(bytes.clone())).await;
        let response = client.ask("", &day()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.bytes().await.unwrap(), bytes);
        is_over(&simulator, &client, "body", 200).await;
    }
}

#[tokio::test]
async fn a_redirect_names_the_other_place() {
    let elsewhere = "http://127.0.0.1:9/elsewhere";
    let (simulator, client) = broken(FaultKind::Redirect(elsewhere.to_owned())).await;
    let response = client.ask("", &day()).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (302, &elsewhere.parse().unwrap())
    );
    is_over(&simulator, &client, "redirect", 302).await;
}

#[tokio::test]
async fn a_reset_comes_before_the_response() {
    let (simulator, client) = broken(FaultKind::ResetBeforeResponse).await;
    let err = client.request("", &day()).send().await.unwrap_err();
    assert!(is_reset(&err), "{err:?}");
    is_over(&simulator, &client, "reset_before_response", 0).await;
}

#[tokio::test]
async fn a_reset_comes_in_the_middle_of_the_body() {
    let (simulator, client) = broken(FaultKind::ResetInBody).await;
    let response = client.ask("", &day()).await;
    assert_eq!(response.status(), 200);
    let promised = response.content_length().unwrap();
    let (mut received, mut failure) = (0, None);
    let mut body = response.bytes_stream();
    while let Some(part) = body.next().await {
        match part {
            Ok(bytes) => received += bytes.len(),
            Err(err) => failure = Some(err),
        }
    }
    assert!(is_reset(&failure.unwrap()));
    assert_eq!(u64::try_from(received).unwrap(), promised / 2);
    is_over(&simulator, &client, "reset_in_body", 200).await;
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_an_error() {
    let (simulator, client) = broken(FaultKind::TruncatedWithLength).await;
    let err = client.ask("", &day()).await.bytes().await.unwrap_err();
    assert!(!is_reset(&err), "{err:?}");
    is_over(&simulator, &client, "truncated_with_length", 200).await;
}

#[tokio::test]
async fn truncating_without_a_length_gives_a_200_with_invalid_json() {
    let (simulator, client) = broken(FaultKind::TruncatedWithoutLength).await;
    let body = client.ask("", &day()).await.text().await.unwrap();
    assert!(body.starts_with("{\"numResults\":120,"));
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_err());
    is_over(&simulator, &client, "truncated_without_length", 200).await;
}

#[tokio::test]
async fn latency_delays_a_good_answer() {
    let (simulator, client) = broken(FaultKind::Latency(Duration::from_millis(150))).await;
    let begun = Instant::now();
    assert_eq!(client.ids("", &day()).await.len(), 100);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    is_over(&simulator, &client, "latency", 200).await;
}

#[tokio::test]
async fn a_drip_sends_a_byte_at_a_time() {
    let (simulator, client) = broken(FaultKind::Drip(Duration::from_millis(30))).await;
    let response = client.ask("limit=1", &day()).await;
    assert!(response.content_length().unwrap() > 100);
    let parts: Vec<_> = response
        .bytes_stream()
        .take(4)
        .map(Result::unwrap)
        .collect()
        .await;
    assert_eq!(parts.concat(), b"{\"nu");
    is_over(&simulator, &client, "drip", 200).await;
}

#[tokio::test]
async fn a_huge_body_is_padded_and_still_json() {
    let (simulator, client) = broken(FaultKind::Huge(3_000_000)).await;
    let body = client.ask("", &day()).await.bytes().await.unwrap();
    assert!(body.len() > 3_000_000);
    let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(page["numResults"], 120);
    is_over(&simulator, &client, "huge", 200).await;
}

#[tokio::test]
async fn a_gzip_bomb_unpacks_to_far_more_than_it_weighs() {
    let (simulator, client) = broken(FaultKind::GzipBomb(5_000_000)).await;
    let body = client.ask("", &day()).await.bytes().await.unwrap();
    assert!(body.len() > 5_000_000);
    let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(page["numResults"], 120);
    is_over(&simulator, &client, "gzip_bomb", 200).await;
}

#[tokio::test]
async fn a_fault_waits_for_its_page() {
    let simulator = simulator(250).await;
    let client = Client::new(&simulator);
    simulator
        .world()
        .inject(Fault::at_offset(1, FaultKind::status(503)));
    let statuses = [
        client.status("offset=0", &day()).await,
        client.status("offset=1", &day()).await,
        client.status("offset=1", &day()).await,
    ];
    assert_eq!(statuses, [200, 503, 200]);
    simulator.world().inject(Fault::always(FaultKind::status(500)));
    assert_eq!(client.status("", &day()).await, 500);
    simulator.world().clear_faults();
    assert_eq!(client.status("", &day()).await, 200);
}
