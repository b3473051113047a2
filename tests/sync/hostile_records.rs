//! Records that are made to harm, by whole runs: nothing ends, nothing fills up, and what is lost is said.

use serde_json::{Value, json};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::{Retry, erase};
use smartassist_etl::transform::privacy::{IdentifierKind, Policy, PrivacyKey, Wanted};
use tokio_util::sync::CancellationToken;

use crate::support::bomb::{PARSED_AGAIN, bomb};
use crate::support::{Setup, TestDatabase, instant};

use super::replay::replay;

fn good(id: &str) -> Value {
    json!({"sessionId": id, "sessionStartTime": "2026-01-10T10:00:00", "userId": id})
}

fn add(setup: &Setup, record: &Value) {
    setup
        .simulator
        .world()
        .insert_raw(instant("2026-01-10T10:00:00Z"), record);
}

fn add_text(setup: &Setup, record: String) {
    setup
        .simulator
        .world()
        .insert_raw_bytes(instant("2026-01-10T10:00:00Z"), record);
}

/// Reads everything again.
async fn read_again(setup: &Setup, database: &TestDatabase) {
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    assert_eq!(setup.sync(database).await.outcome, Outcome::Succeeded);
}

async fn problems(database: &TestDatabase) -> String {
    let standing = "select coalesce(string_agg(code || ': ' || detail, ', ' order by code), '') from smartassist_sync.problems";
    database.text(standing).await
}

