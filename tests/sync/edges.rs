//! Where a window seems to be whole, and is not: failures taken for its end, one odd record or element in it, and a
//! range that is kept to one day and ignored the next.

use chrono::TimeDelta;
use serde_json::{Value, json};
use smartassist_etl::ledger::problems::{self, ProblemCode};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::RunReport;
use smartassist_simulator::{Behaviour, Fault, FaultKind, NumResults, PastEnd, Quirks, Range, Seed, When};

use crate::support::{Setup, TestDatabase, instant};

const GAPS: &str = "select count(*) from smartassist_sync.gaps";
const UNREAD: &str = "select (extract(epoch from max(upper(stretch)) - min(lower(stretch))) \
                      - sum(extract(epoch from upper(stretch) - lower(stretch))))::bigint \
                      from smartassist_sync.accounts, unnest(coverage) as stretch";
const ERROR_OBJECTS: &[u8] =
    br#"{"numResults":1,"data":[{"errors":[{"msg":"Internal server error","code":500}]}]}"#;

/// So many interactions between two instants, of an account that is wanted from the first of them.
async fn account(from: &str, to: &str, count: usize, behaviour: Behaviour) -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", &from[..10]);
    let seed = Seed::new(21, instant(from), instant(to), count);
    setup.simulator.world().seed(&seed);
    setup.simulator.world().set_behaviour(behaviour);
    setup
}

async fn half_a_day(count: usize, behaviour: Behaviour) -> Setup {
    account("2026-01-15T00:00:00Z", "2026-01-15T11:00:00Z", count, behaviour).await
}

async fn three_weeks(count: usize) -> Setup {
    account(
        "2025-12-25T00:00:00Z",
        "2026-01-15T11:00:00Z",
        count,
        Behaviour::default(),
    )
    .await
}

fn insert(setup: &Setup, at: &str, record: &Value) {
    setup.simulator.world().insert_raw(instant(at), record);
}

async fn stored(database: &TestDatabase) -> i64 {
    database.counts().await[0]
}

async fn assert_complete(setup: &Setup, database: &TestDatabase, report: &RunReport, about: &str) {
    assert_eq!(
        report.outcome,
        Outcome::Succeeded,
        "{about}: {:?}",
        report.problem
    );
    let there = i64::try_from(setup.simulator.world().len()).unwrap();
    assert_eq!(stored(database).await, there, "{about}");
}

async fn stands(database: &TestDatabase, code: ProblemCode) -> bool {
    let standing = problems::standing(&database.pool, "acct-sim").await.unwrap();
    standing.iter().any(|problem| problem.code == code.as_str())
}

#[tokio::test]
async fn a_range_ignored_after_days_down_loses_no_day() {
    for num_results in [NumResults::Total, NumResults::Absent] {
        let database = TestDatabase::migrated().await;
        let setup = three_weeks(60).await;
        setup.simulator.world().behaviour.num_results = num_results;
        let before = setup.sync(&database).await;
        assert_complete(&setup, &database, &before, "while it is kept").await;
        setup.pass(TimeDelta::days(3));
        let (from, to) = (instant("2026-01-15T12:00:00Z"), instant("2026-01-18T11:00:00Z"));
        setup.simulator.world().seed(&Seed::new(22, from, to, 30));
        setup.simulator.world().behaviour.quirks.range = Range::LastDay;
        let report = setup.sync(&database).await;
        let about = format!("{num_results:?}");
        assert_eq!(report.watermark, before.watermark, "{about}");
        assert_eq!(report.outcome, Outcome::Failed, "{about}");
        assert!(
            stands(&database, ProblemCode::RecordsOutsideWindow).await,
            "{about}"
        );
    }
}

#[tokio::test]
async fn a_server_that_refuses_ranges_of_a_second_is_no_exception() {
    for (range, outcome) in [
        (Range::Kept, Outcome::Succeeded),
        (Range::LastDay, Outcome::Failed),
    ] {
        let database = TestDatabase::migrated().await;
        let setup = three_weeks(60).await;
        setup.simulator.world().behaviour.quirks.range = range;
        setup.simulator.world().behaviour.quirks.shortest_range = TimeDelta::minutes(1);
        let report = setup.sync(&database).await;
        assert_eq!(report.outcome, outcome, "{range:?}: {:?}", report.problem);
        if range == Range::Kept {
            assert_complete(&setup, &database, &report, "kept").await;
        } else {
            assert_eq!(report.watermark, Some(instant("2025-12-25T00:00:00Z")));
        }
    }
}

#[tokio::test]
async fn a_page_that_fails_is_no_end_of_clamped_pages() {
    let faults = [
        FaultKind::status(500),
        FaultKind::ResetBeforeResponse,
        FaultKind::Body(ERROR_OBJECTS.to_vec()),
        FaultKind::Body(b"<html>".to_vec()),
        FaultKind::status(400),
    ];
    for fault in faults {
        // In passing, and longer than it is tried again.
        for (num_results, times) in [(NumResults::Page, 1), (NumResults::Absent, 4)] {
            let database = TestDatabase::migrated().await;
            let setup = half_a_day(300, Behaviour::capped(50, num_results)).await;
            setup.simulator.world().inject(Fault {
                when: When::Offset { offset: 1, times },
                kind: fault.clone(),
            });
            let report = setup.sync(&database).await;
            let about = format!("{fault:?} {num_results:?} {times}");
            assert_complete(&setup, &database, &report, &about).await;
            assert!(
                report.counters.requests < 150,
                "{about}: {}",
                report.counters.requests
            );
        }
    }
}

