//! Database settings.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::seconds;
use super::secret::{self, Secret};
use super::section::Section;

/// `database.*`.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `None`: a private server.
    pub url: Option<Secret>,
    /// Overrides the URL's.
    pub password: Option<Secret>,
    /// `None`: public authorities.
    pub ca_file: Option<PathBuf>,
    /// `database.wait_seconds`.
    pub wait: Duration,
    /// `database.server_binaries`.
    pub server_binaries: Option<PathBuf>,
    /// Connections.
    pub session: SessionConfig,
}

/// Connection settings.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// `database.max_connections`.
    pub max_connections: u32,
    /// `database.connect_timeout_seconds`.
    pub connect_timeout: Duration,
    /// 0 behind a transaction pooler.
    pub statement_cache: usize,
    /// `database.statement_timeout_seconds`.
    pub statement_timeout: Duration,
    /// `database.lock_timeout_seconds`.
    pub lock_timeout: Duration,
}

impl DatabaseConfig {
    pub(super) fn read(mut section: Section<'_>, from_environment: Option<String>) -> Self {
        let url = section.secret("url").or_else(|| {
            let url = Secret::Inline(from_environment?.into());
            section.look_at_secret("url", &url);
            Some(url)
        });
        if let Some(Ok(text)) = url.as_ref().map(Secret::read) {
            check_url(&section, text.expose_secret());
        }
        let password = section.secret("password");
        if password.is_some() && url.is_none() {
            // Else a private database would be used.
            section.problem("password", "is for the server of database.url, which is not set");
        }
        let ca_file = section.text("ca_file").map(PathBuf::from);
        if let Some(Err(error)) = ca_file.as_ref().map(std::fs::File::open) {
            section.problem("ca_file", &format!("cannot be read: {error}"));
        }
        let config = Self {
            url,
            password,
            ca_file,
            wait: seconds(&mut section, "wait_seconds", 1..=86_400),
            server_binaries: section.text("server_binaries").map(PathBuf::from),
            session: SessionConfig::read(&mut section),
        };
        section.finish();
        config
    }
}

fn check_url(section: &Section<'_>, url: &str) {
    let schemes = ["postgres://", "postgresql://"];
    if !schemes.iter().any(|scheme| url.starts_with(scheme)) {
        let expected = "must be a PostgreSQL URL, as in postgres://user@host:5432/database";
        section.problem("url", expected);
    }
    let parsed = reqwest::Url::parse(url);
    if parsed.is_ok_and(|url| url.password().is_some_and(secret::is_placeholder)) {
        section.problem("url", &format!("its password {}", secret::A_PLACEHOLDER));
    }
}

impl SessionConfig {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            max_connections: section.integer("max_connections", &(2..=1_000)),
            connect_timeout: seconds(section, "connect_timeout_seconds", 1..=3_600),
            statement_cache: section.integer("statement_cache", &(0..=10_000)),
            statement_timeout: seconds(section, "statement_timeout_seconds", 1..=86_400),
            lock_timeout: seconds(section, "lock_timeout_seconds", 1..=3_600),
        }
    }
}
