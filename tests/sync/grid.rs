//! Every reading of what the vendor leaves open gives the same tables, of a data set that
//! overflows windows: nothing lost, nothing twice.

use std::time::Duration;

use chrono::TimeDelta;
use smartassist_etl::load::runs::Outcome;
use smartassist_simulator::{Basis, Behaviour, End, NumResults, OffsetUnit, Order, Rhythm, Seed};

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
        // An API that filters by overlap shows all sessions that are going on in a second, and one
        // page must hold them where rows are reshuffled or the offset counts records.
        longest_session: Duration::from_secs(90),
        ..Seed::new(9, from, to, 1_200)
    });
    setup
}

/// Loads the morning under every behaviour of one order, and again after it was forgotten.
async fn every_behaviour_of(order: Order) {
    let reference = TestDatabase::migrated().await;
    busy_morning().await.sync(&reference).await;
    let expected = reference.digest(&[]).await;
    assert_eq!(reference.counts().await[0], 1_200);
    for num_results in [NumResults::Total, NumResults::Page, NumResults::Absent] {
        for basis in [Basis::Start, Basis::End, Basis::Overlap] {
            for end in [End::Inclusive, End::Exclusive] {
                for offset_unit in [OffsetUnit::Pages, OffsetUnit::Records] {
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
                    assert_eq!(report.outcome, Outcome::Succeeded, "{behaviour:?}");
                    assert_eq!(report.counters.inserted, 1_200, "{behaviour:?}");
                    assert_eq!(
                        report.watermark,
                        Some(instant("2026-01-15T12:00:00Z") - TimeDelta::seconds(120))
                    );
                    assert_eq!(database.digest(&[]).await, expected, "{behaviour:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn ascending_rows_under_every_reading_give_the_same_tables() {
    every_behaviour_of(Order::Ascending).await;
}

#[tokio::test]
async fn descending_rows_under_every_reading_give_the_same_tables() {
    every_behaviour_of(Order::Descending).await;
}

#[tokio::test]
async fn unordered_rows_under_every_reading_give_the_same_tables() {
    every_behaviour_of(Order::Unordered).await;
}

#[tokio::test]
async fn rows_reshuffled_at_each_request_give_the_same_tables_under_every_reading() {
    every_behaviour_of(Order::Reshuffled).await;
}
