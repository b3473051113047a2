//! `database.*`: where the tables are, and how they are reached.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::seconds;
use super::secret::{self, Secret};
use super::section::Section;

/// `database.*`.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `PostgreSQL` URL; `None` means a private server of our own.
    pub url: Option<Secret>,
    /// The password; `None`: that of the URL, if it has one.
    pub password: Option<Secret>,
    /// Certificates (PEM) of those who may vouch for the server; `None`: the well-known authorities.
    pub ca_file: Option<PathBuf>,
    /// How long a command waits for a server that is away.
    pub wait: Duration,
    /// Where the private server's binaries are; `None`: where systems put them.
    pub server_binaries: Option<PathBuf>,
    /// How connections behave.
    pub session: SessionConfig,
}

/// How connections to the database behave.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Connections, at most.
    pub max_connections: u32,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// Prepared statements that a connection keeps; 0: there is a pooler that gives each transaction
    /// another session.
    pub statement_cache: usize,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// How long a statement may wait for what another one holds.
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
            // Ignored, it would go with a database that nobody meant: a private one.
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
