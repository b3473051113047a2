use super::*;

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
