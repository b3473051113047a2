//! Leases and coverage, as SQL keeps them.

mod bulk;
mod commits;
mod desk;
mod fencing;
mod ledger;
mod missing;
mod moved;
mod numbers;
mod roundtrip;
mod sums;
mod superseded;
mod wanted;
mod writing;

use std::time::Duration;

use chrono::{DateTime, Utc};
use smartassist_etl::ledger::gaps::unread;
use smartassist_etl::ledger::{LoadError, leases};
use sqlx::AssertSqlSafe;

use crate::support::{Setup, TestDatabase, instant};

const LASTS: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_lease_has_one_holder_and_its_token_grows() {
    let database = TestDatabase::migrated().await;
    let pool = &database.pool;
    let first = leases::acquire(pool, "a", "one", LASTS)
        .await
        .unwrap()
        .unwrap()
        .lease;
    assert!(leases::acquire(pool, "a", "two", LASTS).await.unwrap().is_none());
    assert!(
        leases::acquire(pool, "b", "two", LASTS).await.unwrap().is_some(),
        "another account is free"
    );
    first.release(pool, &[]).await.unwrap();
    let second = leases::acquire(pool, "a", "two", LASTS)
        .await
        .unwrap()
        .unwrap()
        .lease;
    assert_eq!((first.token, second.token), (1, 2));
    assert!(matches!(
        first.renew(pool, LASTS, &[]).await,
        Err(LoadError::LeaseLost)
    ));
    second.renew(pool, LASTS, &[]).await.unwrap();
    first.release(pool, &[]).await.unwrap();
    assert!(
        leases::acquire(pool, "a", "three", LASTS)
            .await
            .unwrap()
            .is_none(),
        "an old holder releases nothing"
    );
}

#[tokio::test]
async fn a_lease_that_has_passed_is_free_to_take() {
    let database = TestDatabase::migrated().await;
    leases::acquire(&database.pool, "a", "one", Duration::ZERO)
        .await
        .unwrap()
        .unwrap();
    assert!(
        leases::acquire(&database.pool, "a", "two", LASTS)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn of_many_workers_at_once_one_gets_the_lease() {
    let database = TestDatabase::migrated().await;
    for account in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let tries = (0..20).map(|n| {
            let pool = database.pool.clone();
            async move {
                leases::acquire(&pool, account, &n.to_string(), LASTS)
                    .await
                    .unwrap()
            }
        });
        let taken = futures_util::future::join_all(tries).await;
        assert_eq!(taken.iter().flatten().count(), 1, "{account}");
    }
}

/// The watermark that PostgreSQL derives from a coverage, for an account wanted from 1 January.
async fn watermark_of(database: &TestDatabase, coverage: &str) -> DateTime<Utc> {
    let sql = format!("select smartassist_sync.watermark_of('{coverage}', '2026-01-01T00:00:00Z')");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(&database.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_watermark_is_the_end_of_the_first_unbroken_stretch() {
    let database = TestDatabase::migrated().await;
    let start = instant("2026-01-01T00:00:00Z");
    assert_eq!(watermark_of(&database, "{}").await, start);
    assert_eq!(
        watermark_of(&database, "{[2026-01-02Z,2026-01-03Z)}").await,
        start
    );
    assert_eq!(
        watermark_of(&database, "{[2025-12-01Z,2026-01-02Z),[2026-01-03Z,2026-01-04Z)}").await,
        instant("2026-01-02T00:00:00Z"),
    );
    assert_eq!(
        watermark_of(&database, "{[2025-12-01Z,2026-01-01Z)}").await,
        start,
        "the end is not in it"
    );
}

#[tokio::test]
async fn what_is_left_to_do_is_what_is_wanted_without_what_is_covered() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    setup.sync(&database).await;
    database
        .execute(
            "update smartassist_sync.accounts set \
             coverage = '{[2025-12-30Z,2026-01-02Z),[2026-01-03Z,2026-01-04Z)}'",
        )
        .await;
    let until = instant("2026-01-05T00:00:00Z");
    let left = unread(&database.pool, "acct-sim", until, Duration::ZERO)
        .await
        .unwrap();
    let left: Vec<String> = left.iter().map(ToString::to_string).collect();
    assert_eq!(
        left,
        [
            "2026-01-02T00:00:00Z/2026-01-03T00:00:00Z",
            "2026-01-04T00:00:00Z/2026-01-05T00:00:00Z"
        ],
    );
    let before_start = instant("2025-06-01T00:00:00Z");
    assert!(
        unread(&database.pool, "acct-sim", before_start, Duration::ZERO)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn lists_of_texts_arrive_as_they_were_sent() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    let start = instant("2026-01-10T10:00:00Z");
    let sent = serde_json::json!([
        r#"say "hi""#,
        r"c:\new",
        "{a,b}",
        "NULL",
        null,
        "ü\n",
        "\u{1f600}'$1",
        " "
    ]);
    setup.simulator.world().insert_raw(
        start,
        &serde_json::json!({
            "sessionId": "lists", "sessionStartTime": "2026-01-10T10:00:00", "dispositionRemarks": sent,
        }),
    );
    setup.sync(&database).await;
    let stored = database
        .text("select to_json(disposition_remarks)::text from smartassist.sessions")
        .await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&stored).unwrap(), sent);
}

#[tokio::test]
async fn nothing_after_the_databases_clock_is_requested() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    setup.sync(&database).await;
    let ahead = instant("2999-01-01T00:00:00Z");
    let left = unread(&database.pool, "acct-sim", ahead, Duration::from_secs(60))
        .await
        .unwrap();
    let late = format!(
        "select ('{}'::timestamptz > clock_timestamp() - interval '59 s')::int::bigint",
        left[0].end
    );
    assert_eq!((left.len(), database.number(&late).await), (1, 0));
}
