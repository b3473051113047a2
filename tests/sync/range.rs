//! An API that does not keep to the range that it is asked for.

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::ledger::problems::{self, ProblemCode};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::RunReport;
use smartassist_simulator::{NumResults, Order, Range, Seed};

use crate::support::{Setup, TestDatabase, instant};

const GAPS: &str = "select count(*) from smartassist_sync.gaps";
const COVERED: &str = "select coalesce(sum(extract(epoch from upper(stretch) - lower(stretch))), 0)::bigint \
                       from smartassist_sync.accounts, unnest(coverage) as stretch";

/// Three weeks with so many interactions, of which the API takes the range as said.
async fn three_weeks(count: usize, range: Range) -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2025-12-25");
    let (from, to) = (instant("2025-12-25T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(5, from, to, count));
    setup.simulator.world().behaviour.quirks.range = range;
    setup
}

async fn stands(database: &TestDatabase) -> bool {
    let standing = problems::standing(&database.pool, "acct-sim").await.unwrap();
    let code = ProblemCode::RecordsOutsideWindow;
    standing.iter().any(|problem| problem.code == code.as_str())
}

/// Reported at few requests.
async fn is_one_gap(report: &RunReport, database: &TestDatabase, about: &str) {
    assert_eq!(report.outcome, Outcome::Failed, "{about}");
    assert_eq!(database.number(GAPS).await, 1, "{about}");
    let requests = report.counters.requests;
    assert!(requests < 120, "{about}: {requests}");
    assert!(stands(database).await, "{about}");
}

#[tokio::test]
async fn a_range_that_is_ignored_covers_nothing_and_is_one_gap() {
    let sizes_and_orders = [
        (60, Order::Unordered),
        (3_000, Order::Unordered),
        (3_000, Order::Ascending),
        (3_000, Order::Descending),
        (30_000, Order::Unordered),
    ];
    for range in [Range::LastDay, Range::Everything] {
        for (count, order) in sizes_and_orders {
            for num_results in [NumResults::Total, NumResults::Absent] {
                let database = TestDatabase::migrated().await;
                let setup = three_weeks(count, range).await;
                setup.simulator.world().behaviour.order = order;
                setup.simulator.world().behaviour.num_results = num_results;
                let report = setup.sync(&database).await;
                let about = format!("{range:?} {count} {order:?} {num_results:?}");
                is_one_gap(&report, &database, &about).await;
                assert_eq!(report.watermark, Some(instant("2025-12-25T00:00:00Z")), "{about}");
                // Of the days before the last one, which were not shown.
                assert!(database.number(COVERED).await <= 86_400, "{about}");
            }
        }
    }
}

#[tokio::test]
async fn an_api_that_ignores_times_is_reported_at_few_requests() {
    for count in [60, 3_000, 30_000] {
        let database = TestDatabase::migrated().await;
        let setup = three_weeks(count, Range::Dates).await;
        let report = setup.sync(&database).await;
        is_one_gap(&report, &database, &count.to_string()).await;
    }
}

#[tokio::test]
async fn ignored_ranges_cost_few_requests_and_are_read_once_kept() {
    let database = TestDatabase::migrated().await;
    let setup = three_weeks(3_000, Range::Everything).await;
    setup.sync(&database).await;
    for _ in 0..3 {
        setup.pass(TimeDelta::minutes(5));
        let report = setup.sync(&database).await;
        assert_eq!(report.outcome, Outcome::Failed);
        assert!(report.counters.requests <= 12, "{}", report.counters.requests);
        assert_eq!(database.number(GAPS).await, 1);
    }
    setup.simulator.world().behaviour.quirks.range = Range::Kept;
    database
        .execute("update smartassist_sync.windows set finished_at = finished_at - interval '2 hours'")
        .await;
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{:?}", report.problem);
    assert_eq!(database.counts().await[0], 3_000);
    assert_eq!(database.number(GAPS).await, 0);
    assert!(!stands(&database).await);
}

#[tokio::test]
async fn the_next_poll_detects_that_ranges_are_ignored() {
    let database = TestDatabase::migrated().await;
    let setup = three_weeks(3_000, Range::Kept).await;
    let before = setup.sync(&database).await;
    assert_eq!(before.outcome, Outcome::Succeeded);
    setup.simulator.world().behaviour.quirks.range = Range::LastDay;
    setup.pass(TimeDelta::minutes(5));
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.watermark),
        (Outcome::Failed, before.watermark)
    );
    assert!(stands(&database).await);
}

#[tokio::test]
async fn a_lone_record_outside_of_its_window_is_no_reason_to_stop() {
    let database = TestDatabase::migrated().await;
    let setup = three_weeks(300, Range::Kept).await;
    // Shown with the window of noon on 10 January, and begun a year before.
    let record = json!({"sessionId": "odd", "sessionStartTime": "2025-01-10T12:00:00", "sessionEndTime": "2025-01-10T12:01:00"});
    setup
        .simulator
        .world()
        .insert_raw(instant("2026-01-10T12:00:00Z"), &record);
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{:?}", report.problem);
    assert_eq!(database.counts().await[0], 301);
}

#[tokio::test]
async fn stamps_that_are_all_off_by_a_zone_lie_in_their_window() {
    for hours in [-5, 14] {
        let database = TestDatabase::migrated().await;
        let setup = three_weeks(300, Range::Kept).await;
        setup.simulator.world().behaviour.stamp_shift = TimeDelta::hours(hours) + TimeDelta::minutes(-30);
        assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded, "{hours}");
        setup.simulator.world().arrive(5, TimeDelta::minutes(2));
        setup.pass(TimeDelta::minutes(5));
        let report = setup.sync(&database).await;
        assert_eq!(
            (report.outcome, report.counters.inserted),
            (Outcome::Succeeded, 5),
            "{hours}"
        );
    }
}
