mod accounts;
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

fn assert_has(found: &[String], wanted: &[&str]) {
    for want in wanted {
        assert!(
            found.iter().any(|problem| problem == want),
            "{want}\nin {found:#?}"
        );
    }
}

#[test]
fn the_defaults_alone_are_valid_and_have_no_account() {
    let config = Config::from_layers(None, HashMap::new()).unwrap();
    assert_eq!(config.data_dir, Path::new("data"));
    assert!(config.database.url.is_none());
    assert_eq!(config.database.session.connect_timeout, Duration::from_secs(10));
    assert_eq!(config.sync.follow_open, Some(TimeDelta::hours(72)));
    assert_eq!(config.sync.settle, Duration::from_secs(120));
    assert!(config.storage.raw);
    assert_eq!(config.http.bind.to_string(), "127.0.0.1:8080");
    assert_eq!((config.log.format, config.log.level.as_str()), (None, "info"));
    assert!(config.accounts.is_empty());
}

#[test]
fn the_environment_overrides_the_file_and_that_the_defaults() {
    let text = "[sync]\nsettle_seconds = 7\nlease_seconds = 8\n";
    let config = read(text, &[("SYNC__LEASE_SECONDS", "9"), ("STORAGE__RAW", "false")]).unwrap();
    assert_eq!(config.sync.settle, Duration::from_secs(7));
    assert_eq!(config.sync.lease, Duration::from_secs(9));
    assert_eq!(config.sync.shutdown, Duration::from_secs(25));
    assert!(!config.storage.raw);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let config = read("[sync]\nsettle_seconds = 7\n", &[("SYNC__SETTLE_SECONDS", "")]).unwrap();
    assert_eq!(config.sync.settle, Duration::from_secs(7));
}

#[test]
fn variables_of_other_programs_are_none_of_our_business() {
    let variables = environment(&[
        ("SMARTASSIST_ETL_CONFIG", "/etc/smartassist-etl.toml"),
        ("SMARTASSIST_SYNC__POLL", "never"),
        ("PATH", "/usr/bin"),
        ("LOG__LEVEL", "[["),
    ]);
    assert!(Config::from_layers(None, variables).is_ok());
}

#[test]
fn database_url_is_used_where_nothing_of_ours_is_set() {
    let url = |text: &str, variables: &[(&str, &str)]| {
        let config = Config::from_layers(Some(file(text).path()), environment(variables)).unwrap();
        config.database.url.as_ref().map(secret)
    };
    let common = ("DATABASE_URL", "postgres://common@db/x");
    let own = ("SMARTASSIST_ETL__DATABASE__URL", "postgresql://own@db/x");
    let in_file = "[database]\nurl = \"postgres://file@db/x\"\n";
    let secret_file = file("postgres://secret@db/x\n");
    let in_secret_file = format!("[database]\nurl_file = {:?}\n", secret_file.path());
    assert_eq!(url("", &[common]).unwrap(), "postgres://common@db/x");
    assert_eq!(url("", &[common, own]).unwrap(), "postgresql://own@db/x");
    assert_eq!(url(in_file, &[common]).unwrap(), "postgres://file@db/x");
    assert_eq!(url(in_file, &[common, own]).unwrap(), "postgresql://own@db/x");
    assert_eq!(url(&in_secret_file, &[common]).unwrap(), "postgres://secret@db/x");
    assert_eq!(url("", &[("DATABASE_URL", "")]), None);
}

#[test]
fn lists_come_from_arrays_or_from_text_with_commas() {
    let filters = account("channels = [\"voice\"]\nqueues = \"qu-1,qu-2\"\nbots = []")
        .unwrap()
        .filters;
    assert_eq!(filters.channels.unwrap(), ["voice"]);
    assert_eq!(filters.queues.unwrap(), ["qu-1", "qu-2"]);
    assert_eq!(filters.bots, None, "an empty list would ask for nothing");
    let config = read(ACCOUNT, &[("ACCOUNTS__MAIN__CHANNELS", " voice, chat ,,")]).unwrap();
    assert_eq!(
        config.accounts[0].filters.channels.as_deref().unwrap(),
        ["voice", "chat"]
    );
}

#[test]
fn extra_body_keeps_the_case_and_the_types_of_what_is_in_it() {
    let text = "extra_body = { isAutomation = false, Nested = { someKey = [1, \"x\"] } }";
    let want = json!({ "isAutomation": false, "Nested": { "someKey": [1, "x"] } });
    assert_eq!(json!(account(text).unwrap().filters.extra_body), want);
    let config = read(ACCOUNT, &[("ACCOUNTS__MAIN__EXTRA_BODY", &want.to_string())]).unwrap();
    assert_eq!(json!(config.accounts[0].filters.extra_body), want);
    for not_a_table in ["[1]", "7", "{", "isAutomation=false"] {
        assert_eq!(
            problems(read(ACCOUNT, &[("ACCOUNTS__MAIN__EXTRA_BODY", not_a_table)])),
            ["accounts.main.extra_body: must be a table, or the text of a JSON object"]
        );
    }
}

