//! Layers `config/default.toml`, which explains each key, a file and the environment.

mod account;
mod cron;
mod database;
mod layers;
mod limits;
mod policy;
mod privacy;
mod secret;
mod section;
mod sync;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use tracing_subscriber::filter::LevelFilter;

pub use account::{
    AccountConfig, Credentials, Direction, Filters, ResponseLimits, RetryPolicy, parse_instant,
};
pub use cron::Cron;
pub use database::{DatabaseConfig, SessionConfig};
pub use limits::{BudgetSpan, RequestLimits};
pub use policy::{Class, Key, Policy, Rule};
pub use secret::{Secret, SecretError};
pub use sync::{RefreshPolicy, RefreshTier, Selection, SyncConfig};

use section::{Problems, Section};

/// Environment variable prefix.
pub const ENVIRONMENT_PREFIX: &str = "SMARTASSIST_ETL";

/// Checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the private `PostgreSQL`.
    pub data_dir: PathBuf,
    /// `database.*`.
    pub database: DatabaseConfig,
    /// May be empty.
    pub accounts: Vec<AccountConfig>,
    /// `sync.*`.
    pub sync: SyncConfig,
    /// `storage.*`.
    pub storage: StorageConfig,
    /// `privacy.*`.
    pub privacy: Policy,
    /// `http.*`.
    pub http: HttpConfig,
    /// `log.*`.
    pub log: LogConfig,
    /// Keys of trimmed secrets.
    pub trimmed_secrets: Vec<String>,
}

/// `storage.*`.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// Keeps raw records.
    pub raw: bool,
    /// `None`: for ever.
    pub retention: Option<TimeDelta>,
    /// When to delete.
    pub clean_up: Cron,
}

/// `http.*`.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Listening address.
    pub bind: SocketAddr,
    /// `None`: local access only.
    pub token: Option<Secret>,
    /// Protects `/metrics` too.
    pub protect_metrics: bool,
}

/// `log.*`.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `None`: pretty on terminals, else JSON.
    pub format: Option<LogFormat>,
    /// Level or directives.
    pub level: String,
}

/// Log format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One object per line.
    Json,
    /// For people.
    Pretty,
}

/// Unusable configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Unreadable source.
    #[error("{0}")]
    Unreadable(String),
    /// All problems.
    #[error("the configuration has {}:\n  - {}", count(.0.len()), .0.join("\n  - "))]
    Invalid(Vec<String>),
}

/// In bytes; shorter ones are guessable.
pub const SHORTEST_TOKEN: usize = 16;

fn count(problems: usize) -> String {
    if problems == 1 {
        "a problem".to_owned()
    } else {
        format!("{problems} problems")
    }
}

fn environment() -> std::collections::HashMap<String, String> {
    let text = |value: std::ffi::OsString| value.into_string().ok();
    std::env::vars_os()
        .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
        .collect()
}

impl Config {
    /// Reads all sources, skipping non-UTF-8 variables.
    ///
    /// # Errors
    /// Unreadable sources or invalid values.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::from_layers(file, environment())
    }

    /// `load` with this environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_layers(
        file: Option<&Path>,
        environment: std::collections::HashMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let database_url = environment
            .get("DATABASE_URL")
            .filter(|url| !url.is_empty())
            .cloned();
        let tree = layers::merge(file, environment)?;
        let problems = Problems::default();
        let mut root = Section::root(tree, &problems);
        let config = Self::read(&mut root, database_url);
        root.finish();
        match (config, problems.into_parts()) {
            (Some(config), (problems, trimmed_secrets)) if problems.is_empty() => Ok(Self {
                trimmed_secrets,
                ..config
            }),
            (_, (problems, _)) => Err(ConfigError::Invalid(problems)),
        }
    }

    /// Ignores other problems: a running daemon may predate edits.
    ///
    /// # Errors
    /// Invalid environment.
    pub fn load_bind(file: Option<&Path>) -> Result<SocketAddr, ConfigError> {
        let tree = layers::merge(file, environment()).or_else(|_| layers::merge(None, environment()))?;
        let problems = Problems::default();
        let mut root = Section::root(tree, &problems);
        Ok(HttpConfig::read_bind(&mut root.section("http")))
    }

    fn read(root: &mut Section<'_>, database_url: Option<String>) -> Option<Self> {
        let data_dir = root.required_text("data_dir").into();
        let database = DatabaseConfig::read(root.section("database"), database_url);
        let accounts = account::read_all(root);
        let sync = SyncConfig::read(root.section("sync"));
        let storage = StorageConfig::read(root.section("storage"));
        let privacy = privacy::read(root.section("privacy"));
        let http = HttpConfig::read(root.section("http"));
        let log = LogConfig::read(root.section("log"));
        Some(Self {
            data_dir,
            database,
            accounts,
            sync: sync?,
            storage: storage?,
            privacy,
            http,
            log,
            trimmed_secrets: Vec::new(),
        })
    }

    /// Requires an account.
    ///
    /// # Errors
    /// No account.
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

impl StorageConfig {
    fn read(mut section: Section<'_>) -> Option<Self> {
        let raw = section.flag("raw");
        let days: i64 = section.integer("retention_days", &(0..=36_500));
        let clean_up = section.required("clean_up", sync::A_CRON, sync::parse_cron);
        section.finish();
        Some(Self {
            raw,
            retention: (days > 0).then(|| TimeDelta::days(days)),
            clean_up: clean_up?,
        })
    }
}

impl HttpConfig {
    fn read(mut section: Section<'_>) -> Self {
        let bind = Self::read_bind(&mut section);
        let token = section.secret("token");
        if let Some(Ok(text)) = token.as_ref().map(Secret::read)
            && text.expose_secret().len() < SHORTEST_TOKEN
        {
            section.problem(
                "token",
                &format!("must have {SHORTEST_TOKEN} characters at least, as of: openssl rand -hex 24"),
            );
        }
        let protect_metrics = section.flag("protect_metrics");
        section.finish();
        Self {
            bind,
            token,
            protect_metrics,
        }
    }

    fn read_bind(section: &mut Section<'_>) -> SocketAddr {
        let bind = section.parsed("bind", "an address and a port, as in 127.0.0.1:8080", |text| {
            text.parse().ok()
        });
        bind.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)))
    }
}

/// An unknown bare word would silence all other targets.
fn is_level(text: &str) -> bool {
    let is_bare = |directive: &&str| !directive.contains(['=', '[', ':']);
    let bare = text.split(',').map(str::trim).filter(is_bare);
    bare.clone().all(|word| word.parse::<LevelFilter>().is_ok())
        && tracing_subscriber::EnvFilter::try_new(text).is_ok()
}

impl LogConfig {
    fn read(mut section: Section<'_>) -> Self {
        let format = section.parsed("format", "json or pretty", |text| match text {
            "json" => Some(LogFormat::Json),
            "pretty" => Some(LogFormat::Pretty),
            _ => None,
        });
        let level = section.parsed(
            "level",
            "error, warn, info, debug, trace, or directives such as info,smartassist_etl=debug",
            |text| is_level(text).then(|| text.to_owned()),
        );
        section.finish();
        Self {
            format,
            level: level.unwrap_or_default(),
        }
    }
}

fn seconds(section: &mut Section<'_>, key: &str, range: std::ops::RangeInclusive<i64>) -> Duration {
    Duration::from_secs(section.integer(key, &range))
}
