//! Layers `config/default.toml`, which explains each key, a file and the environment.

mod account;
mod cron;
mod database;
mod layers;
mod limits;
mod privacy;
mod reporting;
mod secret;
mod section;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use tracing_subscriber::filter::LevelFilter;

pub use account::{
    AccountConfig, Credentials, Direction, Filters, ResponseLimits, RetryPolicy, parse_instant,
};
pub use cron::Cron;
pub use database::{DatabaseConfig, SessionConfig};
pub use limits::{BudgetSpan, RequestLimits};
pub use privacy::{Class, Policy, PrivacyKey, Rule};
pub use reporting::Reporting;
pub use secret::{Secret, SecretError};
pub use sync::{RefreshEntry, RefreshPolicy, Selection, SyncConfig};

pub(crate) use section::nearest;

use section::{Problems, Section, settings};

pub const ENVIRONMENT_PREFIX: &str = "SMARTASSIST_ETL";

/// In bytes; shorter ones are guessable.
pub const SHORTEST_TOKEN: usize = 16;

settings! {
    Config {
        data_dir: PathBuf = required_path("data_dir");
        database: DatabaseConfig = section("database", DatabaseConfig::read);
        accounts: Vec<AccountConfig> = accounts();
        sync: SyncConfig = section("sync", SyncConfig::read);
        storage: StorageConfig = section("storage", StorageConfig::read);
        privacy: Policy = section("privacy", Policy::read);
        http: HttpConfig = section("http", HttpConfig::read);
        log: LogConfig = section("log", LogConfig::read);
        trimmed_secrets: Vec<String> = trimmed_secrets();
    }
}

settings! {
    StorageConfig {
        raw: bool = flag("raw");
        /// `None`: for ever.
        retention: Option<TimeDelta> = span_or_off("retention_days", 0..=36_500, TimeDelta::days);
        clean_up: Cron = cron("clean_up");
    }
}

settings! {
    HttpConfig {
        bind: SocketAddr = address("bind");
        /// `None`: local access only.
        token: Option<Secret> = long_secret("token", SHORTEST_TOKEN);
        protect_metrics: bool = flag("protect_metrics");
    }
}

settings! {
    LogConfig {
        /// `None`: pretty on terminals, else JSON.
        format: Option<LogFormat> = choice("format", &[("json", LogFormat::Json), ("pretty", LogFormat::Pretty)]);
        /// Level or directives.
        level: String = log_level("level");
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

fn environment() -> HashMap<String, String> {
    let text = |value: std::ffi::OsString| value.into_string().ok();
    std::env::vars_os()
        .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
        .collect()
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
        let tree = layers::merge(file, environment)?;
        let problems = Problems::default();
        let config = Section::new(String::new(), tree, &problems).read_all(Self::read);
        let problems = problems.found.into_inner();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError::Invalid(problems)),
        }
    }

    /// Ignores other problems: a running daemon may predate edits.
    pub fn load_bind(file: Option<&Path>) -> Result<SocketAddr, ConfigError> {
        let tree = layers::merge(file, environment()).or_else(|_| layers::merge(None, environment()))?;
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
    ///
    /// # Errors
    /// A start is after `now`.
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

impl Section<'_> {
    fn address(&mut self, key: &str) -> Option<SocketAddr> {
        let expected = "an address and a port, as in 127.0.0.1:8080";
        self.required(key, expected, |text| text.parse().ok())
    }

    fn log_level(&mut self, key: &str) -> Option<String> {
        let expected = "error, warn, info, debug, trace, or directives such as info,smartassist_etl=debug";
        self.required(key, expected, |text| is_level(text).then(|| text.to_owned()))
    }
}

/// An unknown bare word would silence all other targets.
fn is_level(text: &str) -> bool {
    let is_bare = |directive: &&str| !directive.contains(['=', '[', ':']);
    let mut bare = text.split(',').map(str::trim).filter(is_bare);
    bare.all(|word| word.parse::<LevelFilter>().is_ok())
        && tracing_subscriber::EnvFilter::try_new(text).is_ok()
}
