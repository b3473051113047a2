//! Problems that stand while gaps are open, which are told by a code.

use chrono::TimeDelta;
use smartassist_etl::ledger::problems::{self, ProblemCode};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::Range;

use crate::support::{Setup, TestDatabase};

const CODES: &str =
    "select string_agg(distinct error_code, ' ') from smartassist_sync.windows where status = 'gap'";

async fn standing(database: &TestDatabase) -> Vec<String> {
    let standing = problems::standing(&database.pool, "acct-sim").await.unwrap();
    standing.into_iter().map(|problem| problem.code).collect()
}

/// Gaps are due again, and the API behaves.
async fn repaired(setup: &Setup, database: &TestDatabase) {
    database
        .execute("update smartassist_sync.windows set finished_at = finished_at - interval '2 hours'")
        .await;
    setup.pass(TimeDelta::minutes(5));
    assert_eq!(setup.sync(database).await.outcome, Outcome::Succeeded);
    assert_eq!(standing(database).await, [""; 0]);
}

#[tokio::test]
async fn a_gap_is_known_by_its_code_and_not_by_its_words() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(100).await;
    setup.simulator.world().behaviour.quirks.error_object = true;
    setup.sync(&database).await;
    assert_eq!(database.text(CODES).await, "elements_without_id");
    let said = "select count(*) from smartassist_sync.windows where status = 'gap' and error !~ ': [1-9][0-9]* beside'";
    assert_eq!(database.number(said).await, 0);
    database
        .execute("update smartassist_sync.windows set error = 'told otherwise'; delete from smartassist_sync.problems")
        .await;
    setup.simulator.world().behaviour.quirks.error_object = false;
    setup.pass(TimeDelta::minutes(5));
    setup.sync(&database).await;
    assert_eq!(
        standing(&database).await,
        [ProblemCode::ElementsWithoutId.as_str()]
    );
    repaired(&setup, &database).await;
}

#[tokio::test]
async fn records_outside_of_windows_are_told_until_no_gap_is_open() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup.simulator.world().behaviour.quirks.range = Range::Everything;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Failed);
    assert_eq!(database.text(CODES).await, "records_outside_window");
    // The range is kept to again, as what is new shows; the gap still rests.
    setup.simulator.world().behaviour.quirks.range = Range::Kept;
    setup.pass(TimeDelta::minutes(5));
    setup.sync(&database).await;
    assert!(
        database
            .number("select count(*) from smartassist_sync.gaps")
            .await
            > 0
    );
    assert_eq!(
        standing(&database).await,
        [ProblemCode::RecordsOutsideWindow.as_str()]
    );
    repaired(&setup, &database).await;
}
