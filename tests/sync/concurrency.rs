//! Several runs at a time: of one worker under one lease, of two workers one after the other.

use std::time::Duration;

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::Job;
use smartassist_simulator::Behaviour;
use tokio_util::sync::CancellationToken;

use crate::support::{Setup, instant};

use super::past::{Past, window};

fn slow(setup: &Setup, milliseconds: u64) {
    setup.simulator.world().set_behaviour(Behaviour {
        latency: Duration::from_millis(milliseconds),
        ..Behaviour::default()
    });
}

const ALL: TimeDelta = TimeDelta::days(20);

#[tokio::test]
async fn a_poll_and_a_refresh_of_one_worker_share_its_lease_and_double_nothing() {
    let past = Past::of(1_000).await;
    let leases = "select token from smartassist_sync.leases";
    let token = past.database.number(leases).await;
    past.setup.simulator.world().mutate_some(3, 0.1);
    past.setup.pass(TimeDelta::hours(1));
    past.setup.simulator.world().arrive(40, TimeDelta::minutes(30));
    slow(&past.setup, 20);
    let job = past.refresh(ALL);
    let (refresh, poll) = tokio::join!(past.run(&job), past.run(&Job::Poll));
    assert_eq!(
        (refresh.outcome, poll.outcome),
        (Outcome::Succeeded, Outcome::Succeeded)
    );
    assert!(poll.counters.inserted + refresh.counters.inserted >= 40);
    let sessions = "select count(distinct session_id) from smartassist.sessions where missing_since is null \
                    and session_started_at > '2026-01-15T12:00:00Z'";
    assert_eq!(past.database.number(sessions).await, 40);
    assert_eq!(
        past.database.number(leases).await,
        token + 1,
        "one lease for both"
    );
    let tokens = "select count(distinct token) from smartassist_sync.runs where kind <> 'sync'";
    assert_eq!(past.database.number(tokens).await, 1);
    let held = "select count(*) from smartassist_sync.leases where expires_at > clock_timestamp()";
    assert_eq!(past.database.number(held).await, 0, "given back after both");
}