#[tokio::test]
async fn a_bomb_of_nested_texts_ends_neither_sync_replay_nor_erase() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    let record = |id: &str, fields: &str| {
        format!(r#"{{"sessionId":"{id}","sessionStartTime":"2026-01-10T10:00:00",{fields}}}"#)
    };
    // First in its object, and last: stored, it becomes the first, since PostgreSQL sorts keys by their length.
    add_text(&setup, record("first", &format!(r#""metaInfo":{}"#, bomb(70))));
    let text = bomb(70).replace('\\', "\\u005c").replace('"', "\\u0022");
    let last = format!(
        r#""metaInfo":{{"a key that is longer than the other one of this object":1,"{PARSED_AGAIN}":"{text}"}}"#
    );
    add_text(&setup, record("last", &last));
    add_text(&setup, format!(r#"{{"sessionId":"s-1","novel":{}}}"#, bomb(70)));
    add(&setup, &good("s-good"));
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.inserted, report.counters.rejected),
        (Outcome::Succeeded, 3, 1)
    );

    let replayed = replay(&setup, &database, Policy::default()).await;
    assert_eq!(
        (replayed.outcome, replayed.updated, replayed.unchanged),
        (Some(Outcome::Succeeded), 0, 3)
    );

    let key = PrivacyKey::new("0123456789abcdef0123456789abcdef");
    for (kind, value, sessions) in [
        (IdentifierKind::Email, "somebody@example.com", 0),
        (IdentifierKind::UserId, "s-good", 1),
    ] {
        let wanted = Wanted::new(kind, value, &key).unwrap();
        let erased = erase(&database.pool, &wanted, &key, false).await.unwrap();
        assert_eq!(erased.deleted.sessions, sessions, "{value}");
    }
}

#[tokio::test]
async fn a_stored_bomb_stops_nobody_who_reads_its_rows() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    let add_record = |session: &str, fields: &str| {
        let record = format!(
            r#"{{"conversationId":"c-1","sessionId":"{session}","sessionStartTime":"2026-01-10T10:00:00"{fields}}}"#
        );
        add_text(&setup, record);
    };
    add_record("s-1", &format!(r#","skills":{}"#, bomb(70)));
    let novel = format!(r#"{{"queueId":"q","novel":{}}}"#, bomb(70));
    add_record("s-2", &format!(r#","destinations":[{novel}]"#));
    let refused = r#"{"$serde_json::private::Number":"x"}"#;
    add_record(
        "s-3",
        &format!(r#","destinations":[{{"respondingAgent":{{"snoozeinfo":{refused},"novel":{refused}}}}}]"#),
    );
    // Within the limit of nesting in its record, and beyond it in a list of rows.
    let deep = "[".repeat(125) + &"]".repeat(125);
    add_record(
        "s-4",
        &format!(r#","destinations":[{deep}],"sessionleveltags":[{deep}]"#),
    );
    assert_eq!(setup.sync(&database).await.counters.inserted, 4);
    add_record("s-5", "");
    read_again(&setup, &database).await;
    database.rebuild_facts("acct-sim").await;
    let counted = "select count(*) * 10 + sum(conversations) from smartassist.fact_interactions";
    assert_eq!(database.number(counted).await, 51);
}

#[tokio::test]
async fn a_replay_finds_numbers_with_exponents_unchanged() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    let record = r#"{"sessionId":"s-1","sessionStartTime":"2026-01-10T10:00:00","metaInfo":{"level":1e-7,"odd":[-0,1.50E1,1e300,1e9999]},
        "novel":-1e-5,"sessionleveltags":[{"name":"n","value":1e9},{"name":"n","value":1e400,"novel":-0.0}]}"#;
    add_text(&setup, record.to_owned());
    setup.sync(&database).await;
    let versions = database.row_versions().await;
    let replayed = replay(&setup, &database, Policy::default()).await;
    assert_eq!((replayed.updated, replayed.unchanged), (0, 1));
    assert_eq!(database.row_versions().await, versions);
}

#[tokio::test]
async fn a_day_of_rejected_records_is_bounded_then_counted() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    {
        let mut world = setup.simulator.world();
        for nth in 0..1_050 {
            // Spread, so that windows are of a usual size.
            let start = instant("2026-01-10T10:00:00Z") + chrono::TimeDelta::minutes(nth);
            world.insert_raw(start, &json!({"sessionId": format!("s-{nth}")}));
        }
        world.insert_raw(instant("2026-01-10T10:00:00Z"), &good("s-good"));
    }
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.rejected),
        (Outcome::Succeeded, 1_050)
    );
    let stored = "select count(*) from smartassist_sync.rejected_records";
    assert_eq!(database.number(stored).await, 1_000);
    let counted = "select string_agg(concat_ws(' ', day, kept, counted_alone, kept_bytes > 10000), ', ') from smartassist_sync.rejections_by_day";
    assert_eq!(database.text(counted).await, "2026-01-15 1000 50 t");
    let said = problems(&database).await;
    assert!(
        said.contains("rejected_records_not_kept: 50 rejections of today, beyond 1000 records or 16 MiB"),
        "{said}"
    );

    // Another day has its own room, and what was kept is only counted up.
    setup.pass(chrono::TimeDelta::days(1));
    read_again(&setup, &database).await;
    assert_eq!(database.number(stored).await, 1_050);
    assert_eq!(
        database.text(counted).await,
        "2026-01-15 1000 50 t, 2026-01-16 50 0 f"
    );
    let said = problems(&database).await;
    assert!(!said.contains("rejected_records_not_kept"), "{said}");
}

#[tokio::test]
async fn the_text_of_a_day_of_rejected_records_is_bounded() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    add(&setup, &json!({"sessionId": "s-1"}));
    setup.sync(&database).await;
    database
        .execute("update smartassist_sync.rejections_by_day set kept_bytes = 16 * 1024 * 1024 - 100")
        .await;
    add(&setup, &json!({"sessionId": "s-2", "novel": "x".repeat(100)}));
    read_again(&setup, &database).await;
    let counted = "select kept || ' ' || counted_alone from smartassist_sync.rejections_by_day";
    assert_eq!(database.text(counted).await, "1 1");
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.rejected_records")
            .await,
        1
    );
}

#[tokio::test]
async fn a_window_of_nothing_but_rejected_records_is_said() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    let odd = json!({"sessionId": "s-1", "sessionStartTime": "at noon, m4rker", "userId": "m4rker"});
    add(&setup, &odd);
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    let said = problems(&database).await;
    assert!(
        said.starts_with("all_records_rejected: 1 record in the window from 2026-01-"),
        "{said}"
    );
    assert!(
        said.ends_with("one because: sessionStartTime is missing or cannot be read"),
        "{said}"
    );
    assert!(!said.contains("m4rker"), "{said}");
    add(&setup, &good("s-good"));
    read_again(&setup, &database).await;
    assert_eq!(problems(&database).await, "");
}

#[tokio::test]
async fn the_ids_of_a_record_become_no_row() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    let mut large = good("s-large");
    large["errorDetails"] = "x".repeat(300 << 10).into();
    add(&setup, &large);
    add(&setup, &good("s-good"));
    setup.sync(&database).await;
    let kept =
        "select payload || ' ' || reason from smartassist_sync.rejected_records where resolved_at is null";
    let before = database.text(kept).await;
    assert!(
        before.contains(r#""sessionId":"s-large""#) && before.contains("larger than 262144 bytes"),
        "{before}"
    );
    let worker = setup.worker(&database.pool);
    let mut retry = Retry::default();
    worker
        .retry_rejected(&mut retry, &CancellationToken::new())
        .await
        .unwrap();
    let report = retry.report;
    assert_eq!((report.tried, report.stored, report.were_stored), (1, 0, 0));
    assert_eq!(database.text(kept).await, before);
    // Once the API sends it in a size that can be read, it is a row, and nothing waits any longer.
    add(&setup, &good("s-large"));
    database
        .execute("delete from smartassist_sync.rejected_records")
        .await;
    read_again(&setup, &database).await;
    assert_eq!(database.counts().await[0], 2);
}
