//! The connection to PostgreSQL: the configured server, or a private one of our own.

mod connect;
mod data_dir;
mod fitness;
pub mod inspect;
mod migrate;
mod pool;
pub mod private;
mod reach;
mod settings;
mod sign_in;
mod trouble;
mod url;
mod watched;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::{Config, SecretError};

use sign_in::SignIn;

pub use connect::is_loopback;
pub use fitness::Unfit;
pub use migrate::{MigrationError, migrate, newest_migration};
pub use pool::Pool;
pub use private::{PrivateServer, PrivateServerError};
pub use trouble::{Trouble, UNREACHABLE_REMEDY, is_undefined, is_unreachable};

/// A private server that another process runs may be stopping with it: after so long we look who runs it now.
const JOINED_PATIENCE: Duration = Duration::from_secs(2);

/// The database, and its server where that is ours.
#[derive(Debug)]
pub struct Database {
    /// Connections to it.
    pub pool: Pool,
    server: Option<PrivateServer>,
}

/// The database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody answers, or we are not let in.
    #[error("the database is out of reach")]
    Unreachable(#[source] sqlx::Error),
    /// Nobody answered for as long as we were to wait.
    #[error("the database is out of reach; waited {waited} s for it")]
    Away {
        /// Seconds.
        waited: u64,
        /// What was wrong last.
        source: sqlx::Error,
    },
    /// The server does not prove that it is who it should be; nothing was sent.
    #[error("the database's certificate does not hold (database.ca_file names who may vouch for it)")]
    Certificate(#[source] sqlx::Error),
    /// The file of the URL or of the password cannot be read.
    #[error("cannot sign in to the database")]
    Secret(#[from] SecretError),
    /// The URL is no good.
    #[error("database.url cannot be used")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is there, and is none that we can use.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The private server does not start.
    #[error(transparent)]
    Private(#[from] PrivateServerError),
}

impl OpenError {
    /// What the operator can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable(error) | Self::Away { source: error, .. } => Trouble::of(error).remedy(),
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
}

impl Database {
    /// Connects, and waits for a server that is out of reach as long as one connection may take;
    /// without a configured URL, starts the private server, or joins another process's.
    ///
    /// # Errors
    /// The server cannot be reached or started, or does not let us in.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        let at_most = config.database.session.connect_timeout;
        Self::open_with(config, at_most, true).await
    }

    /// As [`Database::open`], for work that can wait: up to `database.wait_seconds`.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open_patiently(config: &Config) -> Result<Self, OpenError> {
        Self::open_with(config, config.database.wait, true).await
    }

    /// As [`Database::open`], for a process that stays: a private server is its own, so that it
    /// does not go with another process. Waits for that to end, however long it takes.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open_own(config: &Config) -> Result<Self, OpenError> {
        let at_most = config.database.session.connect_timeout;
        Self::open_with(config, at_most, false).await
    }

    async fn open_with(config: &Config, at_most: Duration, may_join: bool) -> Result<Self, OpenError> {
        let deadline = Instant::now() + at_most;
        loop {
            let database = Self::find(config, may_join).await?;
            let is_joined = database.server.as_ref().is_some_and(PrivateServer::is_joined);
            let until = if is_joined {
                deadline.min(Instant::now() + JOINED_PATIENCE)
            } else {
                deadline
            };
            match database
                .reach(config.database.session.connect_timeout, until)
                .await
            {
                Ok(()) => return Ok(database),
                // It goes with the process that ran it; then it is ours to run.
                Err(OpenError::Away { .. }) if is_joined && Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The server that is configured, or the private one, running.
    async fn find(config: &Config, may_join: bool) -> Result<Self, OpenError> {
        let session = &config.database.session;
        if let Some(sign_in) = SignIn::read(&config.database)? {
            let pool = Pool::new(sign_in.options()?, session).signing_in_by(sign_in);
            return Ok(Self { pool, server: None });
        }
        let binaries = config.database.server_binaries.as_deref();
        let server = PrivateServer::start(&config.data_dir, binaries, &[], may_join).await?;
        Ok(Self {
            pool: Pool::new(server.options(), session),
            server: Some(server),
        })
    }

    /// Returns once the server lets us in and is one that we can use. A single try may take `patience`.
    async fn reach(&self, patience: Duration, deadline: Instant) -> Result<(), OpenError> {
        loop {
            reach::wait_for(&self.pool.options(), patience, deadline).await?;
            match fitness::unfit(&self.pool).await {
                Ok(None) => return Ok(()),
                Ok(Some(unfit)) => return Err(unfit.into()),
                // It has gone again.
                Err(error) if is_unreachable(&error) && Instant::now() < deadline => {}
                Err(error) => return Err(OpenError::Unreachable(error)),
            }
        }
    }

    /// Whether the server is to be a private one of ours, made or not.
    pub fn is_private(config: &Config) -> bool {
        config.database.url.is_none()
    }

    /// Whether there is one to open: one was configured, or a private one was made. Changes nothing.
    pub fn is_made(config: &Config) -> bool {
        !Self::is_private(config) || PrivateServer::is_made(&config.data_dir)
    }

    /// Closes all connections, and stops the private server where there is one.
    pub async fn close(self) {
        self.pool.close().await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }

    /// Waits until our private server has ended by itself, and gives that as an error. Pending for
    /// ever where the server is not ours.
    pub async fn server_ended(&self) -> PrivateServerError {
        match &self.server {
            Some(server) => server.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Says in the log where the data is.
    pub fn announce(&self) {
        match &self.server {
            Some(server) => info!(psql = server.psql_command(), "private PostgreSQL is running"),
            None => {
                let options = self.pool.options();
                info!(
                    host = options.get_host(),
                    port = options.get_port(),
                    database = options.get_database(),
                    sslmode = connect::ssl_mode(&options),
                    "connected to PostgreSQL"
                );
                warn_of_plain_text(&options);
            }
        }
    }
}

/// Said at every start: whoever asked for it may no longer be there.
fn warn_of_plain_text(options: &PgConnectOptions) {
    let risk = match options.get_ssl_mode() {
        _ if connect::is_on_this_machine(options) => return,
        PgSslMode::VerifyFull | PgSslMode::VerifyCa => return,
        PgSslMode::Require => {
            "the server's certificate is not checked: anybody in between can read and change all"
        }
        _ => "the connection is not encrypted: anybody in between can read and change all",
    };
    warn!(
        risk,
        remedy = "use sslmode=verify-full, with database.ca_file for an authority of your own",
        "the database is reached without protection, as sslmode asks"
    );
}

/// Whether the database answers a query now.
///
/// # Errors
/// It does not.
pub async fn ping(pool: &Pool) -> Result<(), sqlx::Error> {
    sqlx::query("select 1").execute(pool).await?;
    Ok(())
}
