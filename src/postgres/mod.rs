//! Reaching the database.

mod connect;
mod error_kind;
mod migrate;
mod pool;
pub mod private;
mod url;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::{Config, SecretError};
use crate::telemetry::chain;

use connect::SignIn;
use error_kind::is_worth_waiting;

pub use connect::is_loopback;
pub(crate) use connect::{is_on_this_machine, ssl_mode};
pub use error_kind::{DatabaseErrorKind, UNREACHABLE_REMEDY, is_undefined, is_unreachable};
pub use migrate::{MigrationError, check_applied, migrate, newest_migration};
pub use pool::Pool;
pub use private::{PrivateServer, PrivateServerError};

const RETRY_PAUSE: Duration = Duration::from_secs(1);

const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// A daemon that restarts starts the private server, and would wait for ours.
const LEFT_TO_A_DAEMON: Duration = Duration::from_secs(15);

/// A joined server may stop with its process.
const JOINED_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Database {
    pub pool: Pool,
    server: Option<PrivateServer>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot connect to the database, {place}")]
    Unreachable { place: String, source: sqlx::Error },
    #[error("the database is out of reach, {place}; waited {waited} s for it")]
    StillUnreachable {
        place: String,
        waited: u64,
        source: sqlx::Error,
    },
    #[error("the database's certificate does not hold")]
    Certificate(#[source] sqlx::Error),
    #[error("cannot sign in to the database")]
    Secret(#[from] SecretError),
    #[error("database.url cannot be used")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    Private(#[from] PrivateServerError),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "the database's encoding is {0}, which cannot hold every text: make another database (create database <name> \
         encoding 'UTF8' template template0) and name it in database.url"
    )]
    Encoding(String),
    /// Foreign keys and triggers are off.
    #[error(
        "session_replication_role is {0} for our user, so foreign keys and triggers do nothing: alter role <our user> \
         reset session_replication_role (and the same for the database)"
    )]
    Replica(String),
}

impl OpenError {
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable { source, .. } | Self::StillUnreachable { source, .. } => {
                DatabaseErrorKind::of(source).remedy()
            }
            Self::Certificate(_) => {
                "have database.ca_file name who vouches for the server, and database.url the host that its \
                 certificate is for"
            }
            Self::Secret(_) => "check that the file exists, holds the secret, and that this user may read it",
            Self::Url(_) => "see what config/default.toml says of database.url",
            Self::Unfit(_) => "do what the error says",
            Self::Private(_) => "do what the error says; server.log under data_dir says more",
        }
    }

    /// Whether configuration or database must be changed first.
    pub fn is_of_configuration(&self) -> bool {
        matches!(self, Self::Url(_) | Self::Secret(_) | Self::Unfit(_))
    }

    /// A secret file is briefly absent while it is replaced.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::Url(_) | Self::Unfit(_) | Self::Private(_))
    }
}

impl Database {
    /// Waits up to the connect timeout; may join a private server.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        Self::open_within(config, config.database.session.connect_timeout, true).await
    }

    /// Waits up to `database.wait_seconds`.
    pub async fn open_waiting(config: &Config) -> Result<Self, OpenError> {
        Self::open_within(config, config.database.wait, true).await
    }

    /// Never joins: waits until the other process ends.
    pub async fn open_own(config: &Config) -> Result<Self, OpenError> {
        Self::open_within(config, config.database.session.connect_timeout, false).await
    }

    async fn open_within(config: &Config, timeout: Duration, may_join: bool) -> Result<Self, OpenError> {
        let deadline = Instant::now() + timeout;
        let connect_timeout = config.database.session.connect_timeout;
        loop {
            let database = Self::find(config, may_join).await?;
            let is_joined = database.server.as_ref().is_some_and(PrivateServer::is_joined);
            let until = match is_joined {
                true => deadline.min(Instant::now() + JOINED_TIMEOUT),
                false => deadline,
            };
            match wait_for(&database.pool, connect_timeout, until).await {
                Ok(()) => return Ok(database),
                Err(OpenError::StillUnreachable { .. }) if is_joined && Instant::now() < deadline => {}
                // Whoever started it has not set it up yet.
                Err(OpenError::Unreachable { .. }) if is_joined && Instant::now() < deadline => {
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn find(config: &Config, may_join: bool) -> Result<Self, OpenError> {
        let session = &config.database.session;
        if let Some(sign_in) = SignIn::read(&config.database)? {
            let pool = Pool::new(sign_in.options()?, session).signing_in_by(sign_in);
            return Ok(Self { pool, server: None });
        }
        let binaries = config.database.server_binaries.as_deref();
        let server = PrivateServer::start(&config.data_dir, binaries, may_join).await?;
        Ok(Self {
            pool: Pool::new(server.options(), session),
            server: Some(server),
        })
    }

    pub fn is_private(config: &Config) -> bool {
        config.database.url.is_none()
    }

    pub fn is_made(config: &Config) -> bool {
        !Self::is_private(config) || PrivateServer::is_made(&config.data_dir)
    }

    /// Also stops our private server.
    pub async fn close(self) {
        self.pool.close().await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }

    /// Waits up to `database.wait_seconds` for a server that went away.
    pub async fn wait_again(&self, config: &Config) -> Result<(), OpenError> {
        tokio::time::sleep(RETRY_PAUSE).await;
        let began = Instant::now();
        let ask = async || {
            if began.elapsed() >= LEFT_TO_A_DAEMON {
                self.rejoin(config).await?;
            }
            match ping(&self.pool).await {
                Err(error) if is_unreachable(&error) => Err(unreachable(&self.pool.options(), error)),
                // The work reports other errors.
                _ => Ok(()),
            }
        };
        wait(config.database.wait, ask, |_| true).await
    }

    /// A private server that we joined stops with its process.
    async fn rejoin(&self, config: &Config) -> Result<(), PrivateServerError> {
        let Some(server) = self.server.as_ref().filter(|server| server.is_joined()) else {
            return Ok(());
        };
        let binaries = config.database.server_binaries.as_deref();
        server.run_or_join(binaries, true).await?;
        if !server.is_joined() {
            self.announce();
        }
        Ok(())
    }

    /// Pending until our private server ends.
    pub async fn server_ended(&self) -> PrivateServerError {
        match &self.server {
            Some(server) => server.ended().await,
            None => std::future::pending().await,
        }
    }

    pub fn announce(&self) {
        match &self.server {
            Some(server) => info!(psql = server.psql_command(), "private PostgreSQL is running"),
            None => {
                let options = self.pool.options();
                info!(
                    place = place(&options),
                    sslmode = ssl_mode(&options),
                    "connected to PostgreSQL"
                );
                if let Some(risk) = risk(&options) {
                    warn!(
                        risk,
                        remedy = RISK_REMEDY,
                        "the database is reached without protection, as sslmode asks"
                    );
                }
            }
        }
    }
}

pub(crate) const RISK_REMEDY: &str =
    "use sslmode=verify-full, with database.ca_file for an authority of your own";

/// On the way to the server.
pub(crate) fn risk(options: &PgConnectOptions) -> Option<&'static str> {
    match options.get_ssl_mode() {
        _ if is_on_this_machine(options) => None,
        PgSslMode::VerifyFull | PgSslMode::VerifyCa => None,
        PgSslMode::Require => {
            Some("the server's certificate is not checked: anybody in between can read and change all")
        }
        _ => Some("the connection is not encrypted: anybody in between can read and change all"),
    }
}

fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(directory) => format!("{database} in {}", directory.display()),
        None => format!("{database} at {}:{}", options.get_host(), options.get_port()),
    }
}

