//! Erasing reads all that is stored, and holds nobody up meanwhile.

use std::sync::Arc;

use serde_json::{Value, json};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::erase;
use smartassist_etl::transform::privacy::{IdentifierKind, Policy, PrivacyKey, Wanted};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant};

const EMAIL: &str = "zelda@example.com";

fn key() -> PrivacyKey {
    PrivacyKey::new("0123456789abcdef0123456789abcdef")
}

fn record(id: &str, email: &str) -> Value {
    json!({
        "sessionId": id, "sessionStartTime": "2026-01-10T10:00:00", "sessionEndTime": "2026-01-10T10:05:00",
        "customerinfo": {"CustomerEmail": email},
    })
}

/// What a scan reads is held by somebody, and a window is stored meanwhile.
async fn window_beside_an_erasure(dry_run: bool) -> (TestDatabase, u64) {
    let setup = Setup::start().await;
    let at = instant("2026-01-10T10:00:00Z");
    let insert = |record: &Value| setup.simulator.world().insert_raw(at, record);
    insert(&record("s-1", EMAIL));
    insert(&record("s-2", "bob@example.com"));
    let database = TestDatabase::migrated().await;
    let mut worker = setup.worker(&database.pool);
    worker.settings.policy = Arc::new(Policy {
        key: Some(key()),
        ..Policy::default()
    });
    worker.run(&Job::Sync, &CancellationToken::new()).await;

    let mut held = database.pool.begin().await.unwrap();
    sqlx::query("lock table smartassist.joined_users in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let pool = database.pool.clone();
    let erasing = tokio::spawn(async move {
        let wanted = Wanted::new(IdentifierKind::Email, EMAIL, &key()).unwrap();
        erase(&pool, &wanted, &key(), dry_run).await.unwrap()
    });
    database.until_a_lock_is_waited_for().await;

    insert(&record("s-3", EMAIL));
    insert(&json!({"sessionId": "s-4", "customerinfo": {"CustomerEmail": EMAIL}}));
    database
        .execute("update smartassist_sync.accounts set coverage = '{}', watermark = start_from")
        .await;
    let beside = worker.run(&Job::Sync, &CancellationToken::new()).await;
    assert_eq!(beside.outcome, Outcome::Succeeded);
    assert_eq!((beside.counters.inserted, beside.counters.rejected), (1, 1));
    database
        .execute(&format!(
            "update smartassist.raw_interactions set payload = '{}' where interaction_key = \
             (select interaction_key from smartassist.sessions where session_id = 's-2')",
            record("s-2", EMAIL)
        ))
        .await;
    held.rollback().await.unwrap();
    let deleted = erasing.await.unwrap().deleted;
    (database, deleted.sessions + deleted.rejected_records)
}

#[tokio::test]
async fn a_window_stored_beside_an_erasure_is_erased_too() {
    let (database, deleted) = window_beside_an_erasure(false).await;
    assert_eq!(deleted, 4);
    assert_eq!(
        database.number("select count(*) from smartassist.sessions").await,
        0
    );
    let left = "select count(*) from smartassist_sync.rejected_records";
    assert_eq!(database.number(left).await, 0);
}

#[tokio::test]
async fn a_window_stored_beside_a_dry_run_is_counted_too() {
    let (database, counted) = window_beside_an_erasure(true).await;
    assert_eq!(counted, 4);
    assert_eq!(
        database.number("select count(*) from smartassist.sessions").await,
        3
    );
}
