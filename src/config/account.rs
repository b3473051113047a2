//! Account settings.

mod credentials;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

pub use credentials::Credentials;

use super::limits::RequestLimits;
use super::section::Section;

/// Real ids have about 40 bytes; PostgreSQL index keys hold about 2,700.
const LONGEST_ID: usize = 512;

/// Each may hold a page in memory.
const MOST_IN_FLIGHT: u8 = 64;

/// `accounts.<name>.*`.
#[derive(Debug, Clone)]
pub struct AccountConfig {
    /// Name in logs and metrics.
    pub name: String,
    /// May have a path prefix.
    pub base_url: reqwest::Url,
    /// Part of every key.
    pub account_id: String,
    /// Sent as `iId`.
    pub stream_id: String,
    /// Signs requests.
    pub credentials: Credentials,
    /// `None`: 30 days before first start.
    pub start_from: Option<DateTime<Utc>>,
    /// What is fetched.
    pub filters: Filters,
    /// Minutes: UTC = local + offset.
    pub time_zone_offset: i32,
    /// Configured; `ApiClient::limits` are current.
    pub limits: RequestLimits,
    /// Limits.
    pub response: ResponseLimits,
    /// Retries.
    pub retry: RetryPolicy,
}

/// Request filters; a change resets coverage.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Filters {
    /// Stream or application.
    pub stream_id: String,
    /// Optional record parts.
    pub selected_fields: Vec<String>,
    /// Channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Queue ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<String>>,
    /// Bot ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bots: Option<Vec<String>>,
    /// Direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Added to bodies.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra_body: Map<String, Value>,
}

/// The API's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Direction {
    /// From the customer.
    Inbound,
    /// From the contact centre.
    Outbound,
    /// Either.
    Both,
}

/// Retry policy.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Excludes the first attempt.
    pub max_retries: usize,
    /// Doubles, with jitter.
    pub pause: Duration,
}

/// Response limits.
#[derive(Debug, Clone, Copy)]
pub struct ResponseLimits {
    /// `connect_timeout_seconds`.
    pub connect_timeout: Duration,
    /// Between two reads.
    pub read_timeout: Duration,
    /// Whole request.
    pub request_timeout: Duration,
    /// Decompressed bytes.
    pub max_bytes: usize,
}

pub(super) fn read_all(root: &mut Section<'_>) -> Vec<AccountConfig> {
    let defaults = root.table("account_defaults").unwrap_or_default();
    let tables = root.table("accounts").unwrap_or_default();
    let accounts = root.nested("accounts", Map::new());
    let mut by_id: BTreeMap<String, String> = BTreeMap::new();
    let mut read = Vec::new();
    for (name, table) in tables {
        let Value::Object(own) = table else {
            accounts.problem(&name, "is a table with keys of its own, not a value");
            continue;
        };
        if !name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        {
            accounts.problem(
                &name,
                "the name must be of lower-case letters, digits, _ and -, since the environment knows no case",
            );
        }
        let mut merged = defaults.clone();
        merged.extend(own);
        let Some(account) = AccountConfig::read(&name, accounts.nested(&name, merged)) else {
            continue;
        };
        if let Some(other) = by_id.insert(account.account_id.clone(), name.clone())
            && !account.account_id.is_empty()
        {
            accounts.problem(
                &format!("{name}.account_id"),
                &format!("is the same as that of accounts.{other}; one account is loaded once"),
            );
        }
        read.push(account);
    }
    if read.is_empty() {
        check_defaults(root, defaults);
    }
    read
}

fn check_defaults(root: &Section<'_>, mut defaults: Map<String, Value>) {
    for key in ["client_id", "client_secret", "client_secret_file", "token_file"] {
        defaults.remove(key);
    }
    for (key, placeholder) in [
        ("base_url", "http://127.0.0.1"),
        ("account_id", "unused"),
        ("stream_id", "unused"),
        ("token", "unused"),
    ] {
        defaults.entry(key).or_insert_with(|| placeholder.into());
    }
    AccountConfig::read("", root.nested("account_defaults", defaults));
}

