//! What was erased stays away, also when nothing in it says any longer whose it was.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use smartassist_etl::sync::{AccountContext, Erasure, Retry, RunReport, erase};
use smartassist_etl::time::Window;
use smartassist_etl::transform::privacy::{IdentifierKind, Policy, PrivacyKey, Wanted};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, Verification, Verifies, instant};

use super::retry_rejected::reject;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const EMAIL: &str = "zelda@example.com";

fn start() -> DateTime<Utc> {
    instant("2026-01-10T10:00:00Z")
}

/// A record of these ids and fields.
fn record(session: &str, conversation: Option<&str>, fields: &Value) -> Value {
    let mut record = json!({
        "sessionId": session, "conversationId": conversation, "sessionStartTime": "2026-01-10T10:00:00",
        "sessionEndTime": "2026-01-10T10:05:00",
    });
    for (name, value) in fields.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

fn zelda() -> Value {
    json!({"customerinfo": {"CustomerEmail": EMAIL}})
}

/// A simulated API with these records, of the same account as every other.
async fn api(records: &[Value]) -> Setup {
    let setup = Setup::start().await;
    for record in records {
        setup.simulator.world().insert_raw(start(), record);
    }
    setup
}

fn worker(setup: &Setup, database: &TestDatabase) -> AccountContext {
    let mut worker = setup.worker(&database.pool);
    worker.policy = Arc::new(Policy {
        key: Some(PrivacyKey::new(SECRET)),
        ..Policy::default()
    });
    worker
}

/// Reads everything anew.
async fn refetch(setup: &Setup, database: &TestDatabase) -> RunReport {
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    // Elements without an id make their window a gap, which rests.
    database
        .execute("update smartassist_sync.windows set finished_at = finished_at - interval '9 days' where status = 'gap'")
        .await;
    let report = worker(setup, database)
        .run(&Job::Sync, &CancellationToken::new())
        .await;
    assert!(report.counters.records > 0);
    report
}

async fn forget(database: &TestDatabase, kind: IdentifierKind, value: &str) -> Erasure {
    let key = PrivacyKey::new(SECRET);
    let wanted = Wanted::new(kind, value, &key).unwrap();
    erase(&database.pool, &wanted, &key, false).await.unwrap()
}

async fn sessions(database: &TestDatabase) -> String {
    let sessions = "select coalesce(string_agg(coalesce(conversation_id, session_id), ' ' order by coalesce(conversation_id, session_id)), '') from smartassist.sessions";
    database.text(sessions).await
}

#[tokio::test]
async fn erased_interactions_stay_away_without_their_identifier() {
    let database = TestDatabase::migrated().await;
    let shown = api(&[
        record("s-1", Some("c-1"), &zelda()),
        record("s-2", None, &zelda()),
        record("s-3", None, &json!({})),
    ])
    .await;
    refetch(&shown, &database).await;
    assert_eq!(
        forget(&database, IdentifierKind::Email, EMAIL)
            .await
            .deleted
            .sessions,
        2
    );
    let hidden = api(&[
        record("s-1", Some("c-1"), &json!({"csatFeedback": "I am Zelda"})),
        record("s-2", None, &json!({"csatFeedback": "I am Zelda"})),
        record("s-3", None, &json!({})),
    ])
    .await;
    let again = refetch(&hidden, &database).await;
    assert_eq!((again.counters.inserted, again.counters.left_out), (0, 2));
    assert_eq!(sessions(&database).await, "s-3");
    let mut verification = Verification::of(Window::new(
        instant("2026-01-10T00:00:00Z"),
        instant("2026-01-11T00:00:00Z"),
    ));
    verification.demand_identity();
    worker(&hidden, &database)
        .verify(&mut verification, &CancellationToken::new())
        .await;
    assert!(verification.compared().all(|day| !day.differs()));
}

#[tokio::test]
async fn one_id_of_what_was_erased_is_enough_to_leave_out() {
    let database = TestDatabase::migrated().await;
    refetch(
        &api(&[
            record("s-1", Some("c-1"), &zelda()),
            record("s-2", None, &zelda()),
        ])
        .await,
        &database,
    )
    .await;
    forget(&database, IdentifierKind::Email, EMAIL).await;
    let later = api(&[
        record("s-1", None, &json!({})),
        record("s-9", Some("c-1"), &json!({})),
        record("s-2", Some("c-2"), &json!({})),
        json!({"conversationId": "c-1", "userId": "u-1"}),
        json!([{"sessionId": "s-2", "userId": "u-1"}]),
    ])
    .await;
    refetch(&later, &database).await;
    assert_eq!(sessions(&database).await, "");
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.rejected_records")
            .await,
        0
    );
}

