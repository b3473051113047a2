//! Who lost its lease writes nothing, also where the number of its token was given out again.

use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use smartassist_etl::ledger::runs::Kind;
use smartassist_etl::ledger::windows::record;
use smartassist_etl::ledger::{Counters, LoadError, Purpose, Status, WindowEntry, accounts, leases};

use crate::support::wait::PATIENCE;

use super::desk::{ACCOUNT, Desk, Reading, at, conversation, open_run, window};

const LASTS: Duration = Duration::from_secs(60);

fn is_lost<T>(outcome: &Result<T, LoadError>) -> bool {
    matches!(outcome, Err(LoadError::LeaseLost))
}

#[tokio::test]
async fn an_equal_token_of_another_holder_proves_no_lease() {
    let desk = Desk::open().await;
    let pool = &desk.database.pool;
    // The new primary has never heard of it.
    desk.database.execute("delete from smartassist_sync.leases").await;
    let other = leases::acquire(pool, ACCOUNT, "other", LASTS).await;
    let other = other.unwrap().unwrap().lease;
    assert_eq!(other.token, desk.lease.token);
    for status in [Status::Drained, Status::Split, Status::Gap] {
        let reading = Reading {
            window: window("10:00:00", "11:00:00"),
            status,
            records: &[conversation("a", "10:10:00", Some("10:20:00"))],
            rejected: &[],
            at: at("12:00:00"),
        };
        assert!(is_lost(&desk.commit(&reading).await), "{status:?}");
    }
    let failed = WindowEntry {
        lease: &desk.lease,
        run_id: desk.run_id,
        window: window("10:00:00", "11:00:00"),
        purpose: Purpose::New,
        status: Status::Failed,
        counters: Counters::default(),
        reported_total: None,
        started_at: at("12:00:00"),
        began_at: at("12:00:00"),
        problem: None,
        proof: None,
    };
    assert!(is_lost(&record(pool, &failed).await));
    assert!(is_lost(
        &accounts::remember_traits(pool, &desk.lease, &json!({})).await
    ));
    assert!(is_lost(&desk.lease.renew(pool, LASTS, &[]).await));
    desk.lease.release(pool, &[]).await.unwrap();
    assert!(!other.renew(pool, LASTS, &[]).await.unwrap());
    assert_eq!(desk.database.counts().await, [0; 7]);
    // The run that was left open is not taken for one of the new holder's.
    open_run(&desk.database, &other, Kind::Sync, at("12:00:00")).await;
    let open = "select count(*) from smartassist_sync.runs where status = 'running'";
    assert_eq!(desk.database.number(open).await, 1);
}

#[tokio::test]
async fn a_write_under_a_lease_delays_takeover_but_not_renewal() {
    let desk = Desk::open().await;
    let pool = &desk.database.pool;
    let mut proving = pool.begin().await.unwrap();
    sqlx::query(include_str!("../../src/ledger/fence.sql"))
        .bind(ACCOUNT)
        .bind(&desk.lease.holder)
        .bind(desk.lease.token)
        .fetch_one(&mut *proving)
        .await
        .unwrap();
    // Transactions may follow each other so closely that a renewal that waits for them comes too late.
    let renewing = tokio::time::timeout(PATIENCE, desk.lease.renew(pool, LASTS, &[]));
    renewing.await.expect("a renewal waits for nobody").unwrap();

    let end = "update smartassist_sync.leases set expires_at = clock_timestamp()";
    desk.database.execute(end).await;
    let mut taking = pin!(leases::acquire(pool, ACCOUNT, "other", LASTS));
    tokio::select! {
        early = &mut taking => panic!("what is written under the lease comes first: {early:?}"),
        _ = desk.database.until_a_lock_is_waited_for() => {}
    }
    proving.commit().await.unwrap();
    let other = taking.await.unwrap().unwrap().lease;
    assert_eq!(other.token, desk.lease.token + 1);
}
