//! Pages that are shorter or longer than what is asked for.

use std::time::Duration;

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Behaviour, NumResults, OffsetUnit, Order, Quirks, Seed};

use crate::support::{Setup, TestDatabase, instant};

const WITH_AND_WITHOUT_TOTALS: [NumResults; 3] = [NumResults::Total, NumResults::Page, NumResults::Absent];

async fn half_a_day(count: usize, behaviour: Behaviour) -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-15");
    let (from, to) = (instant("2026-01-15T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(21, from, to, count));
    setup.simulator.world().set_behaviour(behaviour);
    setup
}

/// Loads everything, and finds it there. Returns how many requests that took.
async fn load(setup: &Setup, database: &TestDatabase, about: &str) -> u64 {
    let report = setup.sync(database).await;
    assert_eq!(
        report.outcome,
        Outcome::Succeeded,
        "{about}: {:?}",
        report.problem
    );
    let head = setup.simulator.world().now() - TimeDelta::seconds(120);
    assert_eq!(report.watermark, Some(head), "{about}");
    let there = i64::try_from(setup.simulator.world().len()).unwrap();
    assert_eq!(database.counts().await[0], there, "{about}");
    report.counters.requests
}

fn capped(page_cap: usize, num_results: NumResults) -> Behaviour {
    Behaviour {
        num_results,
        quirks: Quirks {
            page_cap: Some(page_cap),
            ..Quirks::default()
        },
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn pages_that_are_clamped_lose_nothing() {
    for page_cap in [1, 20, 37, 50, 99] {
        for num_results in WITH_AND_WITHOUT_TOTALS {
            for count in [page_cap, page_cap * 2, page_cap * 7 + 3] {
                let database = TestDatabase::migrated().await;
                let setup = half_a_day(count, capped(page_cap, num_results)).await;
                load(
                    &setup,
                    &database,
                    &format!("{count} by {page_cap} {num_results:?}"),
                )
                .await;
            }
        }
    }
}

#[tokio::test]
async fn more_than_clamped_pages_can_show_is_read_in_parts() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        let database = TestDatabase::migrated().await;
        let setup = half_a_day(1_500, capped(37, num_results)).await;
        let requests = load(&setup, &database, &format!("{num_results:?}")).await;
        assert!(
            requests < 41 * 2,
            "{num_results:?}: {requests} requests for 41 pages"
        );
        let size = "select api_traits ->> 'page_size' from smartassist_sync.accounts";
        assert_eq!(database.text(size).await, "37", "{num_results:?}");
    }
}

#[tokio::test]
async fn clamped_pages_and_an_offset_in_records_lose_nothing() {
    for max_offset in [10, 10_000] {
        for num_results in WITH_AND_WITHOUT_TOTALS {
            let database = TestDatabase::migrated().await;
            let behaviour = Behaviour {
                offset_unit: OffsetUnit::Records,
                ..capped(20, num_results)
            };
            let setup = half_a_day(130, behaviour).await;
            setup.simulator.world().limits.max_offset = max_offset;
            let about = format!("{max_offset} {num_results:?}");
            load(&setup, &database, &about).await;
        }
    }
}

#[tokio::test]
async fn a_server_that_begins_to_clamp_pages_loses_nothing() {
    for page_cap in [1, 20, 50] {
        for num_results in WITH_AND_WITHOUT_TOTALS {
            let database = TestDatabase::migrated().await;
            let behaviour = Behaviour {
                num_results,
                ..Behaviour::default()
            };
            let setup = half_a_day(900, behaviour).await;
            let about = format!("{page_cap} {num_results:?}");
            load(&setup, &database, &about).await;
            setup.simulator.world().behaviour.quirks.page_cap = Some(page_cap);
            for hour in 12..15 {
                setup.pass(TimeDelta::hours(1));
                let from = instant("2026-01-15T00:01:00Z") + TimeDelta::hours(hour);
                let seed = Seed::new(30 + hour.unsigned_abs(), from, from + TimeDelta::minutes(50), 70);
                setup.simulator.world().seed(&seed);
                load(&setup, &database, &format!("{about}, hour {hour}")).await;
            }
        }
    }
}

#[tokio::test]
async fn long_pages_are_requested_again_once_they_are_served() {
    let database = TestDatabase::migrated().await;
    let setup = half_a_day(400, capped(20, NumResults::Total)).await;
    load(&setup, &database, "clamped").await;
    setup.simulator.world().behaviour.quirks.page_cap = None;
    setup.pass(TimeDelta::hours(12));
    let (from, to) = (instant("2026-01-15T12:01:00Z"), instant("2026-01-15T23:00:00Z"));
    setup.simulator.world().seed(&Seed::new(22, from, to, 400));
    let requests = load(&setup, &database, "no more").await;
    assert!(requests < 12, "{requests}");
    let size = "select coalesce(api_traits ->> 'page_size', 'as asked for') from smartassist_sync.accounts";
    assert_eq!(database.text(size).await, "as asked for");
}

#[tokio::test]
async fn pages_of_up_to_twice_the_limit_lose_nothing() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        for order in [Order::Unordered, Order::TwoSources] {
            for count in [90, 250, 600, 2_500] {
                let database = TestDatabase::migrated().await;
                let behaviour = Behaviour {
                    num_results,
                    order,
                    quirks: Quirks {
                        both_kinds: true,
                        ..Quirks::default()
                    },
                    ..Behaviour::default()
                };
                let setup = half_a_day(count, behaviour).await;
                load(&setup, &database, &format!("{count} {order:?} {num_results:?}")).await;
            }
        }
    }
}

