//! Trying rejected records again, as after an upgrade.

use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};
use smartassist_etl::sync::{AccountContext, Retry, RetryReport};
use smartassist_etl::time::Clock;
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Origin, RecordText, transform_stored};
use smartassist_etl::warehouse::left_out::StoreLimits;
use smartassist_etl::warehouse::rejections::{self, Retried};
use tokio_util::sync::CancellationToken;

use crate::support::{Setup, TestDatabase, instant};

async fn retry(worker: &AccountContext) -> RetryReport {
    let mut retry = Retry::default();
    worker
        .retry_rejected(&mut retry, &CancellationToken::new())
        .await
        .unwrap();
    retry.report
}

/// Rejects a text by hand, as a version that could not read it would have.
pub(super) async fn reject(database: &TestDatabase, payload: &str) {
    sqlx::query(
        "insert into smartassist_sync.rejected_records (account_id, range, reason, payload, payload_hash, time_zone_offset) \
         values ('acct-sim', '[2026-01-10,2026-01-11)', 'old', $1, $2, -330)",
    )
    .bind(payload)
    .bind(Sha256::digest(payload).as_slice())
    .execute(&database.pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_rejected_record_that_is_readable_now_becomes_rows() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let stored = json!({"sessionId": "s-2", "sessionStartTime": "2026-01-10T10:00:00", "channel": "newer"});
    setup
        .simulator
        .world()
        .insert_raw(instant("2026-01-10T10:00:00Z"), &stored);
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    setup.sync(&database).await;
    reject(
        &database,
        r#"{"sessionId":"s-1","sessionStartTime":"2026-01-10T15:30:00"}"#,
    )
    .await;
    reject(
        &database,
        r#"{"sessionId":"s-2","sessionStartTime":"2026-01-10T15:30:00"}"#,
    )
    .await;
    reject(&database, r#"{"sessionId":"s-3"}"#).await;
    reject(&database, "no JSON at all").await;

    let worker = setup.worker(&database.pool);
    let report = retry(&worker).await;
    assert_eq!((report.tried, report.stored, report.were_stored), (4, 1, 1));
    assert_eq!(report.rejected.values().sum::<u64>(), 2);
    // At the offset that it was asked with.
    let start = "select (session_started_at at time zone 'UTC')::text from smartassist.sessions where session_id = 's-1'";
    assert_eq!(database.text(start).await, "2026-01-10 10:00:00");
    let channel = "select channel from smartassist.sessions where session_id = 's-2'";
    assert_eq!(database.text(channel).await, "newer");
    let open = "select count(*) from smartassist_sync.rejected_records where resolved_at is null";
    assert_eq!(database.number(open).await, 2);
    let again = retry(&worker).await;
    assert_eq!((again.tried, again.stored), (2, 0));
}

/// Of this session, last seen at that instant.
async fn reject_version(database: &TestDatabase, session: &str, payload: &str, seen: &str) {
    reject(database, payload).await;
    sqlx::query(
        "update smartassist_sync.rejected_records set interaction_key = smartassist.interaction_key('acct-sim', null, $1), last_seen_at = $2, time_zone_offset = 0 \
         where payload = $3",
    )
    .bind(session)
    .bind(instant(seen))
    .bind(payload)
    .execute(&database.pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn the_newest_of_several_readable_versions_becomes_the_row() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    let version = |id: &str, channel: &str| json!({"sessionId": id, "sessionStartTime": "2026-01-10T10:00:00", "channel": channel});
    setup
        .simulator
        .world()
        .insert_raw(instant("2026-01-10T10:00:00Z"), &version("s-row", "v1"));
    setup.sync(&database).await;
    // In this order; the row is of noon of 15 January.
    for (id, channel, seen) in [
        ("s-new", "v3", "2026-01-15T13:15:00Z"),
        ("s-new", "v2", "2026-01-15T13:00:00Z"),
        ("s-row", "v2", "2026-01-15T13:00:00Z"),
        ("s-row", "v0", "2026-01-15T11:00:00Z"),
    ] {
        let payload = version(id, channel).to_string();
        reject_version(&database, id, &payload, seen).await;
    }
    setup.pass(chrono::TimeDelta::hours(3));
    let worker = setup.worker(&database.pool);
    let report = retry(&worker).await;
    assert_eq!((report.stored, report.were_stored), (2, 2));
    let rows =
        "select string_agg(session_id || ' ' || channel, ', ' order by session_id) from smartassist.sessions";
    assert_eq!(database.text(rows).await, "s-new v3, s-row v2");
}

/// Whether or not raw records are kept, which say when their version was fetched.
#[tokio::test]
async fn a_newer_version_that_is_readable_later_still_becomes_the_row() {
    for keeps_raw in [true, false] {
        let setup = Setup::start().await;
        let database = TestDatabase::migrated().await;
        setup.sync(&database).await;
        let version = |channel: &str| {
            json!({"sessionId": "s-1", "sessionStartTime": "2026-01-10T10:00:00", "channel": channel})
                .to_string()
        };
        let older = version("v2");
        for (payload, seen) in [
            (older.as_str(), "2026-01-15T13:00:00Z"),
            ("v3", "2026-01-15T13:15:00Z"),
        ] {
            reject_version(&database, "s-1", payload, seen).await;
        }
        setup.pass(chrono::TimeDelta::hours(3));
        let mut worker = setup.worker(&database.pool);
        Arc::make_mut(&mut worker.storage).raw = keeps_raw;
        assert_eq!(retry(&worker).await.stored, 1);
        // A later program can read what this one cannot.
        sqlx::query("update smartassist_sync.rejected_records set payload = $1 where payload = 'v3'")
            .bind(version("v3"))
            .execute(&database.pool)
            .await
            .unwrap();
        setup.pass(chrono::TimeDelta::hours(3));
        assert_eq!(retry(&worker).await.stored, 1, "{keeps_raw}");
        let row = "select string_agg(channel, ' ') from smartassist.sessions";
        assert_eq!(database.text(row).await, "v3");
    }
}

#[tokio::test]
async fn what_was_resolved_or_deleted_since_it_was_listed_stays_so() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    for (meanwhile, retried) in [
        (
            "update smartassist_sync.rejected_records set resolved_at = now()",
            Retried::WasStored,
        ),
        ("delete from smartassist_sync.rejected_records", Retried::LeftOut),
    ] {
        let payload = r#"{"sessionId":"s-1","sessionStartTime":"2026-01-10T15:30:00"}"#;
        database
            .execute("delete from smartassist_sync.rejected_records")
            .await;
        reject(&database, payload).await;
        let listed = rejections::next(&database.pool, "acct-sim", None, true)
            .await
            .unwrap();
        database.execute(meanwhile).await;
        let origin = Origin {
            account_id: "acct-sim",
            time_zone_offset: -330,
        };
        let interaction = transform_stored(&RecordText::of(payload), origin, &Policy::default()).unwrap();
        let limits = StoreLimits::default();
        let store = rejections::store(
            &database.pool,
            ("acct-sim", setup.clock.now()),
            &limits,
            &listed[0],
            &interaction,
            (true, true),
        );
        assert_eq!(store.await.unwrap(), retried);
        assert_eq!(database.counts().await[0], 0);
    }
}
