//! Who is let in, and where.

use smartassist_simulator::{Options, Simulator};

use crate::client::{Client, day, simulator, token};

#[tokio::test]
async fn each_header_is_needed_and_must_be_right() {
    let simulator = simulator(1).await;
    let client = Client::new(&simulator);
    let send = |drop: &'static str, put: Option<&'static str>| {
        let mut request = client.request("", &day()).build().unwrap();
        request.headers_mut().remove(drop);
        if let Some(value) = put {
            request.headers_mut().insert(drop, value.parse().unwrap());
        }
        client.http.execute(request)
    };
    let cases = [
        ("auth", None, 401),
        ("auth", Some("not.a.token"), 401),
        ("accountid", None, 400),
        ("accountid", Some("acct-other"), 403),
        ("iid", None, 400),
        ("iid", Some("st-other"), 403),
        ("content-type", None, 400),
        ("content-type", Some("text/plain"), 400),
        ("content-type", Some("application/json;charset=UTF-8"), 200),
    ];
    for (header, value, want) in cases {
        let response = send(header, value).await.unwrap();
        assert_eq!(response.status().as_u16(), want, "{header}: {value:?}");
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(
            body["errors"][0]["code"].as_u64().is_some(),
            want != 200,
            "{body}"
        );
    }
    assert_eq!(simulator.world().counters().unauthorized, 2);
}

#[tokio::test]
async fn only_the_last_segment_of_the_path_ignores_case() {
    let simulator = simulator(1).await;
    let mut client = Client::new(&simulator);
    let good = client.url.clone();
    for (url, want) in [
        (good.replace("interactionDetails", "interactiondetails"), 200),
        (good.replace("interactionDetails", "INTERACTIONDETAILS"), 200),
        (good.replace("interactionDetails", "calldetails"), 404),
        (good.replace("/v2/", "/V2/"), 404),
        (good.replace("acct-sim", "acct-other"), 403),
    ] {
        client.url = url;
        assert_eq!(client.status("", &day()).await, want, "{}", client.url);
    }
    assert_eq!(client.http.get(good).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn tokens_can_be_expired_in_the_middle() {
    let simulator = simulator(1).await;
    let mut client = Client::new(&simulator);
    assert_eq!(client.status("", &day()).await, 200);
    simulator.world().expire_tokens();
    assert_eq!(client.status("", &day()).await, 401);
    let now = simulator.world().now().timestamp();
    client.token = token("two", now);
    assert_eq!(client.status("", &day()).await, 200);
}

#[tokio::test]
async fn a_static_token_is_let_in_beside_signed_ones() {
    let mut options = Options::default();
    options.credentials.static_token = Some("fixed-token".to_owned());
    let simulator = Simulator::start(options).await.unwrap();
    let mut client = Client::new(&simulator);
    assert_eq!(client.status("", &day()).await, 200);
    client.token = "fixed-token".to_owned();
    assert_eq!(client.status("", &day()).await, 200);
    client.token = "other-token".to_owned();
    assert_eq!(client.status("", &day()).await, 401);
}
