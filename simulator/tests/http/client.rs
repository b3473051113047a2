//! A small client of the endpoint, and the world that most tests ask.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use smartassist_simulator::{Options, Seed, Simulator};

/// No test waits longer than this for anything, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

/// The first instant of the seeded day.
pub(crate) fn monday() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2025, 9, 1, 0, 0, 0).unwrap()
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    monday() + TimeDelta::seconds(seconds)
}

/// A simulator with `count` sessions that start on one day.
pub(crate) async fn simulator(count: usize) -> Simulator {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    simulator
        .world()
        .seed(&Seed::new(1, monday(), monday() + TimeDelta::days(1), count));
    simulator
}

/// The body of a request for `from..=to` in UTC, with everything selected.
pub(crate) fn range(from: DateTime<Utc>, to: DateTime<Utc>) -> Value {
    json!({
        "startDate": from.format("%Y-%m-%d %H:%M:%S").to_string(),
        "endDate": to.format("%Y-%m-%d %H:%M:%S").to_string(),
        "timeZoneOffset": 0,
        "selectedFields":
            ["skills", "customerinfo", "userleveltags", "sessionleveltags", "campaigninfo", "snoozeinfo"],
    })
}

/// The seeded day.
pub(crate) fn day() -> Value {
    range(monday(), at(86_399))
}

pub(crate) fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Client {
    pub(crate) fn new(simulator: &Simulator) -> Self {
        let path = "/agentassist/api/public/analytics/account/acct-sim/v2/interactionDetails";
        Self {
            http: http(),
            url: format!("{}{path}", simulator.base_url()),
            token: token("one", 0),
        }
    }

    /// A request with all headers, to be sent or spoiled.
    pub(crate) fn request(&self, query: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}?{query}", self.url))
            .header("auth", &self.token)
            .header("accountId", "acct-sim")
            .header("iId", "st-sim")
            .json(body)
    }

    pub(crate) async fn ask(&self, query: &str, body: &Value) -> reqwest::Response {
        self.request(query, body).send().await.unwrap()
    }

    pub(crate) async fn status(&self, query: &str, body: &Value) -> u16 {
        self.ask(query, body).await.status().as_u16()
    }

    pub(crate) async fn page(&self, query: &str, body: &Value) -> Value {
        let response = self.ask(query, body).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// The session ids of one page, in order.
    pub(crate) async fn ids(&self, query: &str, body: &Value) -> Vec<String> {
        ids(&self.page(query, body).await)
    }

    /// The records of all pages of a range.
    pub(crate) async fn all(&self, body: &Value) -> Vec<Value> {
        let mut records = Vec::new();
        for offset in 0..=10 {
            let page = self.page(&format!("offset={offset}&limit=100"), body).await;
            let data = page["data"].as_array().unwrap().clone();
            let last = data.len() < 100;
            records.extend(data);
            if last {
                return records;
            }
        }
        panic!("more than 1,100 records");
    }

    pub(crate) async fn all_ids(&self, body: &Value) -> BTreeSet<String> {
        self.all(body).await.iter().map(id).collect()
    }
}

/// Looks again and again until something is so, and says where it gives up what that was.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "waited {PATIENCE:?} for {what}");
}

pub(crate) fn id(record: &Value) -> String {
    record["sessionId"].as_str().unwrap().to_owned()
}

pub(crate) fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(id).collect()
}

pub(crate) fn token(jti: &str, iat: i64) -> String {
    let claims = json!({ "appId": "cs-sim", "jti": jti, "iat": iat });
    let key = EncodingKey::from_secret(b"simulator-secret-0123456789abcdef");
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the product's client is not at hand here, and has its own tests"
)]
fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .unwrap()
}
