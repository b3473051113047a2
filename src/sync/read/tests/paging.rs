//! Whatever the API does, all records are read.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use smartassist_simulator::{
    Basis, Behaviour, End, NumResults, OffsetUnit, Order, PastEnd, PastOffset, Quirks, Rhythm, Seed,
};

use super::super::{OffsetUnit as Unit, Range};
use super::{MemoryApi, instant, window};
use crate::sync::plan::Model;
use crate::time::Window;

const WITH_AND_WITHOUT_TOTALS: [NumResults; 3] = [NumResults::Total, NumResults::Page, NumResults::Absent];

struct MemoryAccount {
    api: MemoryApi,
    model: Model,
    read: BTreeSet<uuid::Uuid>,
    read_to: DateTime<Utc>,
}

impl MemoryAccount {
    fn new(read_from: &str, change: impl FnOnce(&mut smartassist_simulator::World)) -> Self {
        let api = MemoryApi::new(change);
        Self {
            model: api.model(),
            api,
            read: BTreeSet::new(),
            read_to: instant(read_from),
        }
    }

    fn half_a_day(count: usize, behaviour: Behaviour) -> Self {
        let (from, to) = (instant("2026-01-15T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
        Self::new("2026-01-15T00:00:00Z", |world| {
            world.seed(&Seed::new(21, from, to, count));
            world.set_behaviour(behaviour);
        })
    }

    fn pass_an_hour(&mut self, seed: u64, count: usize) {
        let mut world = self.api.world.lock().unwrap();
        let from = world.now() + TimeDelta::minutes(1);
        world.seed(&Seed::new(seed, from, from + TimeDelta::minutes(49), count));
        world.set_now(from + TimeDelta::minutes(59));
    }

    /// Checks that all records are read; returns the number of requests.
    async fn load(&mut self, about: &str) -> u64 {
        let before = self.api.requests();
        let now = self.api.world.lock().unwrap().now();
        let stretch = Window::new(self.read_to, now - TimeDelta::minutes(2));
        let loaded = self.api.load_by(&mut self.model, stretch).await;
        assert_eq!(loaded.gaps, [], "{about}");
        self.read.extend(loaded.records);
        assert_eq!(self.read, self.api.held(), "{about}");
        self.read_to = stretch.end;
        self.api.requests() - before
    }
}

#[tokio::test]
async fn pages_that_are_clamped_lose_nothing() {
    for page_cap in [1, 20, 37, 50, 99] {
        for num_results in WITH_AND_WITHOUT_TOTALS {
            for count in [page_cap, page_cap * 2, page_cap * 7 + 3] {
                let mut account = MemoryAccount::half_a_day(count, Behaviour::capped(page_cap, num_results));
                account
                    .load(&format!("{count} by {page_cap} {num_results:?}"))
                    .await;
            }
        }
    }
}

#[tokio::test]
async fn more_than_clamped_pages_can_show_is_read_in_parts() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        let mut account = MemoryAccount::half_a_day(1_500, Behaviour::capped(37, num_results));
        let requests = account.load(&format!("{num_results:?}")).await;
        assert!(
            requests < 41 * 2,
            "{num_results:?}: {requests} requests for 41 pages"
        );
        assert_eq!(account.api.profile().page_size, Some(37), "{num_results:?}");
    }
}

#[tokio::test]
async fn clamped_pages_and_an_offset_in_records_lose_nothing() {
    for max_offset in [10, 10_000] {
        for num_results in WITH_AND_WITHOUT_TOTALS {
            let behaviour = Behaviour {
                offset_unit: OffsetUnit::Records,
                ..Behaviour::capped(20, num_results)
            };
            let mut account = MemoryAccount::half_a_day(130, behaviour);
            account.api.world.lock().unwrap().limits.max_offset = max_offset;
            account.load(&format!("{max_offset} {num_results:?}")).await;
        }
    }
}

#[tokio::test]
async fn a_server_that_begins_to_clamp_pages_loses_nothing() {
    for page_cap in [1, 20, 50] {
        for num_results in WITH_AND_WITHOUT_TOTALS {
            let about = format!("{page_cap} {num_results:?}");
            let behaviour = Behaviour {
                num_results,
                ..Behaviour::default()
            };
            let mut account = MemoryAccount::half_a_day(900, behaviour);
            account.load(&about).await;
            account.api.world.lock().unwrap().behaviour.quirks.page_cap = Some(page_cap);
            for hour in 12..15 {
                account.pass_an_hour(30 + hour, 70);
                account.load(&format!("{about}, hour {hour}")).await;
            }
        }
    }
}

#[tokio::test]
async fn pages_of_up_to_twice_the_limit_lose_nothing() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        for order in [Order::Unordered, Order::TwoSources] {
            for count in [90, 250, 600, 2_500] {
                let behaviour = Behaviour {
                    num_results,
                    order,
                    quirks: Quirks {
                        both_kinds: true,
                        ..Quirks::default()
                    },
                    ..Behaviour::default()
                };
                let mut account = MemoryAccount::half_a_day(count, behaviour);
                account.load(&format!("{count} {order:?} {num_results:?}")).await;
            }
        }
    }
}

#[tokio::test]
async fn clamped_pages_of_both_kinds_lose_nothing() {
    for page_cap in [20, 50] {
        for num_results in [NumResults::Page, NumResults::Absent] {
            let mut behaviour = Behaviour::capped(page_cap, num_results);
            behaviour.quirks.both_kinds = true;
            let mut account = MemoryAccount::half_a_day(page_cap * 4, behaviour);
            let about = format!("{page_cap} {num_results:?}");
            account.load(&about).await;
            // The more there are, the fewer of one kind the last page has.
            for hour in 12..15 {
                account.pass_an_hour(30 + hour, page_cap * 3 - usize::try_from(hour).unwrap());
                account.load(&format!("{about}, hour {hour}")).await;
            }
        }
    }
}

