//! What an answer may look like: no data told in other ways, other charsets, elements that are no records, and what
//! comes past the end.

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::ledger::problems::{self, ProblemCode};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::RunReport;
use smartassist_simulator::{
    Behaviour, Charset, Fault, FaultKind, NoData, NumResults, PastEnd, Quirks, Seed,
};

use crate::support::{Setup, TestDatabase, instant};

const WITH_AND_WITHOUT_TOTALS: [NumResults; 3] = [NumResults::Total, NumResults::Page, NumResults::Absent];
const STRAYS: &str =
    "select count(*) from smartassist_sync.rejected_records where payload like '%Internal server error%'";
const GAPS: &str = "select count(*) from smartassist_sync.gaps";

/// Half a day with so many interactions.
async fn half_a_day(count: usize, num_results: NumResults, quirks: Quirks) -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-15");
    let (from, to) = (instant("2026-01-15T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(21, from, to, count));
    setup.simulator.world().set_behaviour(Behaviour {
        num_results,
        quirks,
        ..Behaviour::default()
    });
    setup
}

/// Everything is there, and counts as read.
async fn assert_complete(setup: &Setup, database: &TestDatabase, report: &RunReport, about: &str) {
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
}

async fn stands(database: &TestDatabase, code: ProblemCode) -> bool {
    let standing = problems::standing(&database.pool, "acct-sim").await.unwrap();
    standing.iter().any(|problem| problem.code == code.as_str())
}

#[tokio::test]
async fn a_quiet_account_is_complete_however_no_data_is_told() {
    for (no_data, requests) in [
        (NoData::Page, 1),
        (NoData::NoContent, 1),
        (NoData::NoList, 2),
        (NoData::Message, 2),
    ] {
        let database = TestDatabase::migrated().await;
        let setup = half_a_day(
            0,
            NumResults::Total,
            Quirks {
                no_data,
                ..Quirks::default()
            },
        )
        .await;
        let report = setup.sync(&database).await;
        assert_complete(&setup, &database, &report, &format!("{no_data:?}")).await;
        assert_eq!(report.counters.requests, requests, "{no_data:?}");
    }
}

#[tokio::test]
async fn an_empty_answer_that_a_second_one_denies_is_not_trusted() {
    let body = br#"{"numResults":0,"data":[],"message":"try again"}"#;
    let database = TestDatabase::migrated().await;
    let setup = half_a_day(40, NumResults::Total, Quirks::default()).await;
    setup
        .simulator
        .world()
        .inject(Fault::next(FaultKind::Body(body.to_vec())));
    let report = setup.sync(&database).await;
    assert_complete(&setup, &database, &report, "a word in passing").await;
}

/// `src/sync/read/tests/paging.rs` has all mixes in memory.
#[tokio::test]
async fn what_comes_past_the_end_fails_no_run() {
    for (past_end, num_results) in [
        (PastEnd::Page, NumResults::Absent),
        (PastEnd::NoContent, NumResults::Page),
        (PastEnd::Message, NumResults::Absent),
        (PastEnd::NotFound, NumResults::Page),
        (PastEnd::ServerError, NumResults::Absent),
        (PastEnd::LastPage, NumResults::Total),
    ] {
        let database = TestDatabase::migrated().await;
        let quirks = Quirks {
            past_end,
            ..Quirks::default()
        };
        let setup = half_a_day(200, num_results, quirks).await;
        let report = setup.sync(&database).await;
        let about = format!("{past_end:?} {num_results:?}");
        assert_complete(&setup, &database, &report, &about).await;
        assert!(
            report.counters.requests < 60,
            "{about}: {}",
            report.counters.requests
        );
    }
}

#[tokio::test]
async fn a_byte_order_mark_and_a_declared_charset_change_nothing() {
    let plain = TestDatabase::migrated().await;
    half_a_day(120, NumResults::Total, Quirks::default())
        .await
        .sync(&plain)
        .await;
    let expected = plain.digest(&[]).await;
    for charset in [Charset::Utf8Marked, Charset::Utf16] {
        let database = TestDatabase::migrated().await;
        let setup = half_a_day(
            120,
            NumResults::Total,
            Quirks {
                charset,
                ..Quirks::default()
            },
        )
        .await;
        let report = setup.sync(&database).await;
        assert_complete(&setup, &database, &report, &format!("{charset:?}")).await;
        assert_eq!(database.digest(&[]).await, expected, "{charset:?}");
    }
}

#[tokio::test]
async fn a_name_in_another_charset_is_read_or_its_record_says_so() {
    for (charset, name, warned) in [
        (Charset::Latin1, "Zoë", 0),
        (Charset::Latin1Undeclared, "Zo\u{fffd}", 1),
    ] {
        let database = TestDatabase::migrated().await;
        let setup = half_a_day(
            0,
            NumResults::Total,
            Quirks {
                charset,
                ..Quirks::default()
            },
        )
        .await;
        let start = instant("2026-01-15T10:00:00Z");
        for (id, reason) in [("s-1", "plain"), ("s-2", "Zoë")] {
            let record =
                json!({"sessionId": id, "sessionStartTime": "2026-01-15T10:00:00", "userId": reason});
            setup.simulator.world().insert_raw(start, &record);
        }
        let report = setup.sync(&database).await;
        assert_complete(&setup, &database, &report, &format!("{charset:?}")).await;
        let stored = "select user_id from smartassist.sessions where session_id = 's-2'";
        assert_eq!(database.text(stored).await, name);
        let warnings = "select count(*) from smartassist.sessions \
                        where warnings::text like '%record: characters that could not be read, replaced by U+FFFD: 1%'";
        assert_eq!(database.number(warnings).await, warned, "{charset:?}");
    }
}

#[tokio::test]
async fn a_page_of_error_objects_fails_its_window() {
    let body = br#"{"numResults":1,"data":[{"errors":[{"msg":"Internal server error","code":500}]}]}"#;
    let database = TestDatabase::migrated().await;
    let setup = half_a_day(30, NumResults::Total, Quirks::default()).await;
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::Body(body.to_vec())));
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(report.watermark, Some(instant("2026-01-15T00:00:00Z")));
    setup.simulator.world().clear_faults();
    let report = setup.sync(&database).await;
    assert_complete(&setup, &database, &report, "once it is well").await;
}

