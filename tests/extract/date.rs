//! What an answer says of the time, and what we make of it.

use axum::Router;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use smartassist_etl::time::Clock;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::page;
use crate::support::Setup;

/// A server whose clock shows this, and the tokens that it is given.
async fn at(date: &'static str) -> (String, UnboundedReceiver<String>) {
    let (sender, tokens) = unbounded_channel();
    let app = Router::new().fallback(move |headers: HeaderMap| {
        sender.send(headers["auth"].to_str().unwrap().to_owned()).unwrap();
        async move { ([(header::DATE, date)], r#"{"numResults":0,"data":[]}"#) }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    (base_url, tokens)
}

/// When a token runs out.
fn expiry(token: &str) -> DateTime<Utc> {
    let claims = BASE64_URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    DateTime::from_timestamp(claims["exp"].as_i64().unwrap(), 0).unwrap()
}

#[tokio::test]
async fn no_date_has_us_sign_a_token_that_outlives_an_hour() {
    for (date, followed) in [
        ("Thu, 31 Dec 2099 23:00:00 GMT", false),
        ("31 Dec 262142 23:59:59 GMT", false),
        ("Thu, 01 Jan 1970 00:00:00 GMT", false),
        ("Mon, 01 Jan 0001 00:00:00 GMT", false),
        ("Fri, 31 Dec 9999 23:59:59 GMT", false),
        ("Thu, 15 Jan 2026 13:30:00 GMT", false),
        ("Thu, 15 Jan 2026 12:40:00 GMT", true),
        ("no date", false),
    ] {
        let mut setup = Setup::start().await;
        let (base_url, mut tokens) = at(date).await;
        setup.set("base_url", &base_url);
        let client = setup.client();
        for _ in 0..3 {
            page(&client, 0).await.0.unwrap();
        }
        let now = setup.clock.now();
        let first = expiry(&tokens.recv().await.unwrap());
        assert_eq!(first, now + TimeDelta::minutes(10), "{date}");
        for _ in 0..2 {
            let ahead = expiry(&tokens.recv().await.unwrap()) - first;
            let want = if followed {
                TimeDelta::minutes(40)
            } else {
                TimeDelta::zero()
            };
            assert_eq!(ahead, want, "{date}");
        }
    }
}

#[tokio::test]
async fn a_retry_after_with_an_extreme_date_does_not_overflow() {
    for header in [
        "Thu, 31 Dec 2099 23:00:00 GMT",
        "31 Dec 262142 23:59:59 GMT",
        "01 Jan 0001 00:00:00 GMT",
    ] {
        let setup = Setup::start().await;
        let kind = smartassist_simulator::FaultKind::retry_after(429, header);
        setup
            .simulator
            .world()
            .inject(smartassist_simulator::Fault::next(kind));
        let client = setup.client();
        // It waits or asks again, and does not panic.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(200), page(&client, 0)).await;
    }
}
