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
        "the API's answer is not a page of records (6 bytes)"
    );
    assert_eq!(account["runs"][0]["error_code"], "api_undecodable");

    let table = Program::run(&["status"], &environment).await.stdout;
    for said in [
        "main (acct-sim): in trouble\n  x the last sync failed: the API's answer",
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
async fn status_says_what_is_left_out_by_filters() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(30).await;
    for (key, value) in [
        ("channels", "voise,chat"),
        ("direction", "Inbound"),
        ("extra_body", r#"{"isAutomation":false}"#),
    ] {
        setup.set(key, value);
    }
    setup.sync(&database).await;
    let environment = [("DATABASE_URL".to_owned(), database.url().await)].into();
    let told = Program::run(&["status"], &environment).await.stdout;
    let said = "  filters            channels voise, chat; direction Inbound; extra_body\n                     isAutomation\n";
    assert!(told.contains(said), "{told}");
}

#[tokio::test]
async fn status_tells_a_replay_that_goes_on_from_one_that_was_killed() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(20).await;
    setup.sync(&database).await;
    let environment = [("DATABASE_URL".to_owned(), database.url().await)].into();
    let status = async || Program::run(&["status"], &environment).await.stdout;
    assert!(!status().await.contains("replay"));
    let begun = "insert into smartassist_sync.runs (account_id, kind, status, started_at, progress_at) \
                 select account_id, 'replay', 'running', now() - interval '2 hours', now() from smartassist_sync.accounts";
    database.execute(begun).await;
    let goes_on = status().await;
    assert!(goes_on.contains("running, began "), "{goes_on}");
    assert!(!goes_on.contains("a replay has made"), "{goes_on}");
    let killed =
        "update smartassist_sync.runs set progress_at = now() - interval '1 hour' where kind = 'replay'";
    database.execute(killed).await;
    let killed = status().await;
    assert!(
        killed.contains("! a replay has made no progress for 1 h"),
        "{killed}"
    );
    assert!(killed.contains("-> run `replay` again"), "{killed}");
    let stopped =
        "update smartassist_sync.runs set status = 'interrupted', finished_at = now() where kind = 'replay'";
    database.execute(stopped).await;
    let polls = "insert into smartassist_sync.runs (account_id, kind, status, started_at, finished_at) \
                 select account_id, 'poll', 'succeeded', now(), now() from smartassist_sync.accounts, generate_series(1, 20)";
    database.execute(polls).await;
    let stopped = status().await;
    assert!(stopped.contains("interrupted, began "), "{stopped}");
    assert!(stopped.contains("! a replay was stopped"), "{stopped}");
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
