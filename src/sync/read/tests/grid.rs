//! Every reading of what the vendor leaves open gives the same records, even if windows overflow.

use std::time::Duration;

use smartassist_simulator::{Basis, Behaviour, End, NumResults, OffsetUnit, Order, Rhythm, Seed};

use super::super::Range;
use super::{MemoryApi, instant, window};

/// 2,000 interactions an hour at its peak; one window cannot show them all.
fn busy_morning(behaviour: Behaviour) -> MemoryApi {
    let peak = Rhythm::Burst {
        at: instant("2026-01-15T08:30:00Z"),
        seconds: 1_800,
        count: 1_000,
    };
    let (from, to) = (instant("2026-01-15T01:00:00Z"), instant("2026-01-15T10:30:00Z"));
    MemoryApi::new(|world| {
        world.seed(&Seed {
            rhythm: peak,
            // So few overlap that a page holds them.
            longest_session: Duration::from_secs(90),
            ..Seed::new(9, from, to, 1_200)
        });
        world.set_behaviour(behaviour);
    })
}

async fn every_behaviour_of(order: Order) {
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
                    let about = format!("{behaviour:?}");
                    let model = busy_morning(behaviour);
                    let loaded = model
                        .load(window("2026-01-15T00:00:00Z", "2026-01-15T11:58:00Z"))
                        .await;
                    assert_eq!(loaded.records, model.held(), "{about}");
                    assert_eq!(loaded.gaps, [], "{about}");
                    let profile = model.profile();
                    assert_ne!(profile.range, Some(Range::Ignored), "{about}");
                    println!("{} {about}", model.requests());
                }
            }
        }
    }
}

#[tokio::test]
async fn ascending_rows_lose_nothing_under_any_reading() {
    every_behaviour_of(Order::Ascending).await;
}

#[tokio::test]
async fn descending_rows_lose_nothing_under_any_reading() {
    every_behaviour_of(Order::Descending).await;
}

#[tokio::test]
async fn unordered_rows_lose_nothing_under_any_reading() {
    every_behaviour_of(Order::Unordered).await;
}

#[tokio::test]
async fn reshuffled_rows_lose_nothing_under_any_reading() {
    every_behaviour_of(Order::Reshuffled).await;
}