#[test]
fn no_key_of_extra_body_has_a_meaning_of_its_own() {
    let want =
        json!({ "a": { "$serde_json::private::RawValue": "[1]" }, "$serde_json::private::Number": "7" });
    let text = "extra_body = { a = { '$serde_json::private::RawValue' = '[1]' }, '$serde_json::private::Number' = '7' }";
    assert_eq!(json!(account(text).unwrap().filters.extra_body), want);
    let config = read(ACCOUNT, &[("ACCOUNTS__MAIN__EXTRA_BODY", &want.to_string())]).unwrap();
    assert_eq!(json!(config.accounts[0].filters.extra_body), want);
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(
        problems(read(ACCOUNT, &[("ACCOUNTS__MAIN__EXTRA_BODY", &deep)])),
        ["accounts.main.extra_body: must be a table, or the text of a JSON object"]
    );
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_named() {
    let error = Config::from_layers(Some(Path::new("/nowhere/etl.toml")), HashMap::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read the configuration file /nowhere/etl.toml: "),
        "{error}"
    );
    let binary = NamedTempFile::new().unwrap();
    std::fs::write(binary.path(), [b'x', b'=', 0xff, 0xfe]).unwrap();
    let error = Config::from_layers(Some(binary.path()), HashMap::new()).unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[test]
fn unknown_keys_are_named_at_every_level_with_the_nearest_key() {
    let text = format!(
        "dta_dir = \"x\"\nxyzzy = 1\n[sync]\nsetle_seconds = 1\n[database]\nmax_connection = 3\n\
         [storage]\nrwa = true\n[http]\nbnd = \"x\"\n[log]\nlevle = \"info\"\n{ACCOUNT}reqests_per_minute = 1\n"
    );
    let found = problems(read(&text, &[]));
    assert_has(
        &found,
        &[
            "dta_dir: unknown key; did you mean data_dir?",
            "xyzzy: unknown key; known here: data_dir, database, account_defaults, accounts, reporting, sync, storage, privacy, http, log",
            "sync.setle_seconds: unknown key; did you mean sync.settle_seconds?",
            "database.max_connection: unknown key; did you mean database.max_connections?",
            "storage.rwa: unknown key; did you mean storage.raw?",
            "http.bnd: unknown key; did you mean http.bind?",
            "log.levle: unknown key; did you mean log.level?",
            "accounts.main.reqests_per_minute: unknown key; did you mean accounts.main.requests_per_minute?",
        ],
    );
    assert_eq!(found.len(), 8, "{found:#?}");
}

#[test]
fn unknown_keys_of_environment_and_account_defaults_are_named() {
    assert_eq!(
        problems(read("", &[("SYNC__POL", "0 * * * * *")])),
        ["sync.pol: unknown key; did you mean sync.poll?"]
    );
    assert_eq!(
        problems(read("[account_defaults]\nclient_secret_fil = \"/x\"\n", &[])),
        [
            "account_defaults.client_secret_fil: unknown key; did you mean account_defaults.client_secret_file?"
        ]
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = r#"
        [sync]
        poll = "every day"
        lease_seconds = 1
        [http]
        bind = "localhost"
        [log]
        format = "xml"
        [accounts.one]
        base_url = "smartassist.example.com"
        direction = "Sideways"
        [accounts.two]
        max_in_flight = -1
    "#;
    let error = read(text, &[]).unwrap_err();
    let text = error.to_string();
    let found = problems(Err(error));
    for start in [
        "sync.poll: must be a cron pattern of six fields",
        "sync.lease_seconds: must be a whole number from 3 to 3600",
        "http.bind: must be an address and a port",
        "log.format: must be json or pretty",
        "accounts.one.base_url: must be an http or https URL",
        "accounts.one.direction: must be Inbound, Outbound or Both",
        "accounts.one.account_id: is required (in the environment: SMARTASSIST_ETL__ACCOUNTS__ONE__ACCOUNT_ID)",
        "accounts.one.stream_id: is required",
        "accounts.one.client_id: is required with client_secret, or else token",
        "accounts.two.base_url: is required",
        "accounts.two.max_in_flight: must be a whole number from 0 to 64",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(start)),
            "{start}\nin {found:#?}"
        );
        assert!(text.contains(start), "{start}\nin {text}");
    }
    assert!(
        text.starts_with(&format!("the configuration has {} problems:\n  - ", found.len())),
        "{text}"
    );
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    for (line, range) in [
        ("requests_per_minute = -1", "0 to 100000"),
        ("requests_per_minute = 100001", "0 to 100000"),
        ("requests_per_minute = 1.5", "0 to 100000"),
        ("requests_per_minute = \"many\"", "0 to 100000"),
        ("requests_per_minute = true", "0 to 100000"),
        ("max_in_flight = -1", "0 to 64"),
        ("max_in_flight = 65", "0 to 64"),
        ("time_zone_offset = -841", "-840 to 720"),
        ("time_zone_offset = 721", "-840 to 720"),
        ("max_response_mebibytes = 0", "1 to 1024"),
        ("request_timeout_seconds = 0", "1 to 3600"),
        ("max_retries = 9223372036854775807", "0 to 100"),
    ] {
        let key = line.split(' ').next().unwrap();
        let found = problems(read(&format!("{ACCOUNT}{line}"), &[]));
        assert_eq!(
            found,
            [format!(
                "accounts.main.{key}: must be a whole number from {range}"
            )],
            "{line}"
        );
    }
}

#[test]
fn values_that_cannot_be_are_refused_with_what_is_expected() {
    for (line, start) in [
        (
            "jwt_algorithm = \"none\"",
            "jwt_algorithm: must be HS256, HS512, RS256 or RS512",
        ),
        (
            "direction = \"inbound\"",
            "direction: must be Inbound, Outbound or Both",
        ),
        ("channels = [1]", "channels: must be a list of texts"),
        ("channels = 1", "channels: must be a list of texts"),
        ("start_from = [\"2025-01-01\"]", "start_from: must be text"),
        ("extra_body = [1]", "extra_body: must be a table"),
    ] {
        let found = problems(read(&format!("{ACCOUNT}{line}"), &[]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("accounts.main.{start}")),
            "{found:?}"
        );
    }
    for (text, start) in [
        ("sync = 7", "sync: is a table"),
        ("accounts = 7", "accounts: is a table"),
        ("[accounts]\nmain = 7", "accounts.main: is a table"),
        ("[storage]\nraw = \"yes\"", "storage.raw: must be true or false"),
        ("[log]\nlevel = \"info,[\"", "log.level: must be"),
        ("[log]\nlevel = \"warning\"", "log.level: must be"),
        ("[log]\nlevel = \"info,smartassist_etl\"", "log.level: must be"),
        ("[sync]\npoll = \"0 0 0 30 2 *\"", "sync.poll: must be"),
        ("data_dir = []", "data_dir: must be text"),
    ] {
        let found = problems(read(text, &[]));
        assert!(
            found.iter().any(|problem| problem.starts_with(start)),
            "{start}\nin {found:?}"
        );
    }
}

#[test]
fn what_is_wrong_in_reporting_is_said_with_the_nearest_key() {
    let text = format!(
        "[reporting]\ntime_zne = \"UTC\"\ntime_zone = \"Berlin\"\nweek_starts_on = \"mon\"\n\
         service_level_seconds_by_channel = {{ Email = 60, EMAIL = 0, Voice = -1 }}\n{ACCOUNT}\
         [accounts.second]\nbase_url = \"https://api.example.com\"\n"
    );
    let found = problems(read(&text, &[]));
    assert_has(
        &found,
        &[
            "reporting.time_zne: unknown key; did you mean reporting.time_zone?",
            "reporting.time_zone: must be the IANA name of a time zone, as in Europe/Berlin or America/New_York",
        ],
    );
    let of_reporting = found.iter().filter(|problem| problem.contains("reporting."));
    assert_eq!(of_reporting.count(), 6, "{found:#?}");
    assert!(
        found
            .iter()
            .any(|problem| problem.starts_with("accounts.second.account_id: is required"))
    );
}

#[test]
fn an_account_may_have_reports_of_its_own() {
    let text = format!(
        "[reporting]\ntime_zone = \"Asia/Kolkata\"\nservice_level_seconds = 30\nservice_level_seconds_by_channel = {{ Email = 14_400 }}\n\
         {ACCOUNT}[accounts.main.reporting]\nservice_level_seconds = 45\n"
    );
    let config = read(&text, &[]).unwrap();
    let reporting = &config.accounts[0].reporting;
    assert_eq!(reporting.service_level_seconds_by_channel["email"], 14_400);
    assert_eq!(reporting.time_zone, chrono_tz::Asia::Kolkata);
    assert_eq!(
        (reporting.service_level_seconds, reporting.short_abandon_seconds),
        (45, 5)
    );
}
