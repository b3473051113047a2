//! What a request looks like on the wire.

use axum::Router;
use axum::http::{HeaderMap, Uri};
use chrono::TimeDelta;
use serde_json::{Value, json};
use smartassist_etl::config::{Direction, Filters};
use smartassist_etl::extract::{PageRequest, Tally};
use smartassist_simulator::{Fault, FaultKind, Simulator};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{page, texts, week, whole_page};
use crate::support::Setup;

/// The bodies that the simulator received, oldest first.
fn bodies(simulator: &Simulator) -> Vec<Value> {
    let world = simulator.world();
    world.requests().map(|request| request.body.clone()).collect()
}

/// A server that hands over what it is asked, and answers with an empty page.
async fn listening() -> (String, UnboundedReceiver<(Uri, HeaderMap)>) {
    let (sender, received) = unbounded_channel();
    let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
        sender.send((uri, headers)).unwrap();
        async { r#"{"numResults":0,"data":[]}"# }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    (base_url, received)
}

#[tokio::test]
async fn a_request_has_the_path_query_and_headers_of_the_vendors_page() {
    let mut setup = Setup::start().await;
    let (base_url, mut received) = listening().await;
    setup.set("base_url", &base_url);
    page(&setup.client(), 3).await.0.unwrap();

    let (uri, headers) = received.recv().await.unwrap();
    assert_eq!(
        uri.path_and_query().unwrap().as_str(),
        "/agentassist/api/public/analytics/account/acct-sim/v2/interactionDetails?offset=3&limit=100"
    );
    for (name, value) in [
        ("accountId", "acct-sim"),
        ("iId", "st-sim"),
        ("accept", "application/json"),
        ("content-type", "application/json;charset=UTF-8"),
        ("accept-encoding", "gzip"),
    ] {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
    let agent = headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with("smartassist-etl/"), "{agent}");
    assert_eq!(headers["auth"].to_str().unwrap().split('.').count(), 3);
}

#[tokio::test]
async fn a_base_url_may_have_a_path_and_a_slash_at_its_end() {
    for (suffix, path) in [("/", "/agentassist/"), ("/gateway/", "/gateway/agentassist/")] {
        let mut setup = Setup::start().await;
        let (base_url, mut received) = listening().await;
        setup.set("base_url", &format!("{base_url}{suffix}"));
        page(&setup.client(), 0).await.0.unwrap();
        let (uri, _) = received.recv().await.unwrap();
        assert!(uri.path().starts_with(path), "{uri}");
    }
}

#[tokio::test]
async fn a_body_without_filters_has_only_the_range_and_all_fields() {
    let setup = Setup::start().await;
    page(&setup.client(), 0).await.0.unwrap();
    let want = json!({
        "startDate": "2026-01-08 00:00:00",
        "endDate": "2026-01-15 00:00:00",
        "timeZoneOffset": 0,
        "selectedFields":
            ["skills", "customerinfo", "userleveltags", "sessionleveltags", "campaigninfo", "snoozeinfo"],
    });
    assert_eq!(bodies(&setup.simulator), [want]);
}

#[tokio::test]
async fn the_range_is_written_as_local_time_at_the_requested_offset() {
    for (offset, start, end) in [
        ("-330", "2026-01-08 05:30:00", "2026-01-15 05:30:00"),
        ("300", "2026-01-07 19:00:00", "2026-01-14 19:00:00"),
    ] {
        let mut setup = Setup::start().await;
        setup.set("time_zone_offset", offset);
        page(&setup.client(), 0).await.0.unwrap();
        let body = bodies(&setup.simulator).remove(0);
        assert_eq!(
            (&body["startDate"], &body["endDate"]),
            (&json!(start), &json!(end))
        );
        assert_eq!(body["timeZoneOffset"].to_string(), offset);
        let world = setup.simulator.world();
        let request = world.requests().next().unwrap();
        assert_eq!(
            (request.start, request.end),
            (Some(week().start), Some(week().end))
        );
    }
}

#[tokio::test]
async fn the_same_records_come_at_any_offset() {
    let mut setup = Setup::with_interactions(60).await;
    let ids = |page: &smartassist_etl::extract::Page| -> Vec<String> {
        let parsed = texts(page)
            .into_iter()
            .map(|text| serde_json::from_str(text).unwrap());
        parsed
            .map(|record: Value| record["sessionId"].to_string())
            .collect()
    };
    let in_utc = page(&setup.client(), 0).await.0.unwrap();
    setup.set("time_zone_offset", "-330");
    let in_india = page(&setup.client(), 0).await.0.unwrap();
    assert!(!in_utc.records.is_empty());
    assert_eq!(ids(&in_utc), ids(&in_india));
}

#[tokio::test]
async fn filters_are_sent_under_the_vendors_names() {
    let mut setup = Setup::start().await;
    setup.set("channels", "voice, chat");
    setup.set("queues", "qu-1");
    setup.set("bots", "st-1,st-2");
    setup.set("direction", "Outbound");
    setup.set("selected_fields", "skills");
    page(&setup.client(), 0).await.0.unwrap();
    let body = bodies(&setup.simulator).remove(0);
    assert_eq!(body["channels"], json!(["voice", "chat"]));
    assert_eq!(body["queues"], json!(["qu-1"]));
    assert_eq!(body["bots"], json!(["st-1", "st-2"]));
    assert_eq!(body["direction"], json!("Outbound"));
    assert_eq!(body["selectedFields"], json!(["skills"]));
}

#[tokio::test]
async fn filters_of_a_request_replace_those_of_the_account() {
    let mut setup = Setup::start().await;
    setup.set("channels", "voice, chat");
    setup.set("queues", "qu-1,qu-2");
    setup.set("direction", "Both");
    let client = setup.client();
    let of_account = &client.account().filters;
    for filters in [
        Filters {
            direction: Some(Direction::Inbound),
            ..of_account.clone()
        },
        Filters {
            channels: Some(vec!["chat".to_owned()]),
            queues: Some(vec!["qu-2".to_owned()]),
            ..of_account.clone()
        },
    ] {
        let request = PageRequest {
            filters: Some(&filters),
            ..whole_page(0)
        };
        client.page(&request, &Tally::default()).await.unwrap();
    }
    let filters = |body: Value| json!([body["direction"], body["channels"], body["queues"]]);
    let sent: Vec<Value> = bodies(&setup.simulator).into_iter().map(filters).collect();
    assert_eq!(
        sent,
        [
            json!(["Inbound", ["voice", "chat"], ["qu-1", "qu-2"]]),
            json!(["Both", ["chat"], ["qu-2"]]),
        ]
    );
}

#[tokio::test]
async fn the_offset_and_the_limit_are_sent_as_given() {
    let mut setup = Setup::start().await;
    let (base_url, mut received) = listening().await;
    setup.set("base_url", &base_url);
    let request = PageRequest {
        limit: 7,
        ..whole_page(300)
    };
    setup.client().page(&request, &Tally::default()).await.unwrap();
    let (uri, _) = received.recv().await.unwrap();
    assert_eq!(uri.query(), Some("offset=300&limit=7"));
}

#[tokio::test]
async fn extra_body_is_sent_along() {
    let mut setup = Setup::start().await;
    let extra = json!({ "isAutomation": false, "nested": { "someKey": [1, null] } });
    setup.set("extra_body", &extra.to_string());
    setup.set("channels", "voice");
    setup.set("direction", "Both");
    page(&setup.client(), 0).await.0.unwrap();
    let body = bodies(&setup.simulator).remove(0);
    assert_eq!(body["isAutomation"], json!(false));
    assert_eq!(body["nested"], json!({ "someKey": [1, null] }));
    assert_eq!(body["channels"], json!(["voice"]));
    assert_eq!(body["startDate"], json!("2026-01-08 00:00:00"));
    assert_eq!(body["endDate"], json!("2026-01-15 00:00:00"));
    assert_eq!(body["timeZoneOffset"], json!(0));
    assert_eq!(body["selectedFields"].as_array().unwrap().len(), 6);
    assert_eq!(body["direction"], json!("Both"));
}

#[tokio::test]
async fn pages_are_requested_by_number_and_have_distinct_records() {
    let setup = Setup::with_interactions(500).await;
    let client = setup.client();
    let first = page(&client, 0).await.0.unwrap();
    let total = usize::try_from(first.reported.unwrap()).unwrap();
    assert!((101..=300).contains(&total), "{total}");
    let mut records: Vec<String> = texts(&first).into_iter().map(str::to_owned).collect();
    for offset in 1..total.div_ceil(100) {
        records.extend(
            texts(&page(&client, offset).await.0.unwrap())
                .into_iter()
                .map(str::to_owned),
        );
    }
    records.sort();
    records.dedup();
    assert_eq!(records.len(), total);
    let world = setup.simulator.world();
    let asked: Vec<_> = world
        .requests()
        .map(|request| (request.offset, request.limit))
        .collect();
    let wanted: Vec<_> = (0_i64..)
        .take(asked.len())
        .map(|page| (Some(page), Some(100)))
        .collect();
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn a_window_in_which_nothing_happened_is_an_empty_page() {
    let setup = Setup::start().await;
    let (page, requests) = page(&setup.client(), 0).await;
    let page = page.unwrap();
    assert_eq!((page.reported, page.records.len(), requests), (Some(0), 0, 1));
}

#[tokio::test]
async fn null_in_place_of_no_records_is_an_empty_page() {
    let setup = Setup::with_interactions(40).await;
    let body = r#"{"numResults":0,"data":null}"#;
    setup
        .simulator
        .world()
        .inject(Fault::next(FaultKind::Body(body.into())));
    let (page, requests) = page(&setup.client(), 0).await;
    assert_eq!((page.unwrap().records.len(), requests), (0, 1));
}

#[tokio::test]
async fn a_clock_five_minutes_off_is_no_reason_to_be_refused() {
    let setup = Setup::start().await;
    let now = setup.simulator.world().now();
    for shift in [TimeDelta::minutes(-5), TimeDelta::minutes(5)] {
        setup.simulator.world().set_now(now + shift);
        assert_eq!(page(&setup.client(), 0).await.1, 1);
    }
    assert_eq!(setup.simulator.world().counters().unauthorized, 0);
}
