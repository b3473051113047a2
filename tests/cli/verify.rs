//! `verify` as a program: what it prints, and its exit code.

use std::collections::HashMap;

use serde_json::{Value, json};
use smartassist_etl::ledger::leases;
use smartassist_simulator::{Behaviour, NumResults};

use crate::reports::differing;
use crate::support::{Program, Setup, TestDatabase, days_ago, instant, program::Ended};

/// Ten days with 600 interactions, loaded.
async fn loaded() -> (Setup, TestDatabase, HashMap<String, String>) {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(5, 20, 10, 600);
    let environment = setup.environment_on(&database).await;
    let (from, to) = (days_ago(20), days_ago(10));
    let backfill = Program::run(&["backfill", "--from", &from, "--to", &to], &environment).await;
    assert_eq!(backfill.code(), 0, "{}", backfill.log.join("\n"));
    (setup, database, environment)
}

async fn verify(environment: &HashMap<String, String>, more: &[&str]) -> Ended {
    let (from, to) = (days_ago(20), days_ago(10));
    let arguments = [&["verify", "--from", &from, "--to", &to], more].concat();
    Program::run(&arguments, environment).await
}

#[tokio::test]
async fn equal_days_cost_a_request_each_and_are_summed_up_in_a_line() {
    let (setup, database, environment) = loaded().await;
    let versions = database.row_versions().await;
    let before = setup.simulator.world().counters().requests;
    let ended = verify(&environment, &[]).await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    assert!(
        ended
            .stdout
            .contains("0 of 10 days differ; 10 were compared by the API's total"),
        "{}",
        ended.stdout
    );
    // One each, and one for what is new since.
    let asked = setup.simulator.world().counters().requests - before;
    assert!((10..=11).contains(&asked), "{asked}");
    assert_eq!(database.row_versions().await, versions, "nothing is written");

    setup.simulator.world().mutate_some(5, 0.2);
    assert!(
        verify(&environment, &["--by-identity"])
            .await
            .stdout
            .contains("changed")
    );
}

#[tokio::test]
async fn differences_are_shown_and_fail_verify_until_repaired() {
    for num_results in [NumResults::Total, NumResults::Absent] {
        let (setup, database, environment) = loaded().await;
        let behaviour = Behaviour {
            num_results,
            ..Behaviour::default()
        };
        setup.simulator.world().set_behaviour(behaviour);
        database
            .execute("delete from smartassist.sessions where interaction_key in (select interaction_key from smartassist.sessions order by 1 limit 3)")
            .await;
        let ended = verify(&environment, &[]).await;
        assert_eq!(ended.code(), 1);
        assert!(ended.stdout.contains("not stored"), "{}", ended.stdout);
        assert!(
            ended.last_word().contains("days that differ"),
            "{}",
            ended.last_word()
        );
        let ended = verify(&environment, &["--json"]).await;
        assert_eq!(ended.code(), 1);
        let json: Value = serde_json::from_str(&ended.stdout).unwrap();
        let account = &json["accounts"][0];
        let missing: u64 = account["days"]
            .as_array()
            .unwrap()
            .iter()
            .map(|day| day["not_stored"].as_u64().unwrap())
            .sum();
        assert_eq!((missing, &account["days_compared"]), (3, &10.into()), "{json}");

        let repaired = verify(&environment, &["--repair"]).await;
        assert_eq!(repaired.code(), 0, "{}", repaired.log.join("\n"));
        assert!(
            repaired.stdout.contains("0 of 10 days differ"),
            "{}",
            repaired.stdout
        );
        assert_eq!(database.counts().await[0], 600);
        assert_eq!(verify(&environment, &[]).await.code(), 0);
    }
}

#[tokio::test]
async fn a_repair_marks_what_the_api_no_longer_returns() {
    let (setup, database, environment) = loaded().await;
    let gone = setup
        .simulator
        .world()
        .interactions()
        .nth(300)
        .unwrap()
        .session_id
        .clone();
    setup.simulator.world().vanish(&gone);
    assert_eq!(verify(&environment, &[]).await.code(), 1);
    let repaired = verify(&environment, &["--repair"]).await;
    assert_eq!(
        repaired.code(),
        0,
        "{}{}",
        repaired.stdout,
        repaired.log.join("\n")
    );
    let missing = "select count(*) from smartassist.sessions where missing_since is not null";
    assert_eq!(database.number(missing).await, 1);
}

