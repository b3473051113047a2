//! However the API pages: nothing is lost, and what was found out is remembered.

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Behaviour, NumResults, OffsetUnit, Order, PastOffset, Seed};

use crate::support::{Setup, TestDatabase, instant};

const WITH_AND_WITHOUT_TOTALS: [NumResults; 3] = [NumResults::Total, NumResults::Page, NumResults::Absent];

/// Half a day with so many interactions.
async fn half_a_day(count: usize, behaviour: Behaviour) -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-15");
    let (from, to) = (instant("2026-01-15T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    {
        let mut world = setup.simulator.world();
        world.seed(&Seed::new(21, from, to, count));
        world.set_behaviour(behaviour);
    }
    setup
}

/// Loads everything, and finds it there.
async fn load(setup: &Setup, database: &TestDatabase, about: &str) {
    let report = setup.sync(database).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{about}");
    let head = setup.simulator.world().now() - TimeDelta::seconds(120);
    assert_eq!(report.watermark, Some(head), "{about}");
    let there = i64::try_from(setup.simulator.world().len()).unwrap();
    assert_eq!(database.counts().await[0], there, "{about}");
}

async fn known(database: &TestDatabase, of: &str) -> String {
    let sql = format!("select coalesce(api_traits ->> '{of}', 'nothing') from smartassist_sync.accounts");
    database.text(&sql).await
}

#[tokio::test]
async fn full_last_pages_are_told_from_pages_that_are_cut_off() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        for past_offset in [PastOffset::Refuse, PastOffset::Empty] {
            for count in [100, 200, 1_100] {
                let database = TestDatabase::migrated().await;
                let behaviour = Behaviour {
                    num_results,
                    past_offset,
                    ..Behaviour::default()
                };
                let about = format!("{count} {behaviour:?}");
                let setup = half_a_day(count, behaviour).await;
                load(&setup, &database, &about).await;
            }
        }
    }
}

#[tokio::test]
async fn an_empty_last_page_is_trusted_once_deep_pages_were_served() {
    let database = TestDatabase::migrated().await;
    let setup = half_a_day(950, Behaviour::default()).await;
    load(&setup, &database, "ten pages").await;
    assert_eq!(known(&database, "deepest_page").await, "9");
    setup.simulator.world().behaviour.num_results = NumResults::Absent;
    // 200 interactions, as many as two pages hold, in an hour that is one window.
    setup.pass(TimeDelta::hours(1));
    let (from, to) = (instant("2026-01-15T12:01:00Z"), instant("2026-01-15T12:50:00Z"));
    setup.simulator.world().seed(&Seed::new(22, from, to, 200));
    setup.simulator.world().clear_requests();
    load(&setup, &database, "two full pages").await;
    let pages: Vec<_> = setup
        .simulator
        .world()
        .requests()
        .map(|it| (it.offset, it.records))
        .collect();
    assert_eq!(pages, [(Some(0), 100), (Some(1), 100), (Some(2), 0)]);
}

#[tokio::test]
async fn an_overstated_total_is_detected_and_costs_nothing_later() {
    for count in [60, 350, 2_000] {
        let database = TestDatabase::migrated().await;
        let behaviour = Behaviour {
            num_results: NumResults::Overstated,
            ..Behaviour::default()
        };
        let setup = half_a_day(count, behaviour).await;
        load(&setup, &database, &count.to_string()).await;
        assert_eq!(known(&database, "num_results").await, "other", "{count}");

        setup.pass(TimeDelta::minutes(10));
        setup.simulator.world().arrive(30, TimeDelta::minutes(5));
        setup.simulator.world().clear_requests();
        load(&setup, &database, "thirty more").await;
        // A page of thirty may be full, so the next one is looked at.
        assert_eq!(
            setup.simulator.world().requests().count(),
            2,
            "thirty more, {count}"
        );
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
            let database = TestDatabase::migrated().await;
            let setup = half_a_day(450, behaviour).await;
            load(&setup, &database, &about).await;
            // Ten times as many as the hours before let expect, so a second page is asked for.
            setup.pass(TimeDelta::hours(1));
            let (from, to) = (instant("2026-01-15T12:01:00Z"), instant("2026-01-15T12:50:00Z"));
            setup.simulator.world().seed(&Seed::new(22, from, to, 400));
            load(&setup, &database, &about).await;
            assert_eq!(known(&database, "offset_unit").await, "records", "{about}");
            assert_eq!(known(&database, "refused_page").await, "1", "{about}");
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
            let database = TestDatabase::migrated().await;
            let setup = half_a_day(1_300, behaviour).await;
            setup.simulator.world().limits.max_offset = 3;
            load(&setup, &database, &about).await;
            // Many times more than the hours before let expect, so all pages are asked for.
            setup.pass(TimeDelta::hours(1));
            let (from, to) = (instant("2026-01-15T12:01:00Z"), instant("2026-01-15T12:50:00Z"));
            setup.simulator.world().seed(&Seed::new(22, from, to, 1_500));
            load(&setup, &database, &about).await;
            // Without totals, an empty page may also mean that the records are at their end.
            if past_offset == PastOffset::Refuse || num_results == NumResults::Total {
                assert_eq!(known(&database, "refused_page").await, "4", "{about}");
                // Those before it were read by the same window.
                assert_eq!(known(&database, "deepest_page").await, "3", "{about}");
            }
        }
    }
}

