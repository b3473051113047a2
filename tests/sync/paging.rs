//! However the API pages: nothing is lost, and what was found out is remembered. `src/sync/read/tests/paging.rs` has
//! many more ways to page, in memory.

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Behaviour, NumResults, OffsetUnit, Order, PastOffset, Seed};

use crate::support::{Setup, TestDatabase, instant};

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

/// Loads everything, and finds it there. Returns how many requests that took.
async fn load(setup: &Setup, database: &TestDatabase, about: &str) -> u64 {
    let report = setup.sync(database).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{about}");
    let head = setup.simulator.world().now() - TimeDelta::seconds(120);
    assert_eq!(report.watermark, Some(head), "{about}");
    let there = i64::try_from(setup.simulator.world().len()).unwrap();
    assert_eq!(database.counts().await[0], there, "{about}");
    report.counters.requests
}

async fn known(database: &TestDatabase, of: &str) -> String {
    let sql = format!("select coalesce(api_traits ->> '{of}', 'nothing') from smartassist_sync.accounts");
    database.text(&sql).await
}

/// Of each habit, what is found out is stored.
#[tokio::test]
async fn odd_ways_to_page_lose_nothing_and_are_stored() {
    let records = Behaviour {
        num_results: NumResults::Absent,
        offset_unit: OffsetUnit::Records,
        ..Behaviour::default()
    };
    let mut both_kinds = Behaviour {
        num_results: NumResults::Page,
        order: Order::TwoSources,
        ..Behaviour::default()
    };
    both_kinds.quirks.both_kinds = true;
    let few_pages = Behaviour {
        past_offset: PastOffset::Empty,
        ..Behaviour::default()
    };
    for (count, behaviour, max_offset, of, found) in [
        (
            700,
            Behaviour::capped(37, NumResults::Absent),
            10,
            "page_size",
            "37",
        ),
        (450, records, 10, "offset_unit", "records"),
        (600, both_kinds, 10, "num_results", "page"),
        (1_300, few_pages, 3, "refused_page", "4"),
    ] {
        let about = format!("{behaviour:?}");
        let database = TestDatabase::migrated().await;
        let setup = half_a_day(count, behaviour).await;
        setup.simulator.world().limits.max_offset = max_offset;
        load(&setup, &database, &about).await;
        // Many times more than the hours before let expect, so all pages are asked for.
        setup.pass(TimeDelta::hours(1));
        let (from, to) = (instant("2026-01-15T12:01:00Z"), instant("2026-01-15T12:50:00Z"));
        setup.simulator.world().seed(&Seed::new(22, from, to, count));
        load(&setup, &database, &about).await;
        assert_eq!(known(&database, of).await, found, "{about}");
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

#[tokio::test]
async fn long_pages_are_requested_again_once_they_are_served() {
    let database = TestDatabase::migrated().await;
    let setup = half_a_day(400, Behaviour::capped(20, NumResults::Total)).await;
    load(&setup, &database, "clamped").await;
    setup.simulator.world().behaviour.quirks.page_cap = None;
    setup.pass(TimeDelta::hours(12));
    let (from, to) = (instant("2026-01-15T12:01:00Z"), instant("2026-01-15T23:00:00Z"));
    setup.simulator.world().seed(&Seed::new(22, from, to, 400));
    let requests = load(&setup, &database, "no more").await;
    assert!(requests < 12, "{requests}");
    assert_eq!(known(&database, "page_size").await, "nothing");
}
