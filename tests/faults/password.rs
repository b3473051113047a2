//! Passwords that are replaced while the daemon runs: the server refuses us, the files are read again, and
//! loading goes on without a restart.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use smartassist_etl::config::Config;
use smartassist_etl::postgres::{self as product, Database};
use tempfile::NamedTempFile;

use super::watch;
use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase};

/// Characters that a URL would have to escape.
const FIRST: &str = "first@of/all:the%passwords";
const SECOND: &str = "second?password#0123";
const REPLACED: &str = "the database rejected us; signing in with the new secret of its file";

/// A user of a test's own, who may do everything.
struct User<'a> {
    database: &'a TestDatabase,
    name: String,
}

impl<'a> User<'a> {
    async fn new(database: &'a TestDatabase) -> Self {
        let name = format!("replaced_{}", database.name);
        database
            .execute(&format!("create role {name} superuser login password '{FIRST}'"))
            .await;
        Self { database, name }
    }

    /// Gives him another password, and ends his sessions, as a server does that is told to. They have ended then.
    async fn change(&self, password: &str) {
        let name = &self.name;
        self.database
            .execute(&format!(
                "alter role {name} password '{password}'; \
                 select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename = '{name}'"
            ))
            .await;
    }

    /// The URL for him, with no password in it.
    async fn url(&self) -> String {
        let url = self.database.url().await;
        let (_, place) = url.split_once('@').unwrap();
        format!("postgres://{}@{place}", self.name)
    }

    /// How the program is told of him.
    async fn environment(&self, setup: &Setup, password: &Path) -> HashMap<String, String> {
        let (mut environment, _) = environment(setup, self.database).await;
        environment.insert("DATABASE_URL".to_owned(), self.url().await);
        environment.insert(
            "SMARTASSIST_ETL__DATABASE__PASSWORD_FILE".to_owned(),
            password.display().to_string(),
        );
        environment
    }
}

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

async fn loading_account() -> Setup {
    let setup = Setup::live().await;
    setup.seed_days(2, 2, 0, 50);
    setup
}

#[tokio::test]
async fn a_password_replaced_in_its_file_is_used_without_a_restart() {
    let database = TestDatabase::migrated().await;
    let user = User::new(&database).await;
    let setup = loading_account().await;
    let password = file(FIRST);
    let environment = user.environment(&setup, password.path()).await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon.finished_as("poll", "succeeded").await;

    user.change(SECOND).await;
    // The first that fails may only have found its session gone.
    let refused = |event: &Value| {
        let error = event["error"].as_str().unwrap_or_default();
        event["message"] == "run failed" && error.contains("authentication failed")
    };
    let failed = daemon.event_that("a run that is refused", refused).await;
    let remedy = failed["remedy"].as_str().unwrap();
    assert!(remedy.contains("database.password_file"), "{remedy}");

    std::fs::write(password.path(), format!("{SECOND}\n")).unwrap();
    daemon.event(REPLACED).await;
    daemon.finished_as("poll", "succeeded").await;
    let log = daemon.all_lines().join("\n");
    assert!(!log.contains(FIRST) && !log.contains(SECOND), "{log}");
    assert_eq!(log.matches("\"starting\"").count(), 1);
    daemon.kill().await;
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn a_password_that_is_right_again_is_waited_for_at_the_start() {
    let database = TestDatabase::migrated().await;
    let user = User::new(&database).await;
    let setup = loading_account().await;
    let password = file(SECOND);
    let environment = user.environment(&setup, password.path()).await;
    let mut daemon = Program::start(&["run"], &environment);
    let waiting = daemon.event("waiting for the database").await;
    assert!(
        waiting["error"]
            .as_str()
            .unwrap()
            .contains("authentication failed"),
        "{waiting}"
    );
    assert!(
        waiting["remedy"]
            .as_str()
            .unwrap()
            .contains("database.password_file"),
        "{waiting}"
    );
    // As while somebody writes it.
    std::fs::write(password.path(), "").unwrap();
    let waiting = daemon.event("waiting for the database").await;
    assert!(
        waiting["error"].as_str().unwrap().contains("is empty"),
        "{waiting}"
    );
    std::fs::write(password.path(), FIRST).unwrap();
    daemon.finished_as("poll", "succeeded").await;
}

/// The database as the program has it, of a URL in a file.
async fn opened_by(url: &Path) -> Database {
    let name = "SMARTASSIST_ETL__DATABASE__URL_FILE".to_owned();
    let environment = HashMap::from([(name, url.display().to_string())]);
    let config = Config::from_layers(None, environment).unwrap();
    Database::open(&config).await.unwrap()
}

fn with_password(url: &str, password: &str) -> String {
    url.replace('@', &format!(":{password}@"))
}

#[tokio::test]
async fn everybody_who_is_refused_at_once_goes_on_with_the_new_url() {
    let database = TestDatabase::migrated().await;
    let user = User::new(&database).await;
    user.change("before").await;
    let url = user.url().await;
    let file = file(&with_password(&url, "before"));
    let opened = opened_by(file.path()).await;
    product::ping(&opened.pool).await.unwrap();
    for password in ["after", "long-after"] {
        user.change(password).await;
        product::ping(&opened.pool).await.unwrap_err();
        std::fs::write(file.path(), with_password(&url, password)).unwrap();
        let pinging = (0..5).map(|_| product::ping(&opened.pool));
        for pinged in futures_util::future::join_all(pinging).await {
            pinged.unwrap();
        }
    }
    opened.close().await;
}

#[tokio::test]
async fn a_url_of_another_database_is_not_taken_while_we_run() {
    let (database, other) = (TestDatabase::migrated().await, TestDatabase::migrated().await);
    let user = User::new(&database).await;
    user.change("before").await;
    let url = user.url().await;
    let file = file(&with_password(&url, "before"));
    let opened = opened_by(file.path()).await;
    user.change("after").await;
    let elsewhere = with_password(
        &url.replace(&format!("/{}", database.name), &format!("/{}", other.name)),
        "after",
    );
    assert!(elsewhere.contains(&format!("/{}", other.name)), "{elsewhere}");
    std::fs::write(file.path(), elsewhere).unwrap();
    product::ping(&opened.pool).await.unwrap_err();
    std::fs::write(file.path(), with_password(&url, "after")).unwrap();
    product::ping(&opened.pool).await.unwrap();
    opened.close().await;
}