#[tokio::test]
async fn the_longest_window_is_learned_and_never_exceeded_again() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup.simulator.world().limits.max_days = 2;
    load(&setup, &database, "the first time").await;
    let seconds = known(&database, "longest_window_seconds").await;
    assert!(
        (86_400..=172_800).contains(&seconds.parse::<i64>().unwrap()),
        "{seconds}"
    );
    setup.pass(TimeDelta::days(7));
    setup.simulator.world().clear_requests();
    load(&setup, &database, "after a week").await;
    let world = setup.simulator.world();
    assert!(world.requests().count() >= 4);
    assert!(world.requests().all(|it| it.status == 200), "none is refused");
}

#[tokio::test]
async fn the_next_process_knows_the_learned_api_traits() {
    let behaviour = Behaviour {
        offset_unit: OffsetUnit::Records,
        ..Behaviour::default()
    };
    let database = TestDatabase::migrated().await;
    let setup = half_a_day(500, behaviour).await;
    setup.simulator.world().limits.max_offset = 1_000;
    let asked_in_pages = || {
        let world = setup.simulator.world();
        world.requests().filter(|it| it.offset == Some(1)).count()
    };
    load(&setup, &database, "the first process").await;
    assert!(asked_in_pages() > 0);

    setup.pass(TimeDelta::hours(12));
    let (from, to) = (instant("2026-01-15T12:01:00Z"), instant("2026-01-15T23:00:00Z"));
    setup.simulator.world().seed(&Seed::new(22, from, to, 500));
    setup.simulator.world().clear_requests();
    load(&setup, &database, "the second process").await;
    assert_eq!(asked_in_pages(), 0);
    let world = setup.simulator.world();
    assert!(world.requests().any(|it| it.offset == Some(100)));
    assert!(
        world.requests().count() <= 7,
        "six pages, if they are not in one window"
    );
}

#[tokio::test]
async fn an_overstated_total_causes_no_gaps_and_few_requests() {
    for order in [Order::Ascending, Order::Unordered, Order::Reshuffled] {
        for offset_unit in [OffsetUnit::Pages, OffsetUnit::Records] {
            let database = TestDatabase::migrated().await;
            let mut setup = Setup::start().await;
            setup.set("start_from", "2026-01-13T00:00:00Z");
            let (from, to) = (instant("2026-01-13T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
            setup.simulator.world().seed(&Seed::new(31, from, to, 700));
            let behaviour = Behaviour {
                order,
                offset_unit,
                num_results: NumResults::Overstated,
                ..Behaviour::default()
            };
            setup.simulator.world().set_behaviour(behaviour.clone());
            let report = setup.sync(&database).await;
            assert_eq!(report.outcome, Outcome::Succeeded, "{behaviour:?}");
            assert_eq!(database.counts().await[0], 700, "{behaviour:?}");
            assert!(
                report.counters.requests < 150,
                "{} {behaviour:?}",
                report.counters.requests
            );
        }
    }
}

#[tokio::test]
async fn totals_that_become_page_sizes_or_are_capped_lose_nothing() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(3_000).await;
    load(&setup, &database, "with totals").await;
    let trusted = "select (api_traits -> 'totals_add_up')::text || (api_traits -> 'num_results') from smartassist_sync.accounts";
    assert_eq!(database.text(trusted).await, r#"true"total""#);
    setup.simulator.world().set_behaviour(Behaviour {
        num_results: NumResults::Page,
        ..Behaviour::default()
    });
    setup.pass(TimeDelta::hours(12));
    let (from, to) = (instant("2026-01-15T12:01:00Z"), instant("2026-01-15T23:00:00Z"));
    setup.simulator.world().seed(&Seed::new(22, from, to, 900));
    load(&setup, &database, "with the size of the page").await;
    assert_eq!(database.counts().await[0], 3_900);
    assert_eq!(database.text(trusted).await, r#"false"page""#);
    // More of one second than a page holds: without what was found out it could not be read whole.
    setup.pass(TimeDelta::hours(1));
    let at = instant("2026-01-16T00:30:00Z");
    for mut it in Seed::new(23, at, at + TimeDelta::seconds(1), 150).interactions() {
        it.start = at;
        setup.simulator.world().insert(it);
    }
    load(&setup, &database, "a dense second").await;
    assert_eq!(database.counts().await[0], 4_050);
    let gaps = "select count(*) from smartassist_sync.gaps";
    assert_eq!(database.number(gaps).await, 0);
}
