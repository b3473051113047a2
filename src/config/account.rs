//! Accounts and their limits.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Utc};
use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::Reporting;
use super::secret::Secret;
use super::section::{Section, nearest_of_all, settings};

/// Real ids have about 40 bytes; PostgreSQL index keys hold about 2,700.
const MAX_ID_BYTES: usize = 512;

const AN_ACCOUNT_NAME: &str =
    "the name must be of lower-case letters, digits, _ and -, since the environment knows no case";

pub(super) const SELECTED_FIELDS: [&str; 6] = [
    "skills",
    "customerinfo",
    "userleveltags",
    "sessionleveltags",
    "campaigninfo",
    "snoozeinfo",
];

const SENT_BY_OTHER_KEYS: [(&str, &str); 10] = [
    ("startDate", "windows say what is read, from start_from on"),
    ("endDate", "windows say what is read, from start_from on"),
    ("timeZoneOffset", "set time_zone_offset"),
    ("selectedFields", "set selected_fields"),
    ("channels", "set channels"),
    ("queues", "set queues"),
    ("bots", "set bots"),
    ("direction", "set direction"),
    ("offset", "the URL has it"),
    ("limit", "the URL has it"),
];

settings! {
    AccountConfig {
        name: String = account_name();
        /// May have a path prefix.
        base_url: Url = base_url("base_url");
        /// Part of every key.
        account_id: String = id("account_id");
        credentials: Credentials = group(Credentials::read);
        /// `None`: 30 days before first start.
        start_from: Option<DateTime<Utc>> = parsed("start_from", "a date (2025-01-31) or RFC 3339, from 2000 on", parse_instant);
        filters: Filters = group(Filters::read);
        /// Minutes: UTC = local + offset.
        time_zone_offset: i32 = integer("time_zone_offset", -840..=720);
        /// As configured; `ApiClient::limits` are current.
        limits: RequestLimits = group(RequestLimits::read);
        reporting: Reporting = section("reporting", Reporting::read);
        response: ResponseLimits = group(ResponseLimits::read);
        retry: RetryPolicy = group(RetryPolicy::read);
    }

    /// Request filters; a change resets coverage.
    #[derive(Default, PartialEq, Serialize)]
    Filters {
        /// Stream or application; sent as `iId`.
        stream_id: String = id("stream_id");
        selected_fields: Vec<String> = selected_fields("selected_fields");
        #[serde(skip_serializing_if = "Option::is_none")]
        channels: Option<Vec<String>> = list_unless_empty("channels");
        #[serde(skip_serializing_if = "Option::is_none")]
        queues: Option<Vec<String>> = list_unless_empty("queues");
        #[serde(skip_serializing_if = "Option::is_none")]
        bots: Option<Vec<String>> = list_unless_empty("bots");
        #[serde(skip_serializing_if = "Option::is_none")]
        direction: Option<Direction> = choice("direction", &DIRECTIONS);
        /// Added to bodies.
        #[serde(skip_serializing_if = "Map::is_empty")]
        extra_body: Map<String, Value> = extra_body("extra_body");
    }

    #[derive(Copy, PartialEq, Eq)]
    RequestLimits {
        /// 0: unlimited.
        per_minute: u32 = integer("requests_per_minute", 0..=100_000);
        per_hour: u32 = integer("requests_per_hour", 0..=1_000_000);
        /// Never 0; each may hold a page in memory.
        max_in_flight: usize = number("max_in_flight", 0..=64, in_flight);
    }

    #[derive(Copy)]
    ResponseLimits {
        connect_timeout: Duration = number("connect_timeout_seconds", 1..=600, Duration::from_secs);
        read_timeout: Duration = number("read_timeout_seconds", 1..=600, Duration::from_secs);
        request_timeout: Duration = number("request_timeout_seconds", 1..=3_600, Duration::from_secs);
        /// Decompressed bytes.
        max_bytes: usize = number("max_response_mebibytes", 1..=1_024, |mebibytes: usize| mebibytes << 20);
    }

    #[derive(Copy)]
    RetryPolicy {
        /// Excludes the first attempt.
        max_retries: usize = integer("max_retries", 0..=100);
        /// Doubles, with jitter.
        pause: Duration = number("retry_pause_milliseconds", 1..=600_000, Duration::from_millis);
    }
}