#[tokio::test]
async fn an_error_object_among_records_covers_nothing() {
    for num_results in WITH_AND_WITHOUT_TOTALS {
        let database = TestDatabase::migrated().await;
        let quirks = Quirks {
            error_object: true,
            ..Quirks::default()
        };
        let setup = half_a_day(30, num_results, quirks).await;
        let report = setup.sync(&database).await;
        assert_eq!(report.outcome, Outcome::Failed, "{num_results:?}");
        assert_eq!(
            report.watermark,
            Some(instant("2026-01-15T00:00:00Z")),
            "{num_results:?}"
        );
        assert_eq!(database.counts().await[0], 30, "what came is stored");
        assert_eq!(database.number(STRAYS).await, 1, "with its text");
        assert_eq!(database.number(GAPS).await, 1, "{num_results:?}");
        assert!(report.counters.requests < 10, "{}", report.counters.requests);
        assert!(stands(&database, ProblemCode::ElementsWithoutId).await);

        setup.simulator.world().behaviour.quirks.error_object = false;
        setup.pass(TimeDelta::hours(2));
        database
            .execute("update smartassist_sync.windows set finished_at = finished_at - interval '2 hours'")
            .await;
        let report = setup.sync(&database).await;
        assert_complete(&setup, &database, &report, "once it is well").await;
        assert!(!stands(&database, ProblemCode::ElementsWithoutId).await);
    }
}

#[tokio::test]
async fn an_error_object_in_passing_costs_a_reading_and_no_gap() {
    let database = TestDatabase::migrated().await;
    let setup = half_a_day(30, NumResults::Total, Quirks::default()).await;
    setup.simulator.world().behaviour.quirks.error_object = true;
    setup
        .simulator
        .world()
        .before_request(3, |world| world.behaviour.quirks.error_object = false);
    let report = setup.sync(&database).await;
    assert_complete(&setup, &database, &report, "in passing").await;
    assert_eq!(database.number(STRAYS).await, 0);
}

#[tokio::test]
async fn error_objects_beside_all_that_the_total_counts_hide_nothing() {
    let database = TestDatabase::migrated().await;
    // Totals are known to be totals once several pages have added up to one.
    let setup = half_a_day(350, NumResults::Total, Quirks::default()).await;
    let report = setup.sync(&database).await;
    assert_complete(&setup, &database, &report, "before").await;
    setup.simulator.world().behaviour.quirks.error_object = true;
    setup.pass(TimeDelta::hours(1));
    let (from, to) = (instant("2026-01-15T12:01:00Z"), instant("2026-01-15T12:50:00Z"));
    setup.simulator.world().seed(&Seed::new(22, from, to, 20));
    let report = setup.sync(&database).await;
    assert_complete(&setup, &database, &report, "with error objects").await;
    assert_eq!(database.number(STRAYS).await, 1, "they are rejected all the same");
}

#[tokio::test]
async fn a_rejected_record_with_an_id_covers_its_window() {
    let database = TestDatabase::migrated().await;
    let setup = half_a_day(5, NumResults::Total, Quirks::default()).await;
    let record = json!({"sessionId": "no-start", "userId": "u"});
    setup
        .simulator
        .world()
        .insert_raw(instant("2026-01-15T10:00:00Z"), &record);
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.rejected),
        (Outcome::Succeeded, 1)
    );
    assert_eq!(report.watermark, Some(instant("2026-01-15T11:58:00Z")));
}