#[tokio::test]
async fn a_day_that_cannot_be_repaired_does_not_block_later_days() {
    let (setup, database, environment) = loaded().await;
    let newest =
        "select interaction_key::text from smartassist.sessions order by session_started_at desc limit 1";
    let newest = database.text(newest).await;
    let of_newest = format!("from smartassist.sessions where interaction_key = '{newest}'");
    database.execute(&format!("delete {of_newest}")).await;
    // More in one second of the first day than the API shows, and nothing to tell them apart by.
    let at = format!("{}T23:00:00", days_ago(20));
    for number in 0..1_200 {
        let record = json!({ "sessionId": format!("same-{number}"), "sessionStartTime": at });
        let mut world = setup.simulator.world();
        world.insert_raw(instant(&format!("{at}Z")), &record);
    }
    let repaired = verify(&environment, &["--repair"]).await;
    assert_eq!(repaired.code(), 1, "{}", repaired.stdout);
    assert!(
        repaired.stdout.contains("1 of 10 days differ"),
        "{}",
        repaired.stdout
    );
    let stored = format!("select count(*) {of_newest}");
    assert_eq!(database.number(&stored).await, 1);
    // The second is a gap now, and parts the day.
    let again = verify(&environment, &["--json"]).await;
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["accounts"][0]["days_compared"], 10);
}

#[tokio::test]
async fn an_account_that_another_worker_has_is_waited_for() {
    let (_setup, database, environment) = loaded().await;
    let lasts = std::time::Duration::from_secs(60);
    let lease = leases::acquire(&database.pool, "acct-sim", "other", lasts).await;
    let lease = lease.unwrap().unwrap().lease;
    let (from, to) = (days_ago(20), days_ago(10));
    let mut waiting = Program::start(&["verify", "--from", &from, "--to", &to], &environment);
    waiting
        .event("another worker has the account and reads it, watching")
        .await;
    lease.release(&database.pool, &[]).await.unwrap();
    let ended = waiting.ended().await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    let runs = ended.events("run finished");
    assert!(
        runs.iter()
            .any(|run| run["kind"] == "verify" && run["outcome"] == "succeeded")
    );
}

#[tokio::test]
async fn wrong_arguments_and_a_refusal_have_their_exit_codes() {
    let (_setup, _database, mut environment) = loaded().await;
    let ended = Program::run(
        &["verify", "--from", "2025-01-02", "--to", "2025-01-01"],
        &environment,
    )
    .await;
    assert_eq!(ended.code(), 2, "{}", ended.last_word());
    environment.insert(
        "SMARTASSIST_ETL__ACCOUNTS__MAIN__CLIENT_SECRET".to_owned(),
        "not-the-secret-0123456789abcdef00".to_owned(),
    );
    assert_eq!(verify(&environment, &[]).await.code(), 3);
}

#[tokio::test]
async fn what_was_deleted_by_hand_is_kept_and_counted_again() {
    let (_setup, database, environment) = loaded().await;
    let sessions = database.number("select count(*) from smartassist.sessions").await;
    let half = "get_byte(uuid_send(interaction_key), 15) % 2 = 0";
    for table in ["fact_interactions", "fact_queue_visits"] {
        let delete = format!("delete from smartassist.{table} where {half}");
        database.execute(&delete).await;
    }
    let rebuilt = Program::run(&["rebuild-facts"], &environment).await;
    assert_eq!(rebuilt.code(), 0, "{}", rebuilt.log.join("\n"));
    assert_eq!(differing(&database).await, "");

    let gone = format!(
        "delete from smartassist.sessions where not {half} and session_started_at > '{}'",
        days_ago(12)
    );
    database.execute(&gone).await;
    Program::run(&["rebuild-facts"], &environment).await;
    assert_eq!(differing(&database).await, "");

    let counted = "select coalesce(sum(interactions), 0)::bigint from smartassist_sync.interactions_by_day";
    let delete = format!("delete from smartassist.sessions where {half}");
    database.execute(&delete).await;
    let repaired = verify(&environment, &["--repair"]).await;
    assert_eq!(repaired.code(), 0, "{}", repaired.log.join("\n"));
    assert_eq!(database.number(counted).await, sessions);
    database
        .execute("delete from smartassist_sync.interactions_by_day")
        .await;
    Program::run(&["rebuild-facts"], &environment).await;
    assert_eq!(database.number(counted).await, sessions);

    database.execute("delete from smartassist.raw_interactions").await;
    let (from, to) = (days_ago(20), days_ago(10));
    let refetch = ["backfill", "--from", &from, "--to", &to, "--refetch"];
    let read = Program::run(&refetch, &environment).await;
    assert_eq!(read.code(), 0, "{}", read.log.join("\n"));
    let raw = "select count(*) from smartassist.raw_interactions";
    assert_eq!(database.number(raw).await, sessions);
}

#[tokio::test]
async fn a_verification_says_how_many_days_it_has_before_it() {
    let (setup, database, environment) = loaded().await;
    let hold = setup.hold_answers();
    let (from, to) = (days_ago(20), days_ago(10));
    let verifying = Program::start(&["verify", "--from", &from, "--to", &to], &environment);
    let left = "select coalesce(max(requests_left), 0) from smartassist_sync.runs where kind = 'verify'";
    database.until("progress", left, |left| left == 10).await;
    hold.cancel();
    assert_eq!(verifying.ended().await.code(), 0);
}