#[tokio::test]
async fn two_sources_cost_hardly_more_requests_than_unordered_rows() {
    let requests = async |order| {
        let database = TestDatabase::migrated().await;
        let mut setup = Setup::start().await;
        setup.set("start_from", "2026-01-08");
        let (from, to) = (instant("2026-01-08T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
        setup.simulator.world().seed(&Seed::new(9, from, to, 8_000));
        setup.simulator.world().behaviour.order = order;
        load(&setup, &database, &format!("{order:?}")).await
    };
    let unordered = requests(Order::Unordered).await;
    let two_sources = requests(Order::TwoSources).await;
    assert!(
        two_sources < unordered + unordered / 5,
        "{two_sources}, {unordered} without an order"
    );
}

#[tokio::test]
async fn a_poll_with_nothing_new_is_one_request() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        let database = TestDatabase::migrated().await;
        let behaviour = Behaviour {
            num_results,
            ..Behaviour::default()
        };
        let setup = half_a_day(300, behaviour).await;
        load(&setup, &database, "first").await;
        setup.pass(TimeDelta::minutes(5));
        assert_eq!(load(&setup, &database, "nothing new").await, 1, "{num_results:?}");
    }
}

#[tokio::test]
async fn pages_clamped_amid_a_run_are_read_again_once_seen() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::start().await;
    setup.set("start_from", "2025-11-20");
    let (from, to) = (instant("2025-11-20T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(21, from, to, 560));
    setup.simulator.world().set_behaviour(Behaviour {
        num_results: NumResults::Absent,
        latency: Duration::from_millis(30),
        ..Behaviour::default()
    });
    let clamping = async {
        while setup.simulator.world().counters().requests < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        setup.simulator.world().behaviour.quirks.page_cap = Some(50);
        std::future::pending::<()>().await;
    };
    let report = tokio::select! {
        report = setup.sync(&database) => report,
        () = clamping => unreachable!(),
    };
    assert_eq!(report.outcome, Outcome::Succeeded);
    let there = i64::try_from(setup.simulator.world().len()).unwrap();
    assert!(
        database.counts().await[0] < there,
        "a page of 50 was taken for a short one"
    );

    setup.pass(TimeDelta::hours(1));
    let (from, to) = (instant("2026-01-15T12:05:00Z"), instant("2026-01-15T12:50:00Z"));
    setup.simulator.world().seed(&Seed::new(22, from, to, 130));
    load(&setup, &database, "clamped").await;
    let withdrawn = "select string_agg(distinct proof || ' ' || error_code, ',') from smartassist_sync.windows where status = 'split' and error_code is not null";
    assert_eq!(database.text(withdrawn).await, "short_page belief_contradicted");
}
