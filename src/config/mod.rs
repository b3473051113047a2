//! Layers `config/default.toml`, which explains each key, a file and the environment.

mod account;
mod privacy;
mod secret;
mod section;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::config::{Source, ValueKind};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use tracing_subscriber::filter::LevelFilter;

pub use account::{
    AccountConfig, BudgetSpan, Credentials, Direction, Filters, RequestLimits, ResponseLimits, RetryPolicy,
    parse_instant,
};
pub use privacy::{Class, Policy, PrivacyKey, Rule};
pub use secret::{Secret, SecretError};
pub use sync::{Cron, RefreshEntry, RefreshPolicy, Selection, SyncConfig};

pub(crate) use section::nearest;

use section::{Problems, Section, settings};

pub const ENVIRONMENT_PREFIX: &str = "SMARTASSIST_ETL";

/// In bytes; shorter ones are guessable.
pub const SHORTEST_TOKEN: usize = 16;

const A_TIME_ZONE: &str = "the IANA name of a time zone, as in Europe/Berlin or America/New_York";

const A_LEVEL: &str = "error, warn, info, debug, trace, or directives such as info,smartassist_etl=debug";

/// An e-mail may wait for days.
const SERVICE_LEVEL_SECONDS: RangeInclusive<i64> = 1..=2_592_000;

/// Numbers of ISO 8601.
const DAYS: [(&str, i32); 7] = [
    ("monday", 1),
    ("tuesday", 2),
    ("wednesday", 3),
    ("thursday", 4),
    ("friday", 5),
    ("saturday", 6),
    ("sunday", 7),
];

const DEFAULTS: &str = include_str!("../../config/default.toml");

settings! {
    Config {
        data_dir: PathBuf = required_path("data_dir");
        database: DatabaseConfig = section("database", DatabaseConfig::read);
        accounts: Vec<AccountConfig> = accounts();
        sync: Arc<SyncConfig> = shared("sync", SyncConfig::read);
        storage: Arc<StorageConfig> = shared("storage", StorageConfig::read);
        privacy: Arc<Policy> = shared("privacy", Policy::read);
        http: HttpConfig = section("http", HttpConfig::read);
        log: LogConfig = section("log", LogConfig::read);
        trimmed_secrets: Vec<String> = trimmed_secrets();
    }

    DatabaseConfig {
        /// Overrides the URL's.
        password: Option<Secret> = database_password("password");
        /// `None`: a private server.
        url: Option<Secret> = database_url("url");
        /// `None`: public authorities.
        ca_file: Option<PathBuf> = readable_file("ca_file");
        wait: Duration = number("wait_seconds", 1..=86_400, Duration::from_secs);
        server_binaries: Option<PathBuf> = path("server_binaries");
        session: SessionConfig = group(SessionConfig::read);
    }

    SessionConfig {
        max_connections: u32 = integer("max_connections", 2..=1_000);
        connect_timeout: Duration = number("connect_timeout_seconds", 1..=3_600, Duration::from_secs);
        /// 0 behind a transaction pooler.
        statement_cache: usize = integer("statement_cache", 0..=10_000);
        statement_timeout: Duration = number("statement_timeout_seconds", 1..=86_400, Duration::from_secs);
        lock_timeout: Duration = number("lock_timeout_seconds", 1..=3_600, Duration::from_secs);
    }

    StorageConfig {
        raw: bool = flag("raw");
        /// `None`: for ever.
        retention: Option<TimeDelta> = span_or_off("retention_days", 0..=36_500, TimeDelta::days);
        clean_up: Cron = cron("clean_up");
    }

    Reporting {
        time_zone: Tz = required("time_zone", A_TIME_ZONE, |text| text.parse().ok());
        /// Longest wait within target.
        service_level_seconds: i32 = integer("service_level_seconds", SERVICE_LEVEL_SECONDS);
        service_level_seconds_by_channel: BTreeMap<String, i32> = seconds_by_channel("service_level_seconds_by_channel");
        /// Longest wait of a short abandon.
        short_abandon_seconds: i32 = integer("short_abandon_seconds", 0..=86_400);
        /// A customer who was helped does not come back within these.
        repeat_contact_days: i32 = integer("repeat_contact_days", 1..=366);
        /// 1 for Monday to 7 for Sunday.
        week_starts_on: i32 = required_choice("week_starts_on", &DAYS);
        /// Whose values the views of `smartassist_bi` show.
        shown_tags: Vec<String> = list("shown_tags");
    }

    HttpConfig {
        bind: SocketAddr = address("bind");
        /// `None`: local access only.
        token: Option<Secret> = long_secret("token", SHORTEST_TOKEN);
        protect_metrics: bool = flag("protect_metrics");
    }

    LogConfig {
        /// `None`: pretty on terminals, else JSON.
        format: Option<LogFormat> = choice("format", &[("json", LogFormat::Json), ("pretty", LogFormat::Pretty)]);
        /// Level or directives.
        level: String = required("level", A_LEVEL, log_level);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One object per line.
    Json,
    Pretty,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}")]
    Unreadable(String),
    #[error("the configuration has {}:\n  - {}", count(.0.len()), .0.join("\n  - "))]
    Invalid(Vec<String>),
}

