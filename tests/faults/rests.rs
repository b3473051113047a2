//! What failed is tried again by the daemon after a rest of a minute, and then it counts as read.

use std::sync::Arc;

use chrono::TimeDelta;
use smartassist_etl::ledger::Purpose;
use smartassist_etl::ledger::requests::NewRequest;
use smartassist_etl::sync;
use smartassist_etl::time::Window;
use smartassist_simulator::{Channel, Fault, FaultKind, Seed};
use tokio_util::sync::CancellationToken;

use crate::support::{Setup, TestDatabase, instant};

/// How a request for a day and its runs end, of which one window fails once; with a second that cannot be read, if asked to.
async fn ends(with_gap: bool) -> String {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(50).await;
    setup.sync(&database).await;
    let day = instant("2026-01-05T00:00:00Z");
    if with_gap {
        let second = Seed::new(12, day, day + TimeDelta::seconds(1), 1_500);
        for mut late in second.interactions() {
            (late.conversation, late.channel) = (None, Channel::Voice);
            setup.simulator.world().insert(late);
        }
    }
    setup.set("max_retries", "0");
    let mut daemon = setup.worker(&database.pool);
    Arc::make_mut(&mut daemon.sync).refresh.clear();
    let ranges = [Window::new(day, day + TimeDelta::days(1))];
    let wish = NewRequest {
        due_for: Some(TimeDelta::zero()),
        ..NewRequest::of(Purpose::Backfill, &ranges)
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
    let ends = "select state || ': ' || (select string_agg(status, ', ' order by id) from smartassist_sync.runs where kind = 'backfill') \
                from smartassist_sync.requests";
    database.text(ends).await
}

#[tokio::test]
async fn a_request_that_is_read_after_a_rest_is_done_and_not_partial() {
    let (without, with_gap) = tokio::join!(ends(false), ends(true));
    assert_eq!(without, "done: failed, succeeded");
    assert!(with_gap.starts_with("partial: failed"), "{with_gap}");
}
