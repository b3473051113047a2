//! The page and its JSON as they are served.

use serde_json::Value;

use super::Daemon;
use crate::support::daemon::{environment, get};
use crate::support::{Program, Setup, TestDatabase, wait};

#[tokio::test]
async fn the_page_says_how_each_account_stands_and_what_to_do() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    let (status, page) = get(daemon.port, "/").await;
    assert_eq!(status, 200);
    for said in [
        "2 of 3 accounts are in trouble",
        "1 gap: a stretch of which the API does not show all records",
        "ask the vendor for these seconds",
        "the last poll failed: the API refused us (status 401",
        "check client_id, client_secret",
        "complete through",
        "request budget",
        r#"class="cell gap""#,
        "1,100 interactions",
        "Interactions per day",
        r#"<html lang="en">"#,
    ] {
        assert!(page.contains(said), "no {said:?} in:\n{page}");
    }
    let (status, alone) = get(daemon.port, "/accounts/main").await;
    assert_eq!(status, 200);
    assert!(
        alone.contains("acct-sim") && !alone.contains("acct-gap"),
        "{alone}"
    );
    for path in ["/page.css", "/page.js", "/icon.svg"] {
        let link = format!(r#"="{path}""#);
        assert!(page.contains(&link), "no {link} in:\n{page}");
        assert_eq!(get(daemon.port, path).await.0, 200, "{path}");
    }
    let of_others = "insert into smartassist_sync.accounts (account_id, name, start_from) values ('acct-other', 'nobody', now())";
    database.execute(of_others).await;
    for path in ["/accounts/nobody", "/accounts/main/days/2026-01-05", "/other.js"] {
        let (status, page) = get(daemon.port, path).await;
        assert!(matches!(status, 400 | 404), "{path}: {status} {page}");
    }
}

#[tokio::test]
async fn a_gap_is_listed_with_its_second_below_the_calendar() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    let second = "select to_char(min(lower(range)) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from smartassist_sync.gaps";
    let second = database.text(second).await;
    let (status, page) = get(daemon.port, "/accounts/burst").await;
    assert_eq!(status, 200);
    for said in [&format!("Gap of 1 s from {second}"), "Tried 1 time", "next at "] {
        assert!(page.contains(said), "no {said:?} in:\n{page}");
    }
}

#[tokio::test]
async fn the_same_facts_are_there_as_json() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    let (status, body) = get(daemon.port, "/api/status").await;
    assert_eq!(status, 200);
    let board: Value = serde_json::from_str(&body).unwrap();
    let account = |name: &str| {
        let accounts = board["accounts"].as_array().unwrap();
        accounts
            .iter()
            .find(|account| account["name"] == name)
            .unwrap()
            .clone()
    };
    let (main, burst, refused) = (account("main"), account("burst"), account("refused"));
    assert_eq!(main["standing"], "complete", "{main:#}");
    assert_eq!(
        (&burst["standing"], &burst["gaps"]),
        (&"trouble".into(), &1.into())
    );
    assert_eq!(
        (
            &refused["problems"][0]["severity"],
            &refused["problems"][0]["code"]
        ),
        (&"failed".into(), &"api_refused".into())
    );
    assert_eq!(main["interactions"], 65);
    let days = main["calendar"].as_array().unwrap();
    assert!(
        days.iter()
            .any(|day| day["state"] == "drained" && day["interactions"] == 25),
        "{days:?}"
    );
    let states = burst["calendar"].to_string();
    assert!(states.contains(r#""state":"gap""#), "{states}");
    assert_eq!(burst["details"]["gaps"].as_array().unwrap().len(), 1);
    assert!(!main["runs"].as_array().unwrap().is_empty());
    // The command tells the same.
    let told = Program::run(&["status", "--json"], &daemon.environment).await;
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["accounts"][0]["name"], "burst");
    assert_eq!(told["accounts"][0]["details"]["gaps"], burst["details"]["gaps"]);
}

#[tokio::test]
async fn while_the_database_is_away_the_page_says_what_is_waited_for() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (mut environment, port) = environment(&setup, &database).await;
    let nowhere = "postgres://nobody@127.0.0.1:1/none".to_owned();
    environment.insert("DATABASE_URL".to_owned(), nowhere);
    let timeout = "SMARTASSIST_ETL__DATABASE__CONNECT_TIMEOUT_SECONDS".to_owned();
    environment.insert(timeout, "1".to_owned());
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("waiting for the database").await;
    let (status, page) = get(port, "/").await;
    assert_eq!(status, 503);
    for said in [
        "the database is out of reach",
        "check database.url",
        "Nothing is lost",
    ] {
        assert!(page.contains(said), "no {said:?} in:\n{page}");
    }
    assert_eq!(get(port, "/api/status").await.0, 503);
}

#[tokio::test]
async fn a_run_that_goes_on_shows_how_far_it_is_to_every_process() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.seed_days(5, 2, 0, 3_000);
    setup.set("requests_per_minute", "60");
    setup.set("max_in_flight", "1");
    let (environment, port) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("window drained").await;
    // It goes on for as long as whoever looks takes.
    let hold = setup.hold_answers();
    let work = wait::until("work that has made requests", async || {
        let (_, body) = get(port, "/api/status").await;
        let board: Value = serde_json::from_str(&body).unwrap_or_default();
        let work = board["accounts"][0]["work"][0].clone();
        let has_begun = work["requests"].as_i64() > Some(0);
        if has_begun { Ok(work) } else { Err(board) }
    })
    .await;
    assert_eq!(work["kind"], "poll");
    assert!(work["requests_left"].as_i64() > Some(0), "{work:#}");
    assert!(work["eta_seconds"].as_i64() > Some(0), "{work:#}");
    let told = Program::run(&["status"], &environment).await.stdout;
    assert!(told.contains("poll for ") && told.contains(" %)"), "{told}");
    let (_, page) = get(port, "/").await;
    assert!(page.contains("<progress max=\"100\""), "{page}");
    hold.cancel();
}
