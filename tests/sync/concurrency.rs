//! What one engine reads at a time, and how an account passes from one worker to another.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use smartassist_etl::ledger::Purpose;
use smartassist_etl::ledger::requests::NewRequest;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync;
use tokio_util::sync::CancellationToken;

use crate::support::{instant, wait};

use super::past::{Past, window};

const ALL: TimeDelta = TimeDelta::days(20);

#[tokio::test]
async fn the_head_is_read_before_a_refresh_and_one_window_serves_both() {
    let past = Past::of(1_000).await;
    past.setup.pass(TimeDelta::hours(1));
    past.setup.simulator.world().arrive(40, TimeDelta::minutes(30));
    let hold = past.setup.hold_answers();
    let job = past.refresh(ALL);
    let (report, ()) = tokio::join!(past.run(&job), async {
        // Each run begins in its own time, and the head has a place beside three windows of the refresh.
        past.setup.until_in_flight(3).await;
        let is_head = |start: &DateTime<Utc>| *start >= instant("2026-01-15T11:58:00Z");
        wait::until("the head", async || {
            let world = past.setup.simulator.world();
            let starts: Vec<_> = world.requests().filter_map(|request| request.start).collect();
            if starts.iter().any(is_head) {
                Ok(())
            } else {
                Err(starts)
            }
        })
        .await;
        past.setup.hold_no_more();
        hold.cancel();
    });
    assert_eq!(
        (report.outcome, report.counters.inserted),
        (Outcome::Succeeded, 40)
    );
    let order = "select string_agg(distinct kind || ' ' || status, ', ') from smartassist_sync.runs where kind <> 'sync'";
    assert_eq!(
        past.database.text(order).await,
        "poll succeeded, refresh succeeded"
    );
    let twice = "select count(*) from smartassist_sync.windows as a join smartassist_sync.windows as b \
                 on a.id < b.id and a.range && b.range and a.began_at > now() - interval '1 minute' \
                 where a.purpose = 'new' and b.purpose = 'refresh' and lower(a.range) >= '2026-01-15T11:58:00Z'";
    assert_eq!(
        past.database.number(twice).await,
        0,
        "what is new is not read again"
    );
}

#[tokio::test]
async fn a_command_yields_to_a_waiting_daemon_which_does_its_request() {
    let past = Past::of(10).await;
    let (from, to) = (instant("2025-12-01T00:00:00Z"), instant("2025-12-31T00:00:00Z"));
    past.setup
        .simulator
        .world()
        .seed(&smartassist_simulator::Seed::new(8, from, to, 3_000));
    let range = window("2025-12-01T00:00:00Z", "2025-12-31T00:00:00Z");
    let ranges = [range];
    let wish = NewRequest::of(Purpose::Backfill, &ranges);
    let id = sync::ask(&past.worker, &wish).await.unwrap().unwrap();
    let hold = past.setup.hold_answers();
    let (mut daemon, stop) = (past.other_worker(), CancellationToken::new());
    Arc::make_mut(&mut daemon.sync).refresh.clear();
    let told = stop.clone();
    let (backfilled, (), ()) = tokio::join!(
        sync::see_through(&past.worker, id, &stop),
        async {
            past.setup.until_in_flight(1).await;
            sync::serve(daemon, Arc::default(), told).await;
        },
        async {
            let taken = "select count(*) from smartassist_sync.leases where holder = 'other'";
            past.database
                .until("the daemon's lease", taken, |taken| taken == 1)
                .await;
            past.setup.hold_no_more();
            hold.cancel();
            let done = "select count(*) from smartassist_sync.requests where state = 'done'";
            past.database.until("the request", done, |done| done == 1).await;
            // Whoever asked sees it within seconds.
            tokio::time::sleep(Duration::from_secs(3)).await;
            stop.cancel();
        }
    );
    assert_eq!(backfilled.outcome, Outcome::Succeeded, "{backfilled:?}");
    let runs = "select string_agg(holder || ' ' || status, ', ' order by id) from smartassist_sync.runs where kind = 'backfill'";
    assert_eq!(
        past.database.text(runs).await,
        "test interrupted, other succeeded"
    );
    assert_eq!(past.database.counts().await[0], 3_010);
    assert_eq!(past.seconds_read("backfill").await, (30 * 86_400, 0));
}

#[tokio::test]
async fn what_was_stored_while_a_window_was_read_is_not_written_over() {
    let past = Past::of_a_day(50).await;
    past.setup.pass(TimeDelta::hours(1));
    let hold = past.setup.hold_answers();
    let refresh = past.refresh(ALL);
    let (refreshed, ()) = tokio::join!(past.run(&refresh), async {
        // Its answers are on the way when everything changes, and a replay stores it, as it were.
        past.setup.until_in_flight(2).await;
        past.setup.simulator.world().mutate_some(4, 1.0);
        past.setup.pass(TimeDelta::seconds(1));
        let stored = past.now().to_rfc3339();
        let meanwhile = format!(
            "update smartassist.sessions set content_hash = sha256('of another version'), last_changed_at = '{stored}'"
        );
        past.database.execute(&meanwhile).await;
        past.setup.hold_no_more();
        hold.cancel();
    });
    assert_eq!(refreshed.outcome, Outcome::Succeeded);
    let again = "select count(*) from smartassist_sync.windows where error_code = 'stored_since'";
    assert_eq!(past.database.number(again).await, 1);
    past.setup.pass(TimeDelta::seconds(1));
    let again = past.run(&past.refresh(ALL)).await;
    assert_eq!(
        (again.counters.inserted, again.counters.updated),
        (0, 0),
        "it was the newest"
    );
}
