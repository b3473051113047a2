//! `status`, for people and for programs.

use chrono::TimeDelta;
use serde_json::Value;
use smartassist_simulator::{Fault, FaultKind};

use crate::support::{Program, Setup, TestDatabase};

#[tokio::test]
async fn status_shows_how_far_an_account_is_complete() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(30).await;
    let environment = [("DATABASE_URL".to_owned(), database.url().await)].into();
    let before = Program::run(&["status"], &environment).await;
    assert_eq!((before.code(), before.stdout.lines().count()), (0, 1));

    setup.pass(-TimeDelta::days(12));
    setup.sync(&database).await;
    setup.pass(TimeDelta::days(12));
    setup.set("max_retries", "0");
    let broken = Fault::always(FaultKind::Body("<html>".into()));
    setup.simulator.world().inject(broken);
    setup.sync(&database).await;
    let json = Program::run(&["status", "--json"], &environment).await;
    let status: Value = serde_json::from_str(&json.stdout).unwrap();
    let account = &status["accounts"][0];
    assert_eq!(account["watermark"], "2026-01-03T11:58:00Z");
    assert_eq!(
        (&account["holes"], &account["runs"][0]["status"]),
        (&0.into(), &"failed".into())
    );
    assert_eq!(
        account["runs"][0]["error"],
        "a request failed: the API's answer is not a page of records (6 bytes)"
    );
    assert_eq!(account["runs"][0]["error_code"], "api_undecodable");

    let table = Program::run(&["status"], &environment).await.stdout;
    for said in [
        "main (acct-sim): in trouble\n  x the last sync failed: a request failed",
        "    -> check that base_url is the API",
        "\n  complete through   2026-01-03T11:58:00Z\n",
    ] {
        assert!(table.contains(said), "no {said:?} in:\n{table}");
    }
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");

    // Nothing went wrong.
    let stopped = "update smartassist_sync.runs set status = 'interrupted', error = 'told to stop'";
    database.execute(stopped).await;
    let table = Program::run(&["status"], &environment).await.stdout;
    assert!(table.contains("ended early        told to stop"), "{table}");
    assert!(!table.contains("last error"), "{table}");
}

#[tokio::test]
async fn status_tells_a_replay_that_goes_on_from_one_that_stopped() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(20).await;
    setup.sync(&database).await;
    let environment = [("DATABASE_URL".to_owned(), database.url().await)].into();
    let status = async || Program::run(&["status"], &environment).await.stdout;
    assert!(!status().await.contains("replay"));
    let begun = "insert into smartassist_sync.replays (account_id, rules) \
                 select account_id, 'of a test' from smartassist_sync.accounts";
    database.execute(begun).await;
    let counting = status().await;
    assert!(
        counting.contains("counting its records, last progress "),
        "{counting}"
    );
    let half_way = "update smartassist_sync.replays set records = 10, total = 20";
    database.execute(half_way).await;
    let goes_on = status().await;
    assert!(goes_on.contains("50 % done, last progress "), "{goes_on}");
    assert!(!goes_on.contains("a replay stopped"), "{goes_on}");
    let stopped = "update smartassist_sync.replays set updated_at = updated_at - interval '1 hour'";
    database.execute(stopped).await;
    let stopped = status().await;
    assert!(stopped.contains("! a replay stopped at 50 %, at "), "{stopped}");
    assert!(stopped.contains("-> run `replay` again"), "{stopped}");
}

#[tokio::test]
async fn status_of_an_empty_database_says_what_to_run() {
    let database = TestDatabase::empty().await;
    let environment = [("DATABASE_URL".to_owned(), database.url().await)].into();
    let ended = Program::run(&["status"], &environment).await;
    assert_eq!(ended.code(), 1);
    assert!(
        ended.last_word().contains("run `smartassist-etl sync` first"),
        "{}",
        ended.last_word()
    );
}
