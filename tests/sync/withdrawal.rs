//! What rested on a belief about the API that was wrong is read again.

use std::time::Duration;

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::RunReport;
use smartassist_etl::time::Window;
use smartassist_simulator::{Behaviour, NumResults, Seed};

use crate::support::{Job, Setup, TestDatabase, instant};

use super::past::Past;

/// Four requests after its begin, pages hold 50 records at most.
async fn with_clamping(setup: &Setup, run: impl Future<Output = RunReport>) -> RunReport {
    let before = setup.simulator.world().counters().requests;
    let clamping = async {
        while setup.simulator.world().counters().requests < before + 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        setup.simulator.world().behaviour.quirks.page_cap = Some(50);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        report = run => report,
        () = clamping => unreachable!(),
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
    let report = with_clamping(&setup, setup.sync(&database)).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    let there = i64::try_from(setup.simulator.world().len()).unwrap();
    assert!(
        database.counts().await[0] < there,
        "a page of 50 was taken for a short one"
    );

    setup.pass(TimeDelta::hours(1));
    let (from, to) = (instant("2026-01-15T12:05:00Z"), instant("2026-01-15T12:50:00Z"));
    setup.simulator.world().seed(&Seed::new(22, from, to, 130));
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    let there = i64::try_from(setup.simulator.world().len()).unwrap();
    assert_eq!(database.counts().await[0], there);
    let withdrawn = "select string_agg(distinct proof || ' ' || error_code, ',') from smartassist_sync.windows where status = 'split' and error_code = 'belief_contradicted'";
    assert_eq!(database.text(withdrawn).await, "short_page belief_contradicted");
}

#[tokio::test]
async fn what_was_withdrawn_before_start_from_is_asked_for_again() {
    let mut past = Past::of_a_day(10).await;
    let (start, end) = (instant("2025-11-20T00:00:00Z"), instant("2026-01-14T12:00:00Z"));
    past.setup.simulator.world().seed(&Seed::new(21, start, end, 560));
    past.setup.simulator.world().behaviour.num_results = NumResults::Absent;
    past.setup.simulator.world().behaviour.latency = Duration::from_millis(30);
    past.worker = past.setup.worker(&past.database.pool);
    past.requests();
    let backfill = Job::Backfill {
        range: Window::new(start, end),
        refetch: false,
    };
    let report = with_clamping(&past.setup, past.run(&backfill)).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    let there = i64::try_from(past.setup.simulator.world().len()).unwrap();
    assert!(
        past.database.counts().await[0] < there,
        "a page of 50 was taken for a short one"
    );

    past.setup.pass(TimeDelta::hours(1));
    let (start, end) = (instant("2026-01-15T12:05:00Z"), instant("2026-01-15T12:50:00Z"));
    past.setup.simulator.world().seed(&Seed::new(22, start, end, 130));
    assert_eq!(past.run(&Job::Sync).await.outcome, Outcome::Succeeded);
    let there = i64::try_from(past.setup.simulator.world().len()).unwrap();
    assert_eq!(past.database.counts().await[0], there);
}
