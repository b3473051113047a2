use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::secret::{self, Secret};
use super::section::{Section, settings};

settings! {
    DatabaseConfig {
        /// Overrides the URL's.
        password: Option<Secret> = database_password("password");
        /// `None`: a private server.
        url: Option<Secret> = database_url("url");
        /// `None`: public authorities.
        ca_file: Option<PathBuf> = readable_file("ca_file");
        wait: Duration = number("wait_seconds", 1..=86_400, Duration::from_secs);
        server_binaries: Option<PathBuf> = path("server_binaries");
        session: SessionConfig = group(SessionConfig::read);
    }
}

settings! {
    SessionConfig {
        max_connections: u32 = integer("max_connections", 2..=1_000);
        connect_timeout: Duration = number("connect_timeout_seconds", 1..=3_600, Duration::from_secs);
        /// 0 behind a transaction pooler.
        statement_cache: usize = integer("statement_cache", 0..=10_000);
        statement_timeout: Duration = number("statement_timeout_seconds", 1..=86_400, Duration::from_secs);
        lock_timeout: Duration = number("lock_timeout_seconds", 1..=3_600, Duration::from_secs);
    }
}

impl Section<'_> {
    /// Without a URL a private database would be used.
    fn database_password(&mut self, key: &str) -> Option<Option<Secret>> {
        let password = self.secret(key)?;
        if password.is_some() && !self.is_set("url") && !self.is_set("url_file") {
            return self.invalid(key, "is for the server of database.url, which is not set");
        }
        Some(password)
    }

    fn database_url(&mut self, key: &str) -> Option<Option<Secret>> {
        let url = self.secret(key)?;
        if let Some(Ok(text)) = url.as_ref().map(Secret::read) {
            let text = text.expose_secret();
            if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
                let expected = "must be a PostgreSQL URL, as in postgres://user@host:5432/database";
                return self.invalid(key, expected);
            }
            let parsed = reqwest::Url::parse(text);
            if parsed.is_ok_and(|url| url.password().is_some_and(secret::is_placeholder)) {
                return self.invalid(key, &format!("its password {}", secret::A_PLACEHOLDER));
            }
        }
        Some(url)
    }

    fn readable_file(&mut self, key: &str) -> Option<Option<PathBuf>> {
        let file = self.path(key)?;
        if let Some(Err(error)) = file.as_ref().map(std::fs::File::open) {
            return self.invalid(key, &format!("cannot be read: {error}"));
        }
        Some(file)
    }
}
