//! What failed is tried again by the daemon after a rest, and then it counts as read.

use std::sync::Arc;

use chrono::TimeDelta;
use smartassist_etl::ledger::Purpose;
use smartassist_etl::ledger::requests::NewRequest;
use smartassist_etl::sync;
use smartassist_etl::time::Window;
use smartassist_simulator::{Fault, FaultKind};
use tokio_util::sync::CancellationToken;

use crate::support::{Setup, TestDatabase, instant};

/// The rest takes a minute.
#[tokio::test]
async fn a_request_that_is_read_after_a_rest_is_done_and_not_partial() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(50).await;
    setup.sync(&database).await;
    setup.set("max_retries", "0");
    let mut daemon = setup.worker(&database.pool);
    Arc::make_mut(&mut daemon.sync).refresh.clear();
    let start = instant("2026-01-05T00:00:00Z");
    let wish = NewRequest {
        purpose: Purpose::Backfill,
        ranges: &[Window::new(start, start + TimeDelta::days(1))],
        due_for: Some(TimeDelta::zero()),
        by_identity: false,
        policy: None,
    };
    sync::ask(&daemon, &wish).await.unwrap().unwrap();
    setup
        .simulator
        .world()
        .inject(Fault::times(1, FaultKind::status(503)));
    let stop = CancellationToken::new();
    let ended = "select count(*) from smartassist_sync.requests where state <> 'open'";
    tokio::join!(sync::serve(daemon, Arc::default(), stop.clone()), async {
        database.until("the request", ended, |ended| ended == 1).await;
        stop.cancel();
    });
    let states = "select state from smartassist_sync.requests";
    assert_eq!(database.text(states).await, "done");
    let runs =
        "select string_agg(status, ', ' order by id) from smartassist_sync.runs where kind = 'backfill'";
    assert_eq!(database.text(runs).await, "failed, succeeded");
}
