//! Some readings of what the vendor leaves open, by the real program: the same tables, of a data set that
//! overflows windows. `src/sync/read/tests/paging.rs` has all of them in memory. And where a reading makes a second
//! unreadable, that is said.
//!
//! The sessions of the grid are 90 seconds at most. An API that filters by overlap returns with
//! every second all sessions that are going on in it; where it also reshuffles rows, or counts
//! the offset in records, only a single page of them can be trusted. Longer sessions of such a
//! morning do not fit on one: the last test shows what comes of them.

use std::time::Duration;

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Basis, Behaviour, Channel, End, NumResults, OffsetUnit, Order, Rhythm, Seed};

use crate::support::{Setup, TestDatabase, instant};

/// A morning with 2,000 interactions an hour at its peak, more in all than one window shows.
async fn busy_morning() -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-15T00:00:00Z");
    let peak = Rhythm::Burst {
        at: instant("2026-01-15T08:30:00Z"),
        seconds: 1_800,
        count: 1_000,
    };
    let (from, to) = (instant("2026-01-15T01:00:00Z"), instant("2026-01-15T10:30:00Z"));
    setup.simulator.world().seed(&Seed {
        rhythm: peak,
        // So few go on at one moment that a page holds them: see above.
        longest_session: Duration::from_secs(90),
        ..Seed::new(9, from, to, 1_200)
    });
    setup
}

#[tokio::test]
async fn readings_that_differ_in_everything_give_the_same_tables() {
    let reference = TestDatabase::migrated().await;
    busy_morning().await.sync(&reference).await;
    let expected = reference.digest(&[]).await;
    assert_eq!(reference.counts().await[0], 1_200);
    use {Basis as B, End as E, NumResults as N, OffsetUnit as U, Order as O};
    for (order, num_results, basis, end, offset_unit) in [
        (O::Ascending, N::Total, B::Start, E::Inclusive, U::Pages),
        (O::Descending, N::Page, B::End, E::Exclusive, U::Records),
        (O::Unordered, N::Absent, B::Overlap, E::Inclusive, U::Pages),
        (O::Unordered, N::Total, B::End, E::Exclusive, U::Records),
        (O::Reshuffled, N::Total, B::Overlap, E::Exclusive, U::Pages),
        (O::Reshuffled, N::Absent, B::Start, E::Inclusive, U::Records),
    ] {
        let behaviour = Behaviour {
            order,
            num_results,
            basis,
            end,
            offset_unit,
            ..Behaviour::default()
        };
        let database = TestDatabase::migrated().await;
        let setup = busy_morning().await;
        setup.simulator.world().set_behaviour(behaviour.clone());
        let report = setup.sync(&database).await;
        assert_eq!(
            report.outcome,
            Outcome::Succeeded,
            "{behaviour:?}: {:?}",
            report.problem
        );
        assert_eq!(report.counters.inserted, 1_200, "{behaviour:?}");
        assert_eq!(
            report.watermark,
            Some(instant("2026-01-15T12:00:00Z") - TimeDelta::seconds(120))
        );
        assert_eq!(database.digest(&[]).await, expected, "{behaviour:?}");
    }
}

/// A quiet night, then 2,000 sessions an hour of ten minutes each, which no filter tells apart: of
/// those of the first six minutes, 200, all go on at one moment.
async fn calls_of_ten_minutes() -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-15T00:00:00Z");
    let (night, morning) = (instant("2026-01-15T01:00:00Z"), instant("2026-01-15T06:00:00Z"));
    let (dense, end) = (instant("2026-01-15T08:00:00Z"), instant("2026-01-15T08:06:00Z"));
    {
        let mut world = setup.simulator.world();
        world.seed(&Seed {
            longest_session: Duration::from_secs(90),
            ..Seed::new(10, night, morning, 50)
        });
        for mut call in Seed::new(9, dense, end, 200).interactions() {
            (call.conversation, call.channel) = (None, Channel::Voice);
            call.end = Some(call.start + TimeDelta::minutes(10));
            world.insert(call);
        }
    }
    setup
}

#[tokio::test]
async fn overlapping_sessions_beyond_one_shuffled_page_are_gaps() {
    let database = TestDatabase::migrated().await;
    let setup = calls_of_ten_minutes().await;
    setup.simulator.world().set_behaviour(Behaviour {
        order: Order::Reshuffled,
        num_results: NumResults::Total,
        basis: Basis::Overlap,
        ..Behaviour::default()
    });
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Failed);
    // Loudly: as a failure, as gaps, as a watermark that does not pass them.
    let gaps = "select count(*) from smartassist_sync.gaps";
    assert!(database.number(gaps).await > 0);
    let (night, last_end) = (instant("2026-01-15T01:00:00Z"), instant("2026-01-15T08:16:00Z"));
    assert!(
        report.watermark.is_some_and(|at| night < at && at < last_end),
        "{:?}",
        report.watermark
    );
    // Never silently: of what is covered, every session is stored.
    let sessions: Vec<String> = (setup.simulator.world().interactions())
        .map(|it| format!("('{}', '{}'::timestamptz)", it.session_id, it.start))
        .collect();
    let covered = format!(
        "select count(*) from smartassist_sync.accounts as account, (values {}) as held (session_id, started_at) \
         where account.coverage @> held.started_at",
        sessions.join(", ")
    );
    assert!(database.number(&covered).await >= 50, "the quiet night is loaded");
    let lost = format!(
        "{covered} and not exists (select from smartassist.sessions as session \
         where session.session_id = held.session_id)"
    );
    assert_eq!(database.number(&lost).await, 0);
}
