//! Each mistake gives one clear message and the right exit code.

use std::collections::HashMap;

use crate::support::{Program, Setup, TestDatabase, port};

#[tokio::test]
async fn a_wrong_secret_is_exit_code_3() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(5).await;
    setup.set("client_secret", "wrong-secret-0123456789abcdef-wrong");
    let ended = Program::run(&["sync"], &setup.environment_on(&database).await).await;
    assert_eq!(ended.code(), 3);
    let failed = ended.events("window failed, nothing of it is covered");
    assert_eq!(failed.len(), 1);
    assert!(
        failed[0]["error"]
            .as_str()
            .unwrap()
            .contains("the API refused us (status 401"),
        "{failed:?}"
    );
    assert!(
        failed[0]["remedy"].as_str().unwrap().contains("client_secret"),
        "{failed:?}"
    );
    assert!(!ended.log.join("\n").contains("wrong-secret"));
}

#[tokio::test]
async fn an_unknown_host_is_exit_code_1_and_names_what_to_check() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::start().await;
    setup.set("base_url", "http://no-such-host.invalid");
    setup.set("max_retries", "0");
    let ended = Program::run(&["sync"], &setup.environment_on(&database).await).await;
    assert_eq!(ended.code(), 1);
    let failed = ended.events("window failed, nothing of it is covered");
    assert!(
        failed[0]["error"]
            .as_str()
            .unwrap()
            .contains("cannot connect to the API"),
        "{failed:?}"
    );
    assert!(
        failed[0]["remedy"].as_str().unwrap().contains("base_url"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_database_out_of_reach_is_exit_code_4() {
    let setup = Setup::start().await;
    let mut environment = setup.environment();
    let closed = port::closed();
    environment.insert(
        "DATABASE_URL".to_owned(),
        format!("postgres://etl:hunter2@{closed}/warehouse"),
    );
    environment.insert(
        "SMARTASSIST_ETL__DATABASE__CONNECT_TIMEOUT_SECONDS".to_owned(),
        "1".to_owned(),
    );
    environment.insert(
        "SMARTASSIST_ETL__DATABASE__WAIT_SECONDS".to_owned(),
        "1".to_owned(),
    );
    for command in ["sync", "status", "migrate"] {
        let ended = Program::run(&[command], &environment).await;
        assert_eq!(ended.code(), 4, "{command}");
        assert!(
            ended.last_word().contains("the database is out of reach"),
            "{}",
            ended.last_word()
        );
        assert!(!ended.log.join("\n").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_wrong_database_password_is_exit_code_4_at_once() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    let mut environment = setup.environment_on(&database).await;
    let url = environment["DATABASE_URL"].clone();
    let (_, rest) = url.split_once('@').unwrap();
    environment.insert(
        "DATABASE_URL".to_owned(),
        format!("postgres://smartassist:hunter2@{rest}"),
    );
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 4);
    let said = "error returned from database: password authentication failed for user \"smartassist\"; check user and password";
    assert!(ended.last_word().contains(said), "{}", ended.last_word());
    assert!(!ended.log.join("\n").contains("hunter2"));
}

#[tokio::test]
async fn an_invalid_configuration_exits_with_2_and_names_all_problems() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "[accounts.main]\nbase_url = 'nonsense'\nacount_id = 'x'\n[sync]\nsettle_seconds = -1\npoll = 'often'\n",
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    let ended = Program::run(&["--config", path, "sync"], &HashMap::new()).await;
    assert_eq!(ended.code(), 2);
    let said = ended.last_word();
    for problem in [
        "accounts.main.base_url: must be an http or https URL",
        "accounts.main.account_id: is required",
        "accounts.main.acount_id: unknown key; did you mean accounts.main.account_id?",
        "accounts.main.stream_id: is required",
        "accounts.main.client_id: is required",
        "sync.settle_seconds: must be a whole number from 0 to 86400",
        "sync.poll: must be a cron pattern of six fields",
    ] {
        assert!(said.contains(problem), "no {problem:?} in:\n{said}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_toml_is_named_with_its_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[accounts.main]\nclient_secret = 's3cret\n").unwrap();
    let ended = Program::run(
        &["--config", file.path().to_str().unwrap(), "sync"],
        &HashMap::new(),
    )
    .await;
    assert_eq!(ended.code(), 2);
    assert!(ended.last_word().contains("line 2"), "{}", ended.last_word());
    assert!(!ended.last_word().contains("s3cret"), "{}", ended.last_word());
}

#[tokio::test]
async fn no_account_is_exit_code_2_and_says_what_to_set() {
    let ended = Program::run(&["run"], &HashMap::new()).await;
    assert_eq!(ended.code(), 2);
    assert!(
        ended.last_word().contains("no account is configured"),
        "{}",
        ended.last_word()
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_at_once() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut environment = setup.environment_on(&database).await;
    let bind = taken.local_addr().unwrap().to_string();
    environment.insert("SMARTASSIST_ETL__HTTP__BIND".to_owned(), bind.clone());
    let ended = Program::run(&["run"], &environment).await;
    assert_eq!(ended.code(), 1);
    assert!(
        ended
            .last_word()
            .contains(&format!("cannot listen on http.bind ({bind})")),
        "{}",
        ended.last_word()
    );
}

#[tokio::test]
async fn nothing_of_a_person_or_a_secret_is_in_the_log_of_a_whole_run() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(200).await;
    let mut environment = setup.environment_on(&database).await;
    environment.insert(
        "SMARTASSIST_ETL__LOG__LEVEL".to_owned(),
        "trace,sqlx=trace".to_owned(),
    );
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    let log = ended.log.join("\n");
    assert!(!log.contains("simulator-secret"));
    // Every text in the data, whatever it means, but for stamps, which log lines have of their own.
    let personal = "select string_agg(distinct value, E'\\x01') from ( \
                    select text #>> '{}' as value from smartassist.raw_interactions, \
                    jsonb_path_query(payload, 'strict $.**') text where jsonb_typeof(text) = 'string') texts \
                    where length(value) > 8 and value !~ '^20[0-9-]+T' and value not like 'st-%'";
    let personal = database.text(personal).await;
    assert!(personal.split('\x01').count() > 1_000);
    for value in personal.split('\x01') {
        assert!(!log.contains(value), "{value}");
    }
}

#[tokio::test]
async fn a_start_in_the_future_is_exit_code_2_and_makes_no_database() {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2999-01-01");
    let nowhere = tempfile::tempdir().unwrap();
    let data_dir = nowhere.path().join("data");
    let mut environment = setup.environment();
    environment.insert(
        "SMARTASSIST_ETL__DATA_DIR".to_owned(),
        data_dir.to_str().unwrap().to_owned(),
    );
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 2);
    assert!(!data_dir.exists());
    assert!(
        ended
            .last_word()
            .contains("start_from: must not be in the future"),
        "{}",
        ended.last_word()
    );
}

#[tokio::test]
async fn a_log_that_nobody_reads_ends_nothing() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(20).await;
    let command = format!(
        "{} sync 2>&1 >/dev/null | true; {0} status | true",
        env!("CARGO_BIN_EXE_smartassist-etl")
    );
    let script = format!("set -o pipefail; {command}");
    let ended = tokio::process::Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(setup.environment_on(&database).await)
        .stderr(std::process::Stdio::null())
        .status()
        .await
        .unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(database.counts().await[0], 20);
}