#[tokio::test]
async fn two_sources_cost_hardly_more_requests_than_unordered_rows() {
    let requests = async |order| {
        let (from, to) = (instant("2026-01-08T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
        let mut account = MemoryAccount::new("2026-01-08T00:00:00Z", |world| {
            world.seed(&Seed::new(9, from, to, 8_000));
            world.behaviour.order = order;
        });
        account.load(&format!("{order:?}")).await
    };
    let unordered = requests(Order::Unordered).await;
    let two_sources = requests(Order::TwoSources).await;
    assert!(
        two_sources < unordered + unordered / 5,
        "{two_sources}, {unordered} without an order"
    );
}

#[tokio::test]
async fn full_last_pages_are_told_from_pages_that_are_cut_off() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        for past_offset in [PastOffset::Refuse, PastOffset::Empty] {
            for count in [100, 200, 1_100] {
                let behaviour = Behaviour {
                    num_results,
                    past_offset,
                    ..Behaviour::default()
                };
                let about = format!("{count} {behaviour:?}");
                MemoryAccount::half_a_day(count, behaviour).load(&about).await;
            }
        }
    }
}

#[tokio::test]
async fn a_window_is_drained_whatever_the_api_returns_past_its_end() {
    for past_end in [
        PastEnd::Page,
        PastEnd::NoContent,
        PastEnd::Message,
        PastEnd::NotFound,
        PastEnd::ServerError,
        PastEnd::LastPage,
    ] {
        for num_results in WITH_AND_WITHOUT_TOTALS {
            for count in [7, 200, 230] {
                let behaviour = Behaviour {
                    num_results,
                    quirks: Quirks {
                        past_end,
                        ..Quirks::default()
                    },
                    ..Behaviour::default()
                };
                let about = format!("{count} {past_end:?} {num_results:?}");
                let requests = MemoryAccount::half_a_day(count, behaviour).load(&about).await;
                assert!(requests < 60, "{about}: {requests}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_page_below_the_total_is_no_proof_against_it() {
    for past_end in [PastEnd::Page, PastEnd::NotFound, PastEnd::Message] {
        for (count, num_results) in [
            (300, NumResults::Total),
            (300, NumResults::Absent),
            (300, NumResults::Page),
            (30, NumResults::Overstated),
        ] {
            let mut behaviour = Behaviour::capped(50, num_results);
            behaviour.quirks.past_end = past_end;
            let mut account = MemoryAccount::half_a_day(count, behaviour);
            // Valid whatever the offset counts.
            account.api.world.lock().unwrap().limits.max_offset = 0;
            let about = format!("{past_end:?} {count} {num_results:?}");
            let requests = account.load(&about).await;
            assert!(requests < 150, "{about}: {requests}");
        }
    }
}

#[tokio::test]
async fn an_api_that_refuses_offsets_in_records_loses_nothing() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        for past_offset in [PastOffset::Refuse, PastOffset::Empty] {
            let behaviour = Behaviour {
                num_results,
                past_offset,
                offset_unit: OffsetUnit::Records,
                ..Behaviour::default()
            };
            let about = format!("{behaviour:?}");
            let mut account = MemoryAccount::half_a_day(450, behaviour);
            account.load(&about).await;
            // Ten times the expected number, so a second page is asked for.
            account.pass_an_hour(22, 400);
            account.load(&about).await;
            let profile = account.api.profile();
            assert_eq!(profile.offset_unit, Some(Unit::Records), "{about}");
            assert_eq!(profile.refused_page, Some(1), "{about}");
        }
    }
}

#[tokio::test]
async fn a_lower_last_offset_is_found_out_and_loses_nothing() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        for past_offset in [PastOffset::Refuse, PastOffset::Empty] {
            let behaviour = Behaviour {
                num_results,
                past_offset,
                ..Behaviour::default()
            };
            let about = format!("{behaviour:?}");
            let mut account = MemoryAccount::half_a_day(1_300, behaviour);
            account.api.world.lock().unwrap().limits.max_offset = 3;
            account.load(&about).await;
            // Far more than expected, so all pages are asked for.
            account.pass_an_hour(22, 3_000);
            account.load(&about).await;
            // Without totals, an empty page may also be the end.
            if past_offset == PastOffset::Refuse || num_results == NumResults::Total {
                let profile = account.api.profile();
                assert_eq!(profile.refused_page, Some(4), "{about}");
                // The same window read those before it.
                assert_eq!(profile.deepest_page, 3, "{about}");
            }
        }
    }
}

#[tokio::test]
async fn an_overstated_total_causes_no_gaps_and_few_requests() {
    let (from, to) = (instant("2026-01-13T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    for order in [Order::Ascending, Order::Unordered, Order::Reshuffled] {
        for offset_unit in [OffsetUnit::Pages, OffsetUnit::Records] {
            let behaviour = Behaviour {
                order,
                offset_unit,
                num_results: NumResults::Overstated,
                ..Behaviour::default()
            };
            let about = format!("{behaviour:?}");
            let mut account = MemoryAccount::new("2026-01-13T00:00:00Z", |world| {
                world.seed(&Seed::new(31, from, to, 700));
                world.set_behaviour(behaviour);
            });
            let requests = account.load(&about).await;
            assert!(requests < 150, "{requests} {about}");
        }
    }
}

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
