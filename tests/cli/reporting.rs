//! Whose settings of reports hold.

use std::collections::HashMap;

use nix::sys::signal::Signal;
use smartassist_etl::config::AccountConfig;
use smartassist_etl::warehouse::reporting;
use sqlx::{Connection, PgConnection};

use crate::support::program::Ended;
use crate::support::{Program, Setup, TestDatabase, daemon, days_ago};

const CHANGED: &str = "settings of reports were changed";
const STAY: &str = "settings of reports differ from those in use, which stay";

/// Runs a command with these settings of reports; gives the ones that are in use after it, too.
async fn with_settings(
    command: &[&str],
    environment: &HashMap<String, String>,
    settings: &[(&str, &str)],
    database: &TestDatabase,
) -> (Ended, String) {
    let mut environment = environment.clone();
    for (key, value) in settings {
        environment.insert(format!("SMARTASSIST_ETL__REPORTING__{key}"), (*value).to_owned());
    }
    let ended = Program::run(command, &environment).await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    let in_use = "select concat_ws(' ', time_zone, service_level_seconds, rebuild_from is not null) from smartassist.reporting";
    (ended, database.text(in_use).await)
}

#[tokio::test]
async fn only_who_loads_an_account_changes_its_settings() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("start_from", &days_ago(6));
    setup.seed_days(3, 5, 3, 60);
    let environment = setup.environment_on(&database).await;
    let new_york = [("TIME_ZONE", "America/New_York")];
    let berlin = [("TIME_ZONE", "Europe/Berlin"), ("SERVICE_LEVEL_SECONDS", "60")];

    let (first, in_use) = with_settings(&["sync"], &environment, &new_york, &database).await;
    assert_eq!((first.events(CHANGED).len(), first.events(STAY).len()), (0, 0));
    assert_eq!(in_use, "America/New_York 20 f");

    let (from, to) = (days_ago(5), days_ago(3));
    let range = ["--from", from.as_str(), "--to", to.as_str()];
    for command in [
        [&["verify"][..], &range].concat(),
        [&["backfill"][..], &range].concat(),
        vec!["rebuild-facts"],
    ] {
        let (ended, in_use) = with_settings(&command, &environment, &[], &database).await;
        assert_eq!(in_use, "America/New_York 20 f", "{command:?}");
        let stay = ended.events(STAY);
        assert_eq!(stay[0]["differing"], "time_zone: America/New_York -> UTC");
    }

    let (changed, in_use) = with_settings(&["sync"], &environment, &berlin, &database).await;
    assert_eq!(in_use, "Europe/Berlin 60 f", "and the facts are made anew");
    let told = "time_zone: America/New_York -> Europe/Berlin, service_level_seconds: 20 -> 60";
    assert_eq!(changed.events(CHANGED)[0]["changed"], told);
    assert_eq!(changed.events("facts were made anew")[0]["interactions"], 60);

    // Whatever way the channel is written.
    let email = [
        berlin[0],
        berlin[1],
        ("SERVICE_LEVEL_SECONDS_BY_CHANNEL", r#"{"EMAIL": 14400}"#),
    ];
    let (changed, _) = with_settings(&["sync"], &environment, &email, &database).await;
    let told = r#"service_level_seconds_by_channel:  -> {"Email": 14400}"#;
    assert_eq!(changed.events(CHANGED)[0]["changed"], told);
    let (same, _) = with_settings(&["sync"], &environment, &email, &database).await;
    assert_eq!((same.events(CHANGED).len(), same.events(STAY).len()), (0, 0));
}

#[tokio::test]
async fn status_says_that_facts_are_being_made_anew() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(20).await;
    setup.sync(&database).await;
    let settings =
        "insert into smartassist.reporting (account_id) select account_id from smartassist_sync.accounts";
    database.execute(settings).await;
    let environment = setup.environment_on(&database).await;
    for (to, told) in [
        ("null", None),
        ("'epoch'", Some("facts are to be made anew")),
        (
            "'2026-01-02 03:04:05+00'",
            Some("facts are being made anew, done up to 2026-01-02T03:04:05Z"),
        ),
    ] {
        database
            .execute(&format!("update smartassist.reporting set rebuild_from = {to}"))
            .await;
        let status = Program::run(&["status"], &environment).await.stdout;
        let reports = status
            .lines()
            .find_map(|line| line.trim().strip_prefix("reports"));
        assert_eq!(reports.map(str::trim), told, "{status}");
    }
}

/// As an erasure has it while it deletes.
async fn lock_accounts(database: &TestDatabase) -> PgConnection {
    let mut other = PgConnection::connect_with(&database.pool.options())
        .await
        .unwrap();
    let hold = "begin; select from smartassist_sync.accounts for no key update";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();
    other
}

#[tokio::test]
async fn settings_that_are_not_changed_need_no_lock() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(5).await;
    setup.sync(&database).await;
    let mut account = setup.worker(&database.pool).api.account().clone();
    let apply = |account: AccountConfig, may_change| {
        let pool = &database.pool;
        async move { reporting::apply(pool, &account, may_change).await }
    };
    apply(account.clone(), true).await.unwrap();
    let mut other = lock_accounts(&database).await;
    apply(account.clone(), true).await.unwrap();
    account.reporting.service_level_seconds = 7;
    apply(account.clone(), false).await.unwrap();
    let in_use = "select service_level_seconds from smartassist.reporting";
    assert_ne!(database.text(&format!("select ({in_use})::text")).await, "7");
    let change = apply(account, true);
    let (changed, ()) = tokio::join!(change, async {
        database.until_a_lock_is_waited_for().await;
        sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    });
    changed.unwrap();
    assert_eq!(database.text(&format!("select ({in_use})::text")).await, "7");
}

#[tokio::test]
async fn a_daemon_waits_for_an_account_that_is_locked_at_its_start() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(5).await;
    setup.sync(&database).await;
    let (mut environment, port) = daemon::environment(&setup, &database).await;
    let key = "SMARTASSIST_ETL__DATABASE__LOCK_TIMEOUT_SECONDS";
    environment.insert(key.to_owned(), "1".to_owned());
    let mut other = lock_accounts(&database).await;
    let mut daemon = Program::start(&["run"], &environment);
    let waiting = "waiting for the database, settings of reports cannot be stored now";
    let waiting = daemon.event(waiting).await;
    let remedy = waiting["remedy"].as_str().unwrap();
    assert!(remedy.contains("who holds locks"), "{remedy}");
    daemon::until_answer(port, "/readyz", 503, "who holds locks").await;
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    daemon.event("run finished").await;
    let stored = "select count(*) from smartassist.reporting";
    assert_eq!(database.number(stored).await, 1);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
}
