//! How to reach the configured server; after a rejection the secret files are read again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tracing::{info, warn};

use crate::config::{DatabaseConfig, Secret, SecretError};
use crate::telemetry::chain;

use super::OpenError;
use super::url;

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
        options(config, &self.url, self.password.as_ref())
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

/// Remote servers (or `ca_file`) need a certificate unless `sslmode` says otherwise.
fn options(
    config: &DatabaseConfig,
    url: &SecretString,
    password: Option<&SecretString>,
) -> Result<PgConnectOptions, OpenError> {
    let refused = |why: String| OpenError::Url(why.into());
    url::check_variables(|name| std::env::var(name).ok()).map_err(refused)?;
    let (url, ignored) = url::parse(url.expose_secret()).map_err(refused)?;
    for parameter in ignored {
        let remedy = "leave it out";
        warn!(parameter, remedy, "a parameter of database.url has no effect");
    }
    // The parser's error may quote secrets.
    let invalid = |_| refused(url::NO_URL.to_owned());
    let mut options: PgConnectOptions = url.as_str().parse().map_err(invalid)?;
    if let Some(password) = password {
        options = options.password(password.expose_secret());
    }
    if let Some(file) = &config.ca_file {
        options = options.ssl_root_cert(file);
    }
    if config.ca_file.is_none() && is_on_this_machine(&options) {
        return Ok(options);
    }
    match options.get_ssl_mode() {
        _ if !names_ssl_mode(&url) => Ok(options.ssl_mode(PgSslMode::VerifyFull)),
        PgSslMode::Allow | PgSslMode::Prefer => Err(refused(
            "its sslmode (or PGSSLMODE) falls back to plain text silently: say verify-full, or disable if plain \
             text is what you want"
                .to_owned(),
        )),
        _ => Ok(options),
    }
}

pub(super) fn is_of_certificate(error: &sqlx::Error) -> bool {
    chain(error).to_string().contains("invalid peer certificate")
}

/// PostgreSQL manual, "SSL Support", 34.19.3.
pub(crate) fn ssl_mode(options: &PgConnectOptions) -> &'static str {
    match options.get_ssl_mode() {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

pub(crate) fn is_on_this_machine(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some() || host.starts_with('/') || is_loopback(host)
}

pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn names_ssl_mode(url: &Url) -> bool {
    let mut names = url.query_pairs().map(|(name, _)| name);
    names.any(|name| matches!(name.as_ref(), "sslmode" | "ssl-mode"))
        || std::env::var_os("PGSSLMODE").is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::config::Config;

    fn mode(url: &str) -> Result<&'static str, String> {
        let config = Config::from_layers(None, HashMap::new()).unwrap();
        match options(&config.database, &url.into(), None) {
            Ok(options) => Ok(ssl_mode(&options)),
            Err(OpenError::Url(error)) => Err(error.to_string()),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_server_elsewhere_has_to_show_a_certificate_for_its_name() {
        assert_eq!(mode("postgres://etl@db.example.com/warehouse"), Ok("verify-full"));
        assert_eq!(mode("postgres://etl@10.0.0.1/warehouse"), Ok("verify-full"));
    }

    #[test]
    fn a_server_on_this_machine_may_be_spoken_to_in_the_clear() {
        for host in ["localhost", "127.0.0.1", "[::1]", "%2Fvar%2Frun%2Fpostgresql"] {
            assert_eq!(
                mode(&format!("postgres://etl@{host}/warehouse")),
                Ok("prefer"),
                "{host}"
            );
        }
    }

    #[test]
    fn what_is_asked_for_by_name_is_done() {
        for named in ["disable", "require", "verify-ca", "verify-full"] {
            let url = format!("postgres://etl@db.example.com/warehouse?sslmode={named}");
            assert_eq!(mode(&url), Ok(named));
        }
    }

    #[test]
    fn modes_that_fall_back_to_plain_text_are_refused() {
        for named in ["allow", "prefer"] {
            let error = mode(&format!(
                "postgres://etl@db.example.com/warehouse?sslmode={named}"
            ))
            .unwrap_err();
            assert!(error.contains("verify-full"), "{error}");
        }
    }
}
