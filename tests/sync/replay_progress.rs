//! How far a replay has come, for those who watch it.

use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::ledger::status;
use smartassist_etl::sync::Replayed;
use smartassist_etl::time::Clock;
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::warehouse::replay as tables;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::replay::{COUNT, hashing, loaded, replay, worker_of};
use crate::support::{Setup, TestDatabase};

async fn percent(database: &TestDatabase) -> Option<i64> {
    let accounts = status::accounts(&database.pool).await.unwrap();
    accounts[0].replay_percent
}

/// Stops it once its first portion is written.
async fn stop_half_way(setup: &Setup, database: &TestDatabase, policy: Policy) -> Replayed {
    let (worker, replayed) = (worker_of(setup, database, policy), watch::Sender::default());
    let (mut progress, stop) = (replayed.subscribe(), CancellationToken::new());
    let stop_it = async {
        progress.wait_for(|all: &Replayed| all.records > 0).await.unwrap();
        stop.cancel();
    };
    let (done, ()) = tokio::join!(worker.replay(&replayed, &stop), stop_it);
    done.unwrap();
    *replayed.borrow()
}

#[tokio::test]
async fn a_replay_stopped_half_way_shows_the_share_of_its_records() {
    let (setup, database) = loaded().await;
    assert_eq!(percent(&database).await, None);
    let stopped = stop_half_way(&setup, &database, Policy::default()).await;
    assert_eq!(
        (stopped.outcome, stopped.records),
        (Some(Outcome::Interrupted), 1_000)
    );
    let share = |records: usize| i64::try_from(100 * records / COUNT).ok();
    assert_eq!(percent(&database).await, share(1_000));

    // Other rules begin from nothing.
    let other = hashing();
    let rules = format!("transform 0; {}", other.fingerprint());
    let at = setup.clock.now();
    let begun = tables::open(&database.pool, "acct-sim", &rules, None, at).await;
    assert!(begun.unwrap().is_some());
    assert_eq!(percent(&database).await, None, "nothing is counted yet");
    tables::extent(&database.pool, "acct-sim").await.unwrap();
    assert_eq!(percent(&database).await, Some(0));

    let done = replay(&setup, &database, other).await;
    assert_eq!(done.records, COUNT as u64);
    assert_eq!(percent(&database).await, None);
}

#[tokio::test]
async fn a_replay_that_continues_counts_on_and_reads_again_uncounted() {
    let (setup, database) = loaded().await;
    stop_half_way(&setup, &database, Policy::default()).await;
    // All of it is read again at the end, since it was fetched after the beginning.
    let fetched = "update smartassist.raw_interactions set fetched_at = now() + interval '1 hour'";
    database.execute(fetched).await;
    let continued = stop_half_way(&setup, &database, Policy::default()).await;
    assert_eq!(continued.outcome, Some(Outcome::Interrupted));
    let progress = "select records || ' of ' || total from smartassist_sync.replays";
    assert_eq!(database.text(progress).await, "1200 of 1200");
    let last = "select count(*) from smartassist_sync.replays where position = \
                (select interaction_key from smartassist.raw_interactions order by 1 desc limit 1)";
    assert_eq!(database.number(last).await, 1, "it went back");
    assert_eq!(percent(&database).await, Some(100));
}
