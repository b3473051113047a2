//! The configuration: `config/default.toml`, then a file, then the environment.
//!
//! It is read and checked whole before anything starts, and every problem found is reported at
//! once. Defaults live in `config/default.toml` alone.

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
pub use sync::{RefreshTier, SyncConfig};

use section::{Problems, Section};

/// What every environment variable of ours begins with; `__` follows, and stands between levels.
pub const ENVIRONMENT_PREFIX: &str = "SMARTASSIST_ETL";

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory for the private `PostgreSQL`.
    pub data_dir: PathBuf,
    /// Where the tables are.
    pub database: DatabaseConfig,
    /// The accounts to load, by name. Empty only where no command that needs one is run.
    pub accounts: Vec<AccountConfig>,
    /// When to poll, and how a worker behaves.
    pub sync: SyncConfig,
    /// What is stored beside the rows.
    pub storage: StorageConfig,
    /// What of people is kept.
    pub privacy: Policy,
    /// The operators' HTTP address.
    pub http: HttpConfig,
    /// Log lines.
    pub log: LogConfig,
    /// The keys of secrets that are written with something around them that is left out.
    pub trimmed_secrets: Vec<String>,
}

/// `storage.*`.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// Whether records are kept as received.
    pub raw: bool,
    /// How old an interaction may become; `None`: any age.
    pub retention: Option<TimeDelta>,
    /// When older ones are deleted.
    pub clean_up: Cron,
}

/// `http.*`.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Address of the status page, health and metrics.
    pub bind: SocketAddr,
    /// What the status page asks for; `None`: it is shown on this machine alone.
    pub token: Option<Secret>,
    /// Whether the metrics are shown to those alone who may see the page.
    pub protect_metrics: bool,
}

/// `log.*`.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `None`: pretty on a terminal, JSON elsewhere.
    pub format: Option<LogFormat>,
    /// A level or filter directives.
    pub level: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or the environment could not be read as configuration.
    #[error("{0}")]
    Unreadable(String),
    /// Everything that is wrong with the values.
    #[error("the configuration has {}:\n  - {}", count(.0.len()), .0.join("\n  - "))]
    Invalid(Vec<String>),
}

/// Bytes of `http.token`: a shorter one can be guessed.
pub const SHORTEST_TOKEN: usize = 16;

fn count(problems: usize) -> String {
    if problems == 1 {
        "a problem".to_owned()
    } else {
        format!("{problems} problems")
    }
}

/// This process's variables, without what is not UTF-8.
fn environment() -> std::collections::HashMap<String, String> {
    let text = |value: std::ffi::OsString| value.into_string().ok();
    std::env::vars_os()
        .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
        .collect()
}

impl Config {
    /// Reads the defaults, `file` and this process's environment, of which what is not UTF-8 is
    /// nobody's configuration.
    ///
    /// # Errors
    /// A file that cannot be read or parsed; unknown keys; missing or impossible values, all together.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::from_layers(file, environment())
    }

    /// As [`Config::load`], with the given variables in place of the environment.
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

    /// `http.bind` alone, whatever else is wrong: a daemon that runs lives by the configuration that it has read,
    /// not by the one that is being edited. A file that cannot be read says nothing.
    ///
    /// # Errors
    /// The environment cannot be read as configuration.
    pub fn load_bind(file: Option<&Path>) -> Result<SocketAddr, ConfigError> {
        let tree = layers::merge(file, environment()).or_else(|_| layers::merge(None, environment()))?;
        let problems = Problems::default();
        let mut root = Section::root(tree, &problems);
        Ok(HttpConfig::read_bind(&mut root.section("http")))
    }

    /// `None` only where a problem has been noted.
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

    /// Fails where no account is configured, for the commands that need one.
    ///
    /// # Errors
    /// No account is configured.
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

    /// Fails where an account starts after `now`: nothing before its start is wanted, so everything up to it would count as
    /// complete.
    ///
    /// # Errors
    /// Such accounts.
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
    /// `None` only where a problem has been noted.
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

/// Whether a text says what is logged. A bare word that is no level would be taken for the name of a part of the
/// program, and silence all others.
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
