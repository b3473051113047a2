//! Problems that stand: found, shown everywhere, and over.

use smartassist_etl::ledger::problems::{ProblemCode, clear, raise};

use super::Daemon;
use crate::support::TestDatabase;
use crate::support::daemon::get;

const OPERATIONS: &str = include_str!("../../docs/operations.md");

#[tokio::test]
async fn a_problem_is_new_once_and_gone_when_it_is_over() {
    let database = TestDatabase::migrated().await;
    let pool = &database.pool;
    let code = ProblemCode::BulkMissing;
    assert!(raise(pool, "acct-sim", code, "300 of 310").await.unwrap());
    assert!(!raise(pool, "acct-sim", code, "300 of 310").await.unwrap());
    assert!(!raise(pool, "acct-sim", code, "301 of 310").await.unwrap());
    let details = "select string_agg(code || ' ' || detail, ', ') from smartassist_sync.problems";
    assert_eq!(database.text(details).await, "bulk_missing 301 of 310");
    assert!(clear(pool, "acct-sim", code).await.unwrap());
    assert!(!clear(pool, "acct-sim", code).await.unwrap());
}

#[tokio::test]
async fn a_long_detail_is_cut_and_stored() {
    let database = TestDatabase::migrated().await;
    let detail = "\u{1f600}".repeat(2_000);
    let raised = raise(&database.pool, "acct-sim", ProblemCode::TimeZone, &detail).await;
    assert!(raised.unwrap());
}

#[tokio::test]
async fn status_page_and_metrics_show_what_stands() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    // Nothing is ever written for this account, so none of its polls clears it.
    let code = ProblemCode::RejectedRecordsNotKept;
    raise(&database.pool, "acct-refused", code, "on 2026-01-01")
        .await
        .unwrap();
    let (_, metrics) = get(daemon.port, "/metrics").await;
    for (code, value) in [("rejected_records_not_kept", 1), ("bulk_missing", 0)] {
        let sample = format!(
            r#"smartassist_etl_problem{{account="refused",code="{code}",severity="failed"}} {value}"#
        );
        assert!(
            metrics.lines().any(|line| line == sample),
            "no {sample} in:\n{metrics}"
        );
    }
    let (_, page) = get(daemon.port, "/").await;
    assert!(page.contains("on 2026-01-01"), "{page}");
    assert!(
        page.contains("see smartassist_sync.rejected_records for why"),
        "{page}"
    );
}

#[test]
fn operators_find_every_code_in_the_documentation() {
    for code in ProblemCode::ALL {
        let problem = code.problem();
        let row = format!("| `{}` | {} |", problem.code, problem.severity.as_str());
        assert!(OPERATIONS.contains(&row), "no row {row}");
    }
}
