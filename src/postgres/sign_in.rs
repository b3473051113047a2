//! Signing in; after a refusal the secret files are read again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use tracing::{info, warn};

use crate::config::{DatabaseConfig, Secret, SecretError, SessionConfig};
use crate::telemetry::chain;

use super::{OpenError, connect};

#[derive(Debug)]
pub(super) struct SignIn {
    config: DatabaseConfig,
    used: Mutex<Used>,
}

#[derive(Debug)]
struct Used {
    secrets: Secrets,
    renewals: u64,
}

#[derive(Debug)]
struct Secrets {
    url: SecretString,
    password: Option<SecretString>,
}

impl SignIn {
    pub(super) fn read(config: &DatabaseConfig) -> Result<Option<Self>, SecretError> {
        let secrets = Secrets::read(config)?;
        Ok(secrets.map(|secrets| Self {
            config: config.clone(),
            used: Mutex::new(Used { secrets, renewals: 0 }),
        }))
    }

    pub(super) fn options(&self) -> Result<PgConnectOptions, OpenError> {
        self.used().secrets.options(&self.config)
    }

    pub(super) fn renewals(&self) -> u64 {
        self.used().renewals
    }

    /// Refuses another database: it would split the pool.
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

/// PostgreSQL manual, appendix A, class 28; pgbouncer sends 08P01.
pub(super) fn is_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code.starts_with("28") || code == "08P01")
}
