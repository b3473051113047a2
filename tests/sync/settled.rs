//! What is settled: everything that started before it was read once more long enough after it started, so
//! that what the API publishes late is found.

use chrono::{DateTime, TimeDelta, Utc};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Behaviour, Fault, FaultKind, Interaction, Seed};

use crate::support::{Job, Setup, instant, real_now};

use super::past::Past;

async fn settled_through(past: &Past) -> String {
    let settled = "select to_char(settled_through at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') from smartassist_sync.accounts";
    past.database.text(settled).await
}

/// What the tier of the smallest lookback reads.
fn refresh() -> Job {
    Job::Refresh {
        lookback: TimeDelta::hours(2),
        since: real_now(),
        open_since: None,
        unsettled: true,
    }
}

#[tokio::test]
async fn late_readings_move_settled_through_and_polls_do_not() {
    let past = Past::of_a_day(100).await;
    assert_eq!(settled_through(&past).await, "2026-01-15 11:30:00");
    past.pass(TimeDelta::minutes(15)).await;
    past.run(&Job::Poll).await;
    assert_eq!(settled_through(&past).await, "2026-01-15 11:30:00");
    past.run(&refresh()).await;
    assert_eq!(settled_through(&past).await, "2026-01-15 11:45:00");
    let freshness = "set role smartassist_reader; \
                     select 1 / (complete_through = '2026-01-15T12:13:00Z' and settled_through = '2026-01-15T11:45:00Z' \
                     and last_polled_at = '2026-01-15T12:15:00Z' and open_gaps + rejected_records = 0 \
                     and account_name = 'main' and loaded_from = '2026-01-14T12:00:00Z')::int \
                     from smartassist_bi.data_freshness; reset role";
    past.database.execute(freshness).await;
}

#[tokio::test]
async fn sync_finds_late_sessions_before_their_time_is_settled() {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-15T10:00:00Z");
    setup.simulator.world().set_behaviour(Behaviour {
        publish_delay: TimeDelta::minutes(20),
        ..Behaviour::default()
    });
    let (from, to) = (instant("2026-01-15T10:00:00Z"), instant("2026-01-15T14:00:00Z"));
    setup.simulator.world().seed(&Seed::new(3, from, to, 240));
    let past = Past::of_setup(setup).await;
    for _ in 0..12 {
        past.pass(TimeDelta::minutes(15)).await;
        assert_eq!(past.catch_up().await.outcome, Outcome::Succeeded);
        let settled: DateTime<Utc> =
            sqlx::query_scalar("select settled_through from smartassist_sync.accounts")
                .fetch_one(&past.database.pool)
                .await
                .unwrap();
        assert!(past.now() - settled <= TimeDelta::minutes(45), "{settled}");
        // Of ten minutes at most: longer ones are published later than half an hour after their start.
        let is_short = |one: &&Interaction| {
            one.end
                .is_some_and(|end| end - one.start < TimeDelta::minutes(10))
        };
        let mut ids: Vec<String> = {
            let world = past.setup.simulator.world();
            let short = world.interactions().filter(is_short);
            short
                .filter(|one| one.start < settled)
                .map(|one| one.session_id.clone())
                .collect()
        };
        ids.sort_unstable();
        let stored: i64 =
            sqlx::query_scalar("select count(*) from smartassist.sessions where session_id = any($1)")
                .bind(&ids)
                .fetch_one(&past.database.pool)
                .await
                .unwrap();
        assert_eq!(usize::try_from(stored).unwrap(), ids.len(), "by {settled}");
    }
    assert!(past.database.counts().await[0] > 150);
}

#[tokio::test]
async fn a_refresh_that_another_worker_has_made_is_not_due_again() {
    let past = Past::of(300).await;
    past.pass(TimeDelta::minutes(35)).await;
    past.catch_up().await;
    assert!(past.requests() > 0);
    assert_eq!(past.catch_up().await.counters.windows, 0);
    assert_eq!(past.requests(), 0);
}

#[tokio::test]
async fn what_an_outage_left_unsettled_is_read_beyond_the_lookback() {
    let past = Past::of_a_day(100).await;
    past.pass(TimeDelta::hours(10)).await;
    past.run(&Job::Poll).await;
    // Read after ten hours, and so settled; but for what was read just before them.
    assert_eq!(settled_through(&past).await, "2026-01-15 11:30:00");
    past.run(&refresh()).await;
    assert_eq!(settled_through(&past).await, "2026-01-15 21:30:00");
}

#[tokio::test]
async fn what_cannot_be_read_again_holds_what_is_settled_and_rests() {
    let past = Past::of_a_day(100).await;
    past.pass(TimeDelta::hours(10)).await;
    past.run(&Job::Poll).await;
    let broken = Fault::times(1_000, FaultKind::status(500));
    past.setup.simulator.world().inject(broken);
    assert_eq!(past.run(&refresh()).await.outcome, Outcome::Failed);
    past.setup.simulator.world().clear_faults();
    past.pass(TimeDelta::minutes(15)).await;
    past.requests();
    past.run(&refresh()).await;
    assert_eq!(past.requests(), 2, "what is new, and the lookback alone");
    assert_eq!(settled_through(&past).await, "2026-01-15 11:30:00");
}