#[tokio::test]
async fn another_worker_is_turned_away_while_this_one_refreshes() {
    let past = Past::of(1_000).await;
    past.setup.pass(TimeDelta::hours(1));
    let hold = past.setup.hold_answers();
    let other = past.other_worker();
    let (job, stop) = (past.refresh(ALL), CancellationToken::new());
    let (refresh, skipped) = tokio::join!(past.run(&job), async {
        past.setup.until_in_flight(1).await;
        let skipped = [
            other.run(&Job::Poll, &stop).await.outcome,
            other.run(&job, &stop).await.outcome,
        ];
        past.setup.hold_no_more();
        hold.cancel();
        skipped
    });
    assert_eq!(skipped, [Outcome::Skipped, Outcome::Skipped]);
    assert_eq!(refresh.outcome, Outcome::Succeeded);
    assert_eq!(other.run(&Job::Poll, &stop).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_polls_request_overtakes_those_of_a_refresh_that_wait() {
    let mut setup = Setup::with_interactions(4_000).await;
    setup.set("max_in_flight", "1");
    let past = Past::of_setup(setup).await;
    past.setup.pass(TimeDelta::hours(1));
    let hold = past.setup.hold_answers();
    let (job, poll) = (past.refresh(ALL), Job::Poll);
    let stop = CancellationToken::new();
    let (_, polled, ()) = tokio::join!(
        past.worker.run(&job, &stop),
        async {
            past.setup.until_in_flight(1).await;
            let polled = past.run(&poll).await;
            stop.cancel();
            polled
        },
        async {
            // The first is on its way until the poll is about to ask, and what follows takes longer than that.
            let polls =
                "select count(*) from smartassist_sync.runs where kind = 'poll' and status = 'running'";
            past.database.until("a poll", polls, |polls| polls == 1).await;
            past.setup.hold_no_more();
            slow(&past.setup, 500);
            hold.cancel();
        }
    );
    assert_eq!(polled.outcome, Outcome::Succeeded);
    let world = past.setup.simulator.world();
    let is_live = |start| start >= instant("2026-01-15T11:58:00Z");
    let place = world
        .requests()
        .position(|request| request.start.is_some_and(is_live));
    // One was on its way, and two windows more were waiting before the poll came.
    assert!(place.is_some_and(|place| place < 3), "{place:?}");
}

#[tokio::test]
async fn a_backfill_gives_way_to_another_workers_poll_and_goes_on_afterwards() {
    let past = Past::of(10).await;
    let (from, to) = (instant("2025-12-01T00:00:00Z"), instant("2025-12-31T00:00:00Z"));
    past.setup
        .simulator
        .world()
        .seed(&smartassist_simulator::Seed::new(8, from, to, 3_000));
    let job = Job::Backfill {
        range: window("2025-12-01T00:00:00Z", "2025-12-31T00:00:00Z"),
        refetch: false,
    };
    past.setup.pass(TimeDelta::hours(1));
    past.setup.simulator.world().arrive(7, TimeDelta::minutes(10));
    let (other, stop) = (past.other_worker(), CancellationToken::new());
    let hold = past.setup.hold_answers();
    let (gave_way, polled, ()) = tokio::join!(
        past.run(&job),
        async {
            past.setup.until_in_flight(1).await;
            other.run(&Job::Poll, &stop).await
        },
        async {
            past.until_somebody_waits().await;
            // It looks for who waits each second, and the rest takes longer than that.
            past.setup.hold_no_more();
            slow(&past.setup, 250);
            hold.cancel();
        }
    );
    assert_eq!(
        (gave_way.gave_way, gave_way.outcome),
        (true, Outcome::Interrupted)
    );
    assert!(gave_way.failure().is_none());
    assert_eq!(
        (polled.outcome, polled.counters.inserted),
        (Outcome::Succeeded, 7),
        "{polled:?}"
    );
    let error = "select error from smartassist_sync.runs where kind = 'backfill'";
    assert_eq!(past.database.text(error).await, "gave way to the live daemon");
    slow(&past.setup, 0);
    let rest = past.run(&job).await;
    assert_eq!((rest.outcome, rest.gave_way), (Outcome::Succeeded, false));
    assert_eq!(gave_way.counters.inserted + rest.counters.inserted, 3_000);
    assert_eq!(past.database.counts().await[0], 3_017);
    assert_eq!(past.seconds_read("backfill").await, (30 * 86_400, 0));
}

#[tokio::test]
async fn a_refresh_is_not_asked_to_give_way() {
    let past = Past::of(1_000).await;
    past.setup.pass(TimeDelta::hours(1));
    let hold = past.setup.hold_answers();
    let pool = &past.database.pool;
    let job = past.refresh(ALL);
    let (refresh, asked_for) = tokio::join!(past.run(&job), async {
        past.setup.until_in_flight(1).await;
        let asked_for = smartassist_etl::ledger::leases::ask_for(pool, "acct-sim").await;
        past.setup.hold_no_more();
        hold.cancel();
        asked_for.unwrap()
    });
    assert!(!asked_for, "nobody but those who work long are asked");
    assert_eq!((refresh.outcome, refresh.gave_way), (Outcome::Succeeded, false));
}

#[tokio::test]
async fn a_slow_refresh_writes_no_older_version_over_what_was_stored_meanwhile() {
    let past = Past::of_a_day(50).await;
    past.setup.pass(TimeDelta::hours(1));
    let hold = past.setup.hold_answers();
    let refresh = past.refresh(ALL);
    let range = window("2026-01-14T12:00:00Z", "2026-01-15T12:00:00Z");
    let (refreshed, ()) = tokio::join!(past.run(&refresh), async {
        // Its answer is on the way when everything changes, and is read and stored.
        past.setup.until_in_flight(1).await;
        past.setup.simulator.world().mutate_some(4, 1.0);
        past.setup.pass(TimeDelta::seconds(1));
        past.setup.hold_no_more();
        let refetch = Job::Backfill { range, refetch: true };
        let faster = past.run(&refetch).await;
        assert!(faster.counters.updated > 0, "{faster:?}");
        hold.cancel();
    });
    assert_eq!(refreshed.outcome, Outcome::Succeeded);
    let overtaken = "select count(*) from smartassist_sync.windows where error_code = 'overtaken'";
    assert_eq!(past.database.number(overtaken).await, 1);
    let versions = past.versions_but(&[]).await;
    past.setup.pass(TimeDelta::seconds(1));
    let again = past.run(&past.refresh(ALL)).await;
    assert_eq!(
        (again.counters.inserted, again.counters.updated),
        (0, 0),
        "it was the newest"
    );
    assert_eq!(past.versions_but(&[]).await, versions);
}