/// The API's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Direction {
    Inbound,
    Outbound,
    Both,
}

const DIRECTIONS: [(&str, Direction); 3] = [
    ("Inbound", Direction::Inbound),
    ("Outbound", Direction::Outbound),
    ("Both", Direction::Both),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetSpan {
    Minute,
    Hour,
}

impl BudgetSpan {
    pub const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    pub const fn length(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(3_600),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }

    pub fn time_for(self, requests: u64, limit: u32) -> Duration {
        let nanoseconds = self.length().as_nanos() * u128::from(requests) / u128::from(limit.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

impl Serialize for BudgetSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.length().as_secs().serialize(serializer)
    }
}

/// 0 asks for as many as can be set.
fn in_flight(requests: usize) -> usize {
    if requests == 0 { 64 } else { requests }
}

impl RequestLimits {
    pub fn spans(self) -> impl Iterator<Item = (BudgetSpan, u32)> {
        let spans = [
            (BudgetSpan::Minute, self.per_minute),
            (BudgetSpan::Hour, self.per_hour),
        ];
        spans.into_iter().filter(|(_, requests)| *requests > 0)
    }

    pub fn time_for(self, requests: u64) -> Duration {
        self.spans()
            .map(|(span, limit)| span.time_for(requests, limit))
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
impl RequestLimits {
    pub(crate) fn of(per_minute: u32, per_hour: u32) -> Self {
        Self {
            per_minute,
            per_hour,
            max_in_flight: 4,
        }
    }
}

#[derive(Debug, Clone)]
pub enum Credentials {
    /// A JWT that we sign.
    Mint {
        /// Sent as `appId`.
        client_id: String,
        /// Shared secret (HS*) or PEM private key (RS*).
        client_secret: Secret,
        algorithm: Algorithm,
    },
    /// A ready JWT.
    Token(Secret),
}

const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("HS256", Algorithm::HS256),
    ("HS512", Algorithm::HS512),
    ("RS256", Algorithm::RS256),
    ("RS512", Algorithm::RS512),
];

impl Credentials {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let client_id = section.text("client_id");
        let client_secret = section.secret("client_secret");
        let token = section.secret("token");
        let algorithm = section.required_choice("jwt_algorithm", &ALGORITHMS);
        let (key, problem) = match (client_id?, client_secret?, token?) {
            (Some(client_id), Some(client_secret), None) => {
                let algorithm = algorithm?;
                if can_sign(&client_secret, algorithm) {
                    return Some(Self::Mint {
                        client_id,
                        client_secret,
                        algorithm,
                    });
                }
                let problem = "must be an RSA private key in PEM form, as jwt_algorithm says RS256 or RS512";
                ("client_secret", problem)
            }
            (None, None, Some(token)) => return Some(Self::Token(token)),
            (_, _, Some(_)) => (
                "token",
                "is given beside client_id or client_secret: keep one of the two ways",
            ),
            (None, None, None) => (
                "client_id",
                "is required with client_secret, or else token (each secret also as <key>_file)",
            ),
            (Some(_), None, None) => (
                "client_secret",
                "is required beside client_id (or client_secret_file)",
            ),
            (None, Some(_), None) => ("client_id", "is required beside client_secret"),
        };
        section.invalid(key, problem)
    }

    pub fn signing_key(algorithm: Algorithm, secret: &SecretString) -> Result<EncodingKey, Error> {
        let secret = secret.expose_secret().as_bytes();
        match algorithm {
            Algorithm::RS256 | Algorithm::RS512 => EncodingKey::from_rsa_pem(secret),
            _ => Ok(EncodingKey::from_secret(secret)),
        }
    }
}

/// Bad keys fail only when signing.
fn can_sign(secret: &Secret, algorithm: Algorithm) -> bool {
    secret.read().is_ok_and(|secret| {
        let key = Credentials::signing_key(algorithm, &secret);
        key.and_then(|key| jsonwebtoken::encode(&Header::new(algorithm), &"", &key))
            .is_ok()
    })
}

impl Section<'_> {
    pub(super) fn accounts(&mut self) -> Option<Vec<AccountConfig>> {
        let defaults = self.table("account_defaults")?;
        let own = self.table("accounts")?;
        let reporting = self.table("reporting")?;
        self.nested("reporting", reporting.clone())
            .read_all(Reporting::read);
        self.check_account_defaults(defaults.clone(), reporting.clone());
        let names: Vec<String> = own.keys().cloned().collect();
        let mut section = self.nested("accounts", own);
        let mut accounts: Vec<AccountConfig> = Vec::new();
        for name in names {
            let Some(table) = section.table(&name) else {
                continue;
            };
            if !name.bytes().all(is_of_plain_names) {
                section.problem(&name, AN_ACCOUNT_NAME);
            }
            let mut merged = defaults.clone();
            merged.extend(table);
            let mut of_account = reporting.clone();
            match merged.remove("reporting") {
                Some(Value::Object(own)) => of_account.extend(own),
                Some(_) => section.problem(&name, "reporting is a table with keys of its own, not a value"),
                None => {}
            }
            merged.insert("reporting".to_owned(), of_account.into());
            let problems = self.problem_count();
            let account = section.nested(&name, merged).read_all(AccountConfig::read);
            self.forget_inherited_problems(problems, &format!("accounts.{name}."));
            let Some(account) = account else { continue };
            let is_same = |other: &&AccountConfig| other.account_id == account.account_id;
            if let Some(other) = accounts.iter().find(is_same) {
                let other = &other.name;
                let problem = format!("is the same as that of accounts.{other}; one account is loaded once");
                section.problem(&format!("{name}.account_id"), &problem);
            }
            accounts.push(account);
        }
        Some(accounts)
    }

    fn check_account_defaults(&self, mut defaults: Map<String, Value>, reporting: Map<String, Value>) {
        defaults.insert("reporting".to_owned(), reporting.into());
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
        let problems = self.problem_count();
        self.nested("account_defaults", defaults)
            .read_all(AccountConfig::read);
        self.forget_inherited_problems(problems, "account_defaults.");
    }

    fn account_name(&mut self) -> Option<String> {
        let name = self.path.strip_prefix("accounts.");
        Some(name.unwrap_or_default().to_owned())
    }

    fn base_url(&mut self, key: &str) -> Option<Url> {
        let url = Url::parse(&self.required_text(key)?).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        let expected = "must be an http or https URL without a query, a user or a password, as in https://smartassist.kore.ai";
        url.or_else(|| self.invalid(key, expected))
    }

    /// Others may be new; the API ignores misspelt ones.
    fn selected_fields(&mut self, key: &str) -> Option<Vec<String>> {
        let fields = self.list(key)?;
        for field in &fields {
            let nearest = nearest_of_all(&field.to_lowercase(), SELECTED_FIELDS.into_iter());
            if let Some((0..=2, known)) = nearest
                && known != field
            {
                let problem = format!("{field} is no field of the API; did you mean {known}?");
                return self.invalid(key, &problem);
            }
        }
        Some(fields)
    }

    fn extra_body(&mut self, key: &str) -> Option<Map<String, Value>> {
        let body = self.json_table(key)?;
        let has = |name: &str| body.keys().any(|key| key.eq_ignore_ascii_case(name));
        match SENT_BY_OTHER_KEYS.iter().find(|(sent, _)| has(sent)) {
            Some((sent, setting)) => self.invalid(key, &format!("must not have {sent}: {setting}")),
            None => Some(body),
        }
    }

    /// Safe in headers, URL paths and index keys.
    fn id(&mut self, key: &str) -> Option<String> {
        let id = self.required_text(key)?;
        let is_safe = |byte: u8| byte.is_ascii_graphic() && !b"/\\?#%".contains(&byte);
        if id.len() > MAX_ID_BYTES || !id.bytes().all(is_safe) || matches!(id.as_str(), "." | "..") {
            let expected =
                format!("must be 1 to {MAX_ID_BYTES} characters of visible ASCII, none of them / \\ ? # %");
            return self.invalid(key, &expected);
        }
        Some(id)
    }
}

fn is_of_plain_names(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')
}

const FIRST_YEAR: i32 = 2000;

/// Date or RFC 3339, in whole seconds.
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let instant = DateTime::parse_from_rfc3339(text).ok();
    instant
        // PostgreSQL has no leap seconds.
        .filter(|instant| instant.timestamp_subsec_nanos() < 1_000_000_000)
        .map(|instant| instant.to_utc().trunc_subsecs(0))
        .or_else(|| Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc()))
        .filter(|instant| instant.year() >= FIRST_YEAR)
}
