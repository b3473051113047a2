//! Signing in; after a rejection the secret files are read again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use tracing::{info, warn};

use crate::config::{DatabaseConfig, Secret, SecretError};
use crate::telemetry::chain;

use super::{OpenError, connect};

#[derive(Debug)]
pub(super) struct SignIn {
    config: DatabaseConfig,
    used: Mutex<Secrets>,
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
            used: Mutex::new(secrets),
        }))
    }

    pub(super) fn options(&self) -> Result<PgConnectOptions, OpenError> {
        self.used().options(&self.config)
    }

    /// Passes new options on, if the files hold other secrets than those used.
    pub(super) fn renew(&self, before: &PgConnectOptions, pass_on: impl FnOnce(PgConnectOptions)) {
        let mut used = self.used();
        match self.read_new(&used, before) {
            Ok(Some((secrets, options))) => {
                info!("the database rejected us; signing in with the new secret of its file");
                *used = secrets;
                pass_on(options);
            }
            Ok(None) => {}
            Err(error) => warn!(
                error = %chain(&error),
                remedy = error.remedy(),
                "the database rejected us, and what its files say now cannot be used"
            ),
        }
    }

    /// Refuses another database: it would split the pool.
    fn read_new(
        &self,
        used: &Secrets,
        before: &PgConnectOptions,
    ) -> Result<Option<(Secrets, PgConnectOptions)>, OpenError> {
        let secrets = Secrets::read(&self.config)?.filter(|secrets| secrets.exposed() != used.exposed());
        let Some(secrets) = secrets else { return Ok(None) };
        let options = secrets.options(&self.config)?;
        if is_same_database(&options, before) {
            Ok(Some((secrets, options)))
        } else {
            Err(OpenError::Url(
                "it names another database now: restart, if that is meant".into(),
            ))
        }
    }

    fn used(&self) -> MutexGuard<'_, Secrets> {
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

    fn exposed(&self) -> (&str, Option<&str>) {
        let password = self.password.as_ref().map(ExposeSecret::expose_secret);
        (self.url.expose_secret(), password)
    }
}

fn is_same_database(one: &PgConnectOptions, other: &PgConnectOptions) -> bool {
    let address = |options: &PgConnectOptions| {
        let socket = options.get_socket().cloned();
        let database = options.get_database().map(str::to_owned);
        (
            options.get_host().to_owned(),
            options.get_port(),
            socket,
            database,
        )
    };
    address(one) == address(other)
}