impl AccountConfig {
    fn read(name: &str, mut section: Section<'_>) -> Option<Self> {
        let base_url = section.required_text("base_url");
        let url = parse_base_url(&base_url);
        if url.is_none() && !base_url.is_empty() {
            section.problem(
                "base_url",
                "must be an http or https URL without a query, as in https://smartassist.kore.ai",
            );
        }
        let stream_id = read_id(&mut section, "stream_id");
        let account_id = read_id(&mut section, "account_id");
        let credentials = Credentials::read(&mut section);
        let start_from = section.parsed("start_from", "a date (2025-01-31) or RFC 3339", parse_instant);
        let filters = read_filters(&mut section, stream_id.clone());
        let time_zone_offset = section.integer("time_zone_offset", &(-840..=720));
        let limits = RequestLimits::read(&mut section);
        let response = read_limits(&mut section);
        let retry = RetryPolicy {
            max_retries: section.integer("max_retries", &(0..=100)),
            pause: Duration::from_millis(section.integer("retry_pause_milliseconds", &(1..=600_000))),
        };
        section.finish();
        Some(Self {
            name: name.to_owned(),
            base_url: url?,
            account_id,
            stream_id,
            credentials: credentials?,
            start_from,
            filters,
            time_zone_offset,
            limits,
            response,
            retry,
        })
    }
}

impl RequestLimits {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            per_minute: section.integer("requests_per_minute", &(0..=100_000)),
            per_hour: section.integer("requests_per_hour", &(0..=1_000_000)),
            max_in_flight: match section.integer("max_in_flight", &(0..=MOST_IN_FLIGHT.into())) {
                0 => MOST_IN_FLIGHT.into(),
                requests => requests,
            },
        }
    }
}

fn parse_base_url(text: &str) -> Option<reqwest::Url> {
    let url = reqwest::Url::parse(text).ok()?;
    let usable = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    usable.then_some(url)
}

/// Safe in headers, URL paths and index keys.
fn read_id(section: &mut Section<'_>, key: &str) -> String {
    let id = section.required_text(key);
    let is_safe = |byte: u8| byte.is_ascii_graphic() && !b"/\\?#%".contains(&byte);
    if id.len() > LONGEST_ID || !id.bytes().all(is_safe) || matches!(id.as_str(), "." | "..") {
        let expected =
            format!("must be 1 to {LONGEST_ID} characters of visible ASCII, none of them / \\ ? # %");
        section.problem(key, &expected);
    }
    id
}

/// Date or RFC 3339, in whole seconds.
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let instant = DateTime::parse_from_rfc3339(text).ok();
    instant
        // PostgreSQL has no leap seconds.
        .filter(|instant| instant.timestamp_subsec_nanos() < 1_000_000_000)
        .map(|instant| instant.to_utc().trunc_subsecs(0))
        .or_else(|| Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc()))
}

fn read_filters(section: &mut Section<'_>, stream_id: String) -> Filters {
    Filters {
        stream_id,
        selected_fields: section.list("selected_fields").unwrap_or_default(),
        channels: section.list("channels"),
        queues: section.list("queues"),
        bots: section.list("bots"),
        direction: section.parsed("direction", "Inbound, Outbound or Both", |text| match text {
            "Inbound" => Some(Direction::Inbound),
            "Outbound" => Some(Direction::Outbound),
            "Both" => Some(Direction::Both),
            _ => None,
        }),
        extra_body: section.json_table("extra_body"),
    }
}

fn read_limits(section: &mut Section<'_>) -> ResponseLimits {
    let mebibytes: usize = section.integer("max_response_mebibytes", &(1..=1_024));
    ResponseLimits {
        connect_timeout: super::seconds(section, "connect_timeout_seconds", 1..=600),
        read_timeout: super::seconds(section, "read_timeout_seconds", 1..=600),
        request_timeout: super::seconds(section, "request_timeout_seconds", 1..=3_600),
        max_bytes: mebibytes * 1024 * 1024,
    }
}