#[tokio::test]
async fn siblings_of_what_was_erased_go_with_it() {
    let database = TestDatabase::migrated().await;
    let setup = api(&[
        record("s-1", None, &json!({"userId": "u-anonymous"})),
        record("s-1", Some("c-1"), &zelda()),
        record("s-1", Some("c-2"), &json!({})),
        json!({"sessionId": "s-1", "userId": "u-anonymous"}),
        record("s-2", None, &json!({})),
    ])
    .await;
    refetch(&setup, &database).await;
    let deleted = forget(&database, IdentifierKind::Email, EMAIL).await.deleted;
    assert_eq!((deleted.sessions, deleted.rejected_records), (3, 1));
    assert_eq!(sessions(&database).await, "s-2");
    refetch(&setup, &database).await;
    assert_eq!(sessions(&database).await, "s-2");
}

#[tokio::test]
async fn an_id_that_many_interactions_share_erases_one_only() {
    let database = TestDatabase::migrated().await;
    let shared = |conversation: usize| {
        let fields = if conversation == 7 { zelda() } else { json!({}) };
        record("web", Some(&format!("c-{conversation}")), &fields)
    };
    let setup = api(&(0..30).map(shared).collect::<Vec<_>>()).await;
    refetch(&setup, &database).await;
    assert_eq!(
        forget(&database, IdentifierKind::Email, EMAIL)
            .await
            .deleted
            .sessions,
        1
    );
    let again = refetch(&setup, &database).await;
    assert_eq!((again.counters.inserted, again.counters.left_out), (0, 1));
    assert_eq!(database.counts().await[0], 29);
}

#[tokio::test]
async fn erased_rejected_records_stay_away() {
    let database = TestDatabase::migrated().await;
    let texts = [
        r#"[{"sessionId": "s-1", "customerinfo": {"CustomerEmail": "Zelda@Example.com"}}]"#,
        r#"[[{"customerinfo": {"CustomerEmail": "zelda@example.com"}}]]"#,
        r#""from zelda@example.com, 10:00""#,
        r#"{"customerinfo": {"CustomerEmail": "\u007aelda@example.com"}}"#,
        r#"{"sessionId": "s-5", "note": "not zelda at all"}"#,
    ];
    let setup = Setup::start().await;
    for text in texts {
        setup.simulator.world().insert_raw_bytes(start(), text);
    }
    refetch(&setup, &database).await;
    assert_eq!(
        forget(&database, IdentifierKind::Email, EMAIL)
            .await
            .deleted
            .rejected_records,
        4
    );
    refetch(&setup, &database).await;
    let left = "select string_agg(payload, ' ') from smartassist_sync.rejected_records";
    assert_eq!(database.text(left).await, texts[4]);
}

#[tokio::test]
async fn records_of_who_was_erased_stay_away_by_their_ids() {
    let database = TestDatabase::migrated().await;
    refetch(&api(&[record("s-1", Some("c-1"), &zelda())]).await, &database).await;
    forget(&database, IdentifierKind::Email, EMAIL).await;
    let setup = api(&[record("s-well", None, &json!({}))]).await;
    for (session, of) in [
        ("s-1", "large"),
        ("s-1", "deep"),
        ("s-2", "large"),
        ("s-2", "deep"),
    ] {
        let fields = match of {
            "large" => format!("\"{}\"", "x".repeat(300 << 10)),
            _ => "[".repeat(5_000) + &"]".repeat(5_000),
        };
        let text = format!(
            r#"{{"sessionId": "{session}", "sessionStartTime": "2026-01-10T10:00:00", "{of}": {fields}}}"#
        );
        setup.simulator.world().insert_raw_bytes(start(), text);
    }
    refetch(&setup, &database).await;
    let kept = "select string_agg(payload, ' ') from smartassist_sync.rejected_records";
    let other = r#"{"conversationId":null,"sessionId":"s-2"}"#;
    assert_eq!(database.text(kept).await, format!("{other} {other}"));
}

