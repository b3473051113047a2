//! How the configured server is reached.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tracing::warn;

use crate::config::DatabaseConfig;
use crate::telemetry::chain;

use super::OpenError;
use super::url::{self, ParsedUrl};

/// Remote servers (or `ca_file`) need a certificate unless `sslmode` says otherwise.
pub(super) fn options(
    config: &DatabaseConfig,
    url: &SecretString,
    password: Option<&SecretString>,
) -> Result<PgConnectOptions, OpenError> {
    let refused = |why: String| OpenError::Url(why.into());
    url::check_variables(|name| std::env::var(name).ok()).map_err(refused)?;
    let ParsedUrl { url, ignored } = url::parse(url.expose_secret()).map_err(refused)?;
    for (parameter, foreign) in ignored {
        let instead = foreign.instead;
        warn!(parameter, instead, "a parameter of database.url has no effect");
    }
    // The parser's error may quote secrets.
    let invalid = |_| refused("it is not a valid PostgreSQL URL".to_owned());
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
pub(super) fn ssl_mode(options: &PgConnectOptions) -> &'static str {
    match options.get_ssl_mode() {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

pub(super) fn is_on_this_machine(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some() || host.starts_with('/') || is_loopback(host)
}

/// Whether a URL's host is this machine.
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
