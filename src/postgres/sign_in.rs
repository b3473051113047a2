//! Signing in to the configured server. A password that is replaced in its file is picked up without a
//! restart: once the server refuses us, the files are read again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use tracing::{info, warn};

use crate::config::{DatabaseConfig, Secret, SecretError, SessionConfig};
use crate::telemetry::chain;

use super::{OpenError, connect};

/// How we sign in, and where that is written.
#[derive(Debug)]
pub(super) struct SignIn {
    config: DatabaseConfig,
    used: Mutex<Used>,
}

/// What new connections sign in with.
#[derive(Debug)]
struct Used {
    secrets: Secrets,
    /// How often that was replaced.
    renewals: u64,
}

/// What the files hold.
#[derive(Debug)]
struct Secrets {
    url: SecretString,
    password: Option<SecretString>,
}

impl SignIn {
    /// As the configuration and its files say now; `None` where no server is configured.
    pub(super) fn read(config: &DatabaseConfig) -> Result<Option<Self>, SecretError> {
        let secrets = Secrets::read(config)?;
        Ok(secrets.map(|secrets| Self {
            config: config.clone(),
            used: Mutex::new(Used { secrets, renewals: 0 }),
        }))
    }

    /// How to connect with that.
    pub(super) fn options(&self) -> Result<PgConnectOptions, OpenError> {
        self.used().secrets.options(&self.config)
    }

    /// How often what we sign in with was replaced.
    pub(super) fn renewals(&self) -> u64 {
        self.used().renewals
    }

    /// Called by whoever was refused after so many renewals. Reads the files again, unless somebody else
    /// has meanwhile, and hands what is new to `take`. Returns whether another try makes sense.
    ///
    /// Another server or database than that of `before` is not taken: half of the connections would lead
    /// there, half here.
    pub(super) fn renew_since(
        &self,
        renewals: u64,
        before: &PgConnectOptions,
        take: impl FnOnce(PgConnectOptions, &SessionConfig),
    ) -> bool {
        let mut used = self.used();
        if used.renewals != renewals {
            return true;
        }
        let secrets = match Secrets::read(&self.config) {
            Ok(Some(secrets)) if !secrets.are_those_of(&used.secrets) => secrets,
            Ok(_) => return false,
            Err(error) => {
                warn!(
                    error = %chain(&error),
                    "the database refuses us, and the file to sign in with cannot be read again"
                );
                return false;
            }
        };
        match secrets.options(&self.config) {
            Ok(options) if is_same_database(&options, before) => take(options, &self.config.session),
            Ok(_) => {
                warn!(
                    remedy = "restart, if that is meant",
                    "the database refuses us, and its URL names another database now, which is not taken"
                );
                return false;
            }
            Err(error) => {
                warn!(error = %chain(&error), "the database refuses us, and what is new in the file is no good");
                return false;
            }
        }
        used.secrets = secrets;
        used.renewals += 1;
        info!("the database refused us; what its files say now is new, signing in with that");
        true
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secrets {
    fn read(config: &DatabaseConfig) -> Result<Option<Self>, SecretError> {
        let Some(url) = &config.url else { return Ok(None) };
        Ok(Some(Self {
            url: url.read()?,
            password: config.password.as_ref().map(Secret::read).transpose()?,
        }))
    }

    fn options(&self, config: &DatabaseConfig) -> Result<PgConnectOptions, OpenError> {
        connect::options(config, &self.url, self.password.as_ref())
    }

    fn are_those_of(&self, other: &Self) -> bool {
        self.exposed() == other.exposed()
    }

    fn exposed(&self) -> (&str, Option<&str>) {
        let password = self.password.as_ref().map(ExposeSecret::expose_secret);
        (self.url.expose_secret(), password)
    }
}

fn is_same_database(one: &PgConnectOptions, other: &PgConnectOptions) -> bool {
    let place = |options: &PgConnectOptions| {
        (
            options.get_host().to_owned(),
            options.get_port(),
            options.get_socket().cloned(),
            options.get_database().map(str::to_owned),
        )
    };
    place(one) == place(other)
}

/// Whether the server does not take user and password (`PostgreSQL` manual, appendix A: class 28). pgbouncer
/// says so, too, by 08P01.
pub(super) fn is_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code.starts_with("28") || code == "08P01")
}
