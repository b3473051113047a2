//! What is wrong with the database is said at the start, by every command, with the right exit code.

use std::collections::HashMap;

use sqlx::Connection;

use crate::support::{Program, Setup, TestDatabase, database, port};

/// Every command that opens the database.
const COMMANDS: [&[&str]; 9] = [
    &["run"],
    &["sync"],
    &["status"],
    &["migrate"],
    &["replay"],
    &["retry-rejected"],
    &["backfill", "--from", "2026-01-01", "--to", "2026-01-02"],
    &["verify", "--from", "2026-01-01", "--to", "2026-01-02"],
    &["erase", "--email", "nobody@example.com"],
];

async fn environment(setup: &Setup, url: String) -> HashMap<String, String> {
    let mut environment = setup.environment();
    environment.insert("DATABASE_URL".to_owned(), url);
    environment.insert("SMARTASSIST_ETL__PRIVACY__KEY".to_owned(), "k".repeat(32));
    let port = port::reserved();
    environment.insert(
        "SMARTASSIST_ETL__HTTP__BIND".to_owned(),
        format!("127.0.0.1:{port}"),
    );
    environment
}

async fn all_refuse(environment: &HashMap<String, String>, said: &[&str]) {
    for command in COMMANDS {
        let ended = Program::run(command, environment).await;
        assert_eq!(ended.code(), 2, "{command:?}: {}", ended.last_word());
        for said in said {
            assert!(
                ended.last_word().contains(said),
                "{command:?}: {}",
                ended.last_word()
            );
        }
    }
    let doctor = Program::run(&["doctor"], environment).await;
    assert_eq!(doctor.code(), 1, "{}", doctor.stdout);
    let text = doctor.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in said {
        assert!(text.contains(said), "{text}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_utf8_is_refused_by_every_command() {
    let database = TestDatabase::empty().await;
    let setup = Setup::start().await;
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("{}_{}", database.name, encoding.to_lowercase());
        let mut admin = sqlx::PgConnection::connect_with(&database.pool.options())
            .await
            .unwrap();
        let create = format!("create database {name} encoding '{encoding}' locale 'C' template template0");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create))
            .execute(&mut admin)
            .await
            .unwrap();
        let url = database::url(&(*database.pool.options()).clone().database(&name));
        let environment = environment(&setup, url).await;
        all_refuse(&environment, &[encoding, "encoding 'UTF8' template template0"]).await;
    }
}

#[tokio::test]
async fn a_role_for_whom_foreign_keys_do_nothing_is_refused() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    let role = format!("replica_{}", database.name);
    database
        .execute(&format!(
            "create role {role} superuser login password 'x'; alter role {role} set session_replication_role = replica"
        ))
        .await;
    let options = (*database.pool.options()).clone().username(&role).password("x");
    let environment = environment(&setup, database::url(&options)).await;
    all_refuse(&environment, &["reset session_replication_role"]).await;
}

#[tokio::test]
async fn a_parameter_of_the_url_that_cannot_be_honoured_is_refused() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    let url = database.url().await;
    let environment = environment(&setup, format!("{url}?channel_binding=require")).await;
    all_refuse(&environment, &["channel_binding", "verify-full"]).await;
}

#[tokio::test]
async fn a_misspelt_url_parameter_is_named_and_its_value_not_logged() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    let url = database.url().await;
    let mut environment = environment(&setup, format!("{url}?pasword=hunter2")).await;
    environment.insert("SMARTASSIST_ETL__LOG__LEVEL".to_owned(), "trace".to_owned());
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 2);
    assert!(
        ended.last_word().contains("did you mean password?"),
        "{}",
        ended.last_word()
    );
    assert!(!ended.log.join("\n").contains("hunter2"));
}

#[tokio::test]
async fn a_url_parameter_without_effect_is_named_without_its_value() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    let url = database.url().await;
    let mut environment = environment(&setup, format!("{url}?application_name=hunter2")).await;
    environment.insert("SMARTASSIST_ETL__LOG__LEVEL".to_owned(), "trace".to_owned());
    let ended = Program::run(&["migrate"], &environment).await;
    assert_eq!(ended.code(), 0);
    let said = ended.events("a parameter of database.url has no effect");
    assert_eq!(said[0]["parameter"], "application_name", "{said:?}");
    assert!(!ended.log.join("\n").contains("hunter2"));
}

/// Stands before the C library's and never returns, as where no name server answers.
const HANGING_LOOK_UP: &str = "#include <unistd.h>\nint getaddrinfo() { for (;;) pause(); }\n";

#[tokio::test]
async fn a_name_look_up_that_hangs_keeps_no_command_from_ending() {
    let directory = tempfile::tempdir().unwrap();
    let (source, library) = (
        directory.path().join("look_up.c"),
        directory.path().join("look_up.so"),
    );
    std::fs::write(&source, HANGING_LOOK_UP).unwrap();
    let compiler = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    assert!(compiler.unwrap().success());
    let setup = Setup::start().await;
    let mut environment = environment(&setup, "postgres://etl@db.invalid/warehouse".to_owned()).await;
    environment.insert("LD_PRELOAD".to_owned(), library.to_str().unwrap().to_owned());
    for key in ["CONNECT_TIMEOUT_SECONDS", "WAIT_SECONDS"] {
        environment.insert(format!("SMARTASSIST_ETL__DATABASE__{key}"), "1".to_owned());
    }
    for command in ["sync", "status"] {
        let ended = Program::run(&[command], &environment).await;
        assert_eq!(ended.code(), 4, "{command}: {}", ended.last_word());
    }
}