#[tokio::test]
async fn a_quiet_account_costs_little_where_past_the_end_fails() {
    for past_end in [PastEnd::Message, PastEnd::NotFound, PastEnd::ServerError] {
        for num_results in [NumResults::Absent, NumResults::Page] {
            let database = TestDatabase::migrated().await;
            let behaviour = Behaviour {
                num_results,
                quirks: Quirks {
                    past_end,
                    ..Quirks::default()
                },
                ..Behaviour::default()
            };
            let setup = half_a_day(1, behaviour).await;
            let report = setup.sync(&database).await;
            let about = format!("{past_end:?} {num_results:?}");
            assert_complete(&setup, &database, &report, &about).await;
            assert!(
                report.counters.requests < 45,
                "{about}: {}",
                report.counters.requests
            );
        }
    }
}

#[tokio::test]
async fn one_odd_record_among_few_blocks_nothing() {
    for few in [0, 1, 2, 8] {
        let database = TestDatabase::migrated().await;
        let setup = three_weeks(40).await;
        assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
        setup.pass(TimeDelta::minutes(10));
        for nth in 0..few {
            let at = format!("2026-01-15T12:0{}:10", nth / 2);
            let record =
                json!({"sessionId": format!("s-{nth}"), "sessionStartTime": at, "sessionEndTime": at});
            insert(&setup, &format!("{at}Z"), &record);
        }
        let record = json!({"sessionId": "odd", "sessionStartTime": "2025-01-10T12:00:00", "sessionEndTime": "2025-01-10T12:01:00"});
        insert(&setup, "2026-01-15T12:01:00Z", &record);
        let report = setup.sync(&database).await;
        assert_complete(&setup, &database, &report, &format!("beside {few}")).await;
        assert_eq!(database.number(GAPS).await, 0, "beside {few}");
    }
}

#[tokio::test]
async fn a_single_record_outside_the_requested_range_fails_the_run() {
    let database = TestDatabase::migrated().await;
    let setup = three_weeks(40).await;
    let before = setup.sync(&database).await;
    // Nothing but one record of months ago, whatever is asked for.
    let record = json!({"sessionId": "odd", "sessionStartTime": "2025-07-10T12:00:00", "sessionEndTime": "2025-07-10T12:01:00"});
    let body = json!({"numResults": 1, "data": [record]}).to_string();
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::Body(body.into_bytes())));
    setup.pass(TimeDelta::minutes(10));
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.watermark),
        (Outcome::Failed, before.watermark)
    );
}

#[tokio::test]
async fn an_element_without_an_id_costs_its_second_alone() {
    for element in [
        json!({"errors": [{"msg": "Internal server error", "code": 500}]}),
        json!({"sessionId": "", "conversationId": "", "error": "index not ready"}),
        json!({"sessionId": "undefined", "conversationId": null}),
    ] {
        for num_results in [NumResults::Total, NumResults::Absent] {
            let database = TestDatabase::migrated().await;
            let setup = three_weeks(300).await;
            setup.simulator.world().behaviour.num_results = num_results;
            insert(&setup, "2026-01-10T12:34:56Z", &element);
            let report = setup.sync(&database).await;
            let about = format!("{element} {num_results:?}");
            assert_eq!(report.outcome, Outcome::Failed, "{about}");
            assert_eq!(stored(&database).await, 300, "{about}");
            let unread = database.number(UNREAD).await;
            // The end of a range may belong to it, so that both halves hold what stands at their bound.
            assert!((1..=4).contains(&unread), "{about}: {unread} s");
            assert!(
                report.counters.requests < 150,
                "{about}: {}",
                report.counters.requests
            );
        }
    }
}

#[tokio::test]
async fn an_error_told_by_any_key_is_no_empty_page_at_once() {
    for body in [
        r#"{"data":[],"success":false,"errorMessage":"no index"}"#,
        r#"{"status":"error","data":[]}"#,
        r#"{"Error":"no index","data":[]}"#,
    ] {
        let database = TestDatabase::migrated().await;
        let setup = half_a_day(40, Behaviour::default()).await;
        setup
            .simulator
            .world()
            .inject(Fault::next(FaultKind::Body(body.into())));
        let report = setup.sync(&database).await;
        assert_complete(&setup, &database, &report, body).await;
    }
}

#[tokio::test]
async fn harmless_keys_cost_a_quiet_poll_no_second_request() {
    let body =
        r#"{"numResults":0,"data":[],"hasMore":false,"pageNumber":0,"success":true,"requestId":"4f-2"}"#;
    let database = TestDatabase::migrated().await;
    let setup = half_a_day(40, Behaviour::default()).await;
    setup.sync(&database).await;
    setup.pass(TimeDelta::minutes(5));
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::Body(body.into())));
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.requests),
        (Outcome::Succeeded, 1)
    );
}