fn count(problems: usize) -> String {
    if problems == 1 {
        "a problem".to_owned()
    } else {
        format!("{problems} problems")
    }
}

impl Config {
    /// Skips variables that are not UTF-8.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::from_layers(file, environment())
    }

    pub fn from_layers(
        file: Option<&Path>,
        environment: HashMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let names: Vec<String> = environment.keys().cloned().collect();
        let tree = merge(file, environment)?;
        let unread: Vec<String> = names.iter().filter_map(|name| unread(name, &tree)).collect();
        let problems = Problems::default();
        problems.found.borrow_mut().extend(unread);
        let config = Section::new(String::new(), tree, &problems).read_all(Self::read);
        let problems = problems.found.into_inner();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError::Invalid(problems)),
        }
    }

    /// Ignores other problems: a running daemon may predate edits.
    pub fn load_bind(file: Option<&Path>) -> Result<SocketAddr, ConfigError> {
        let tree = merge(file, environment()).or_else(|_| merge(None, environment()))?;
        let problems = Problems::default();
        let mut root = Section::new(String::new(), tree, &problems);
        let bind = root.section("http", |http| http.address("bind"));
        Ok(bind.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))))
    }

    pub fn require_accounts(&self) -> Result<(), ConfigError> {
        if self.accounts.is_empty() {
            return Err(ConfigError::Invalid(vec![format!(
                "accounts: no account is configured; set accounts.<name>.base_url, .account_id, .stream_id and \
                 credentials, in a file given by --config or as {ENVIRONMENT_PREFIX}__ACCOUNTS__<NAME>__BASE_URL \
                 and so on"
            )]));
        }
        Ok(())
    }

    /// Refuses a future start: coverage would look complete.
    pub fn require_started(&self, now: DateTime<Utc>) -> Result<(), ConfigError> {
        let is_to_come = |account: &&AccountConfig| account.start_from.is_some_and(|start| start > now);
        let problem = |account: &AccountConfig| {
            format!("accounts.{}.start_from: must not be in the future", account.name)
        };
        let problems: Vec<String> = self.accounts.iter().filter(is_to_come).map(problem).collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }
}

fn merge(
    file: Option<&Path>,
    environment: HashMap<String, String>,
) -> Result<Map<String, Value>, ConfigError> {
    let mut builder = ::config::Config::builder().add_source(toml_source(DEFAULTS, "config/default.toml")?);
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::Unreadable(format!(
                "cannot read the configuration file {}: {error}",
                path.display()
            ))
        })?;
        builder = builder.add_source(toml_source(&text, &path.display().to_string())?);
    }
    let common_url = environment.get("DATABASE_URL").cloned();
    // No `try_parsing`: the password 007 must not become 7.
    let environment = ::config::Environment::with_prefix(ENVIRONMENT_PREFIX)
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .source(Some(environment));
    let merged = builder
        .add_source(environment)
        .build()
        .and_then(|config| config.collect())
        .map_err(|error| ConfigError::Unreadable(format!("cannot combine the configuration: {error}")))?;
    let merged = merged.into_iter();
    let mut tree: Map<String, Value> = merged.map(|(key, value)| (key, json(value.kind))).collect();
    if let (Some(Value::Object(database)), Some(url)) = (tree.get_mut("database"), common_url) {
        let is_unset = |key: &&str| database.get(*key).is_none_or(|value| value == "");
        if ["url", "url_file"].iter().all(is_unset) {
            database.insert("url".to_owned(), url.into());
        }
    }
    Ok(tree)
}

