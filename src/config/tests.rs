mod accounts;
mod layers;
mod problems;
mod secrets;
mod sync;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Algorithm;
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::NamedTempFile;

use super::*;

const SECRET: &str = "hunter2-of-the-api";

const ACCOUNT: &str = r#"
[accounts.main]
base_url = "https://smartassist.example.com"
account_id = "acct-1"
stream_id = "st-1"
token = "hunter2-of-the-api"
"#;

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn environment(variables: &[(&str, &str)]) -> HashMap<String, String> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = environment(variables)
        .into_iter()
        .map(|(name, value)| (format!("SMARTASSIST_ETL__{name}"), value))
        .collect();
    Config::from_layers(Some(file(text).path()), variables)
}

fn account(lines: &str) -> Result<AccountConfig, ConfigError> {
    read(&format!("{ACCOUNT}{lines}"), &[]).map(|config| config.accounts[0].clone())
}

fn problems(result: Result<Config, ConfigError>) -> Vec<String> {
    match result {
        Err(ConfigError::Invalid(problems)) => problems,
        other => panic!("not a list of problems: {other:?}"),
    }
}

fn shown(result: &Result<Config, ConfigError>) -> String {
    match result {
        Ok(config) => format!("{config:?}"),
        Err(error) => format!("{error}\n{error:?}"),
    }
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}

fn secret(secret: &Secret) -> String {
    secret.read().unwrap().expose_secret().to_owned()
}