#[tokio::test]
async fn only_keyed_hashes_of_what_was_erased_are_kept() {
    let database = TestDatabase::migrated().await;
    refetch(&api(&[record("s-1", Some("c-1"), &zelda())]).await, &database).await;
    forget(&database, IdentifierKind::Email, EMAIL).await;
    let kinds = "select string_agg(kind, ' ' order by kind) from smartassist_sync.erasures";
    assert_eq!(
        database.text(kinds).await,
        "conversation email interaction session"
    );
    let all = database
        .text("select string_agg(e::text, ' ') from smartassist_sync.erasures e")
        .await;
    assert!(
        !all.contains("s-1") && !all.contains("c-1") && !all.contains("zelda"),
        "{all}"
    );
    // Without the key nobody can try out ids.
    let plain =
        "select count(*) from smartassist_sync.erasures where value_hash in (sha256('s-1'), sha256('c-1'))";
    assert_eq!(database.number(plain).await, 0);
}

#[tokio::test]
async fn who_is_named_after_the_erasure_loses_what_was_stored_before() {
    let database = TestDatabase::migrated().await;
    let agent = json!({"destinations": [{"queueId": "q", "respondingAgent": {"agentId": "a"}}]});
    let nameless = api(&[
        record("s-1", Some("c-1"), &agent),
        record("s-2", None, &json!({})),
        record("s-3", None, &json!({})),
        json!({"sessionId": "s-4", "csatFeedback": "I am Zelda"}),
        record("s-5", None, &json!({})),
    ])
    .await;
    refetch(&nameless, &database).await;
    let erased = forget(&database, IdentifierKind::Email, EMAIL).await;
    assert_eq!(erased.deleted.sessions, 0);
    let named = api(&[
        record("s-1", Some("c-1"), &zelda()),
        // What is rejected says whose it is, too.
        json!({"sessionId": "s-2", "customerinfo": {"CustomerEmail": EMAIL}}),
        record("s-3", None, &zelda()),
        record("s-4", None, &zelda()),
        record("s-5", None, &json!({})),
    ])
    .await;
    for _ in 0..2 {
        let again = refetch(&named, &database).await;
        assert_eq!((again.counters.left_out, again.counters.unchanged), (3, 1));
        assert_eq!(sessions(&database).await, "s-5");
        let left = "select concat_ws(' ', (select count(*) from smartassist.raw_interactions), (select count(*) from smartassist.agent_segments), \
                    (select count(*) from smartassist.fact_interactions), (select sum(interactions) from smartassist_sync.interactions_by_day), \
                    (select count(*) from smartassist_sync.rejected_records))";
        assert_eq!(database.text(left).await, "1 0 1 1 0");
    }
}

#[tokio::test]
async fn a_retry_deletes_the_rejected_text_of_an_erased_customer() {
    let database = TestDatabase::migrated().await;
    let setup = api(&[record("s-1", None, &json!({}))]).await;
    refetch(&setup, &database).await;
    forget(&database, IdentifierKind::Email, EMAIL).await;
    reject(&database, &record("s-1", None, &zelda()).to_string()).await;
    reject(&database, &record("s-2", None, &json!({})).to_string()).await;
    let mut retry = Retry::default();
    worker(&setup, &database)
        .retry_rejected(&mut retry, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!((retry.report.left_out, retry.report.stored), (1, 1));
    assert_eq!(sessions(&database).await, "s-2");
    let texts = "select count(*) from smartassist_sync.rejected_records";
    assert_eq!(database.number(texts).await, 1);
}