/// Deserializing gives some keys a special meaning, see `crate::json`.
fn json(value: ValueKind) -> Value {
    match value {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(flag) => flag.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        ValueKind::I128(number) => number.to_string().into(),
        ValueKind::U128(number) => number.to_string().into(),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => text.into(),
        ValueKind::Table(table) => {
            let fields = table.into_iter().map(|(key, value)| (key, json(value.kind)));
            Value::Object(fields.collect())
        }
        ValueKind::Array(items) => items.into_iter().map(|item| json(item.kind)).collect(),
    }
}

fn toml_source(
    text: &str,
    name: &str,
) -> Result<::config::File<::config::FileSourceString, ::config::FileFormat>, ConfigError> {
    // The errors of `config` quote lines, which may hold secrets.
    if let Err(error) = toml::de::DeTable::parse(text) {
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        return Err(ConfigError::Unreadable(format!(
            "{name}, line {line}, is not valid TOML: {}",
            error.message()
        )));
    }
    Ok(::config::File::from_str(text, ::config::FileFormat::Toml))
}

fn environment() -> HashMap<String, String> {
    let text = |value: std::ffi::OsString| value.into_string().ok();
    std::env::vars_os()
        .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
        .collect()
}

/// Not `SMARTASSIST_ETL_SERVICE_HOST` and such, of Kubernetes.
fn unread(name: &str, tree: &Map<String, Value>) -> Option<String> {
    let key = name.strip_prefix(ENVIRONMENT_PREFIX)?.strip_prefix('_')?;
    let tables = tree.keys().map(String::as_str).chain(["accounts"]);
    let mut tables = tables.map(str::to_uppercase);
    tables.any(|table| key.starts_with(&table)).then(|| {
        format!(
            "{name} is not read: two underscores stand after the prefix and between keys, as in \
             {ENVIRONMENT_PREFIX}__LOG__LEVEL"
        )
    })
}

impl Section<'_> {
    /// Without a URL a private database would be used.
    fn database_password(&mut self, key: &str) -> Option<Option<Secret>> {
        let password = self.secret(key)?;
        if password.is_some() && !self.is_set("url") && !self.is_set("url_file") {
            return self.invalid(key, "is for the server of database.url, which is not set");
        }
        Some(password)
    }

    fn database_url(&mut self, key: &str) -> Option<Option<Secret>> {
        let url = self.secret(key)?;
        if let Some(Ok(text)) = url.as_ref().map(Secret::read) {
            let text = text.expose_secret();
            if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
                let expected = "must be a PostgreSQL URL, as in postgres://user@host:5432/database";
                return self.invalid(key, expected);
            }
            let parsed = reqwest::Url::parse(text);
            if parsed.is_ok_and(|url| url.password().is_some_and(secret::is_placeholder)) {
                return self.invalid(key, &format!("its password {}", secret::A_PLACEHOLDER));
            }
        }
        Some(url)
    }

    fn seconds_by_channel(&mut self, key: &str) -> Option<BTreeMap<String, i32>> {
        let channels = self.json_table(key)?;
        let names: Vec<String> = channels.keys().cloned().collect();
        let mut channels = self.nested(key, channels);
        let mut read = BTreeMap::new();
        for name in &names {
            let seconds = channels.integer(name, SERVICE_LEVEL_SECONDS);
            if read.insert(name.to_lowercase(), seconds).is_some() {
                channels.problem(name, "is given twice, in upper and in lower case");
            }
        }
        read.into_iter()
            .map(|(name, seconds)| Some((name, seconds?)))
            .collect()
    }

    fn readable_file(&mut self, key: &str) -> Option<Option<PathBuf>> {
        let file = self.path(key)?;
        if let Some(Err(error)) = file.as_ref().map(std::fs::File::open) {
            return self.invalid(key, &format!("cannot be read: {error}"));
        }
        Some(file)
    }

    fn address(&mut self, key: &str) -> Option<SocketAddr> {
        let expected = "an address and a port, as in 127.0.0.1:8080";
        self.required(key, expected, |text| text.parse().ok())
    }
}

/// An unknown bare word would silence all other targets.
fn log_level(text: &str) -> Option<String> {
    let is_bare = |directive: &&str| !directive.contains(['=', '[', ':']);
    let mut bare = text.split(',').map(str::trim).filter(is_bare);
    let is_level = bare.all(|word| word.parse::<LevelFilter>().is_ok())
        && tracing_subscriber::EnvFilter::try_new(text).is_ok();
    is_level.then(|| text.to_owned())
}
