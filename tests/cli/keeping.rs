//! `erase`, `replay` and `retry-rejected` as people run them: what they print, and their exit codes.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::doctor::Diagnosis;
use crate::support::{Program, Setup, TestDatabase, real_now};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const PHONE: &str = "+49 30 5550199";

/// A loaded call of one customer, and a record that was rejected.
async fn loaded() -> (Setup, TestDatabase, HashMap<String, String>) {
    let setup = Setup::live().await;
    let start = real_now() - chrono::TimeDelta::hours(3);
    let stamp = start.format("%Y-%m-%dT%H:%M:%S").to_string();
    let call = json!({
        "conversationId": "c-1", "sessionId": "s-1", "sessionStartTime": stamp, "sessionEndTime": stamp,
        "customerinfo": {"CustomerPhone": PHONE},
    });
    setup.simulator.world().insert_raw(start, &call);
    setup
        .simulator
        .world()
        .insert_raw(start, &json!({"sessionId": "s-2"}));
    let database = TestDatabase::migrated().await;
    let mut environment = setup.environment_on(&database).await;
    environment.insert(
        "SMARTASSIST_ETL__LOG__LEVEL".to_owned(),
        "trace,sqlx=trace".to_owned(),
    );
    set_key(&mut environment, KEY);
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    (setup, database, environment)
}

fn set_key(environment: &mut HashMap<String, String>, key: &str) {
    environment.insert("SMARTASSIST_ETL__PRIVACY__KEY".to_owned(), key.to_owned());
}

#[tokio::test]
async fn erase_prints_counts_and_says_the_value_nowhere() {
    let (_setup, database, environment) = loaded().await;
    let dry = Program::run(&["erase", "--phone", PHONE, "--dry-run"], &environment).await;
    assert_eq!(dry.code(), 0);
    assert!(
        dry.stdout
            .starts_with("Nothing is deleted; this would be:\n  sessions                  1\n"),
        "{}",
        dry.stdout
    );
    assert_eq!(database.counts().await[0], 1);
    let erased = Program::run(&["erase", "--phone", PHONE, "--json"], &environment).await;
    let printed: Value = serde_json::from_str(&erased.stdout).unwrap();
    assert_eq!(
        (&printed["dry_run"], &printed["deleted"]["sessions"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(database.counts().await[0], 0);
    for ended in [dry, erased] {
        let said = ended.log.join("\n") + &ended.stdout;
        assert!(!said.contains("5550199"), "{said}");
    }
}

#[tokio::test]
async fn erase_needs_a_key_and_a_value_that_identifies_somebody() {
    let (_setup, _database, mut environment) = loaded().await;
    for bad in [
        &["erase", "--phone", "112"][..],
        &["erase", "--phone", "anonymous"],
        &["erase", "--email", "nobody"],
        &["erase", "--user-id", " "],
        &["erase"],
        &["erase", "--phone", PHONE, "--email", "a@example.com"],
    ] {
        let ended = Program::run(bad, &environment).await;
        assert_eq!(ended.code(), 2, "{bad:?}: {}", ended.last_word());
    }
    environment.remove("SMARTASSIST_ETL__PRIVACY__KEY");
    let keyless = Program::run(&["erase", "--phone", PHONE], &environment).await;
    assert_eq!(keyless.code(), 2);
    assert!(
        keyless.last_word().contains("openssl rand -hex 32"),
        "{}",
        keyless.last_word()
    );
}

#[tokio::test]
async fn with_another_privacy_key_nothing_is_written() {
    let (_setup, _database, mut environment) = loaded().await;
    assert_eq!(
        Program::run(&["erase", "--phone", PHONE], &environment)
            .await
            .code(),
        0
    );
    let remedy = "give the privacy.key that `erase` was run with";
    let right = Diagnosis::of(&environment).await;
    let right = right.whole("privacy.key");
    assert_eq!((&right["status"], &right["remedy"]), (&json!("ok"), &Value::Null));
    set_key(&mut environment, "fedcba9876543210fedcba9876543210");
    let wrong = Diagnosis::of(&environment).await;
    let wrong = wrong.whole("privacy.key");
    assert_eq!(
        (&wrong["status"], &wrong["remedy"]),
        (&json!("failed"), &json!(remedy))
    );
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 1);
    assert_eq!(ended.events("run failed")[0]["remedy"], remedy);
    let problem = "no run can begin, so nothing is stored (customers were erased with another privacy.key";
    let status = Program::run(&["status", "--json"], &environment).await;
    assert!(status.stdout.contains(problem), "{}", status.stdout);
    let replay = Program::run(&["replay"], &environment).await;
    assert_eq!(replay.code(), 1);
    assert!(
        replay.last_word().contains("erased with another privacy.key"),
        "{}",
        replay.last_word()
    );
    set_key(&mut environment, KEY);
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 0);
    let status = Program::run(&["status", "--json"], &environment).await;
    assert!(!status.stdout.contains(problem), "{}", status.stdout);
}

#[tokio::test]
async fn replay_and_retry_need_no_api_and_print_what_came_of_them() {
    let (setup, _database, mut environment) = loaded().await;
    drop(setup);
    environment.insert("SMARTASSIST_ETL__PRIVACY__CUSTOMER".to_owned(), "hash".to_owned());
    let first = Program::run(&["replay"], &environment).await;
    assert_eq!(first.code(), 0, "{}", first.last_word());
    assert!(
        first
            .stdout
            .starts_with("main: succeeded; 1 records, 1 rewritten, 0 as they were"),
        "{}",
        first.stdout
    );
    let second = Program::run(&["replay", "--json"], &environment).await;
    let printed: Value = serde_json::from_str(&second.stdout).unwrap();
    assert_eq!(
        (
            &printed["accounts"][0]["updated"],
            &printed["accounts"][0]["unchanged"]
        ),
        (&json!(0), &json!(1))
    );
    let retried = Program::run(&["retry-rejected"], &environment).await;
    assert_eq!(retried.code(), 0);
    assert!(
        retried.stdout.contains("1 tried, 0 stored")
            && retried.stdout.contains("1 still rejected: sessionStartTime"),
        "{}",
        retried.stdout
    );
    for ended in [first, second, retried] {
        assert!(!ended.log.join("\n").contains("5550199"));
    }
}