fn unreachable(options: &PgConnectOptions, source: sqlx::Error) -> OpenError {
    let place = place(options);
    OpenError::Unreachable { place, source }
}

/// Waits at startup for the server, and refuses a database that our settings cannot repair.
async fn wait_for(pool: &Pool, connect_timeout: Duration, deadline: Instant) -> Result<(), OpenError> {
    loop {
        wait_for_connection(&pool.options(), connect_timeout, deadline).await?;
        match unfit(pool).await {
            Ok(None) => return Ok(()),
            Ok(Some(unfit)) => return Err(unfit.into()),
            Err(error) if is_unreachable(&error) && Instant::now() < deadline => {}
            Err(error) => return Err(unreachable(&pool.options(), error)),
        }
    }
}

async fn wait_for_connection(
    options: &PgConnectOptions,
    connect_timeout: Duration,
    deadline: Instant,
) -> Result<(), OpenError> {
    let began = Instant::now();
    let connect = async || {
        // The pool would retry without logging.
        let attempt = PgConnection::connect_with(options);
        let until = deadline.min(Instant::now() + connect_timeout);
        let attempt = tokio::time::timeout_at(until, attempt).await;
        attempt.unwrap_or_else(|_| Err(pool::connect_timeout()))
    };
    let may_pass = |error: &sqlx::Error| !connect::is_of_certificate(error) && is_worth_waiting(error);
    match wait(deadline - began, connect, may_pass).await {
        Ok(connection) => {
            let closed = connection.close().await;
            closed.map_err(|error| unreachable(options, error))
        }
        Err(error) if connect::is_of_certificate(&error) => Err(OpenError::Certificate(error)),
        Err(source) if may_pass(&source) => Err(OpenError::StillUnreachable {
            place: place(options),
            waited: began.elapsed().as_secs(),
            source,
        }),
        Err(error) => Err(unreachable(options, error)),
    }
}

/// Repeats what may pass; the last error after `limit`.
async fn wait<T, E: std::error::Error + 'static>(
    limit: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
    may_pass: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let began = Instant::now();
    let mut logged_at: Option<Instant> = None;
    loop {
        let done = attempt().await;
        let waited_seconds = began.elapsed().as_secs();
        let error = match done {
            Err(error) if may_pass(&error) && began.elapsed() + RETRY_PAUSE < limit => error,
            Ok(_) if logged_at.is_some() => {
                info!(waited_seconds, "the database is there, going on");
                return done;
            }
            _ => return done,
        };
        if logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            logged_at = Some(Instant::now());
            let wait_seconds = limit.as_secs();
            warn!(error = %chain(&error), waited_seconds, wait_seconds, "database is out of reach, waiting for it");
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn unfit(pool: &Pool) -> Result<Option<Unfit>, sqlx::Error> {
    let settings = "select current_setting('server_encoding'), current_setting('session_replication_role')";
    let (encoding, role): (String, String) = sqlx::query_as(settings).fetch_one(pool).await?;
    Ok(if encoding != "UTF8" {
        Some(Unfit::Encoding(encoding))
    } else if role != "origin" {
        Some(Unfit::Replica(role))
    } else {
        None
    })
}

pub async fn ping(pool: &Pool) -> Result<(), sqlx::Error> {
    sqlx::query("select 1").execute(pool).await?;
    Ok(())
}
