//! The ledger does not grow for ever, and proves coverage all the same.

use smartassist_etl::ledger::runs::Outcome;
use tokio_util::sync::CancellationToken;

use crate::support::{Setup, TestDatabase};

const AGE: &str = "update smartassist_sync.windows set finished_at = finished_at - interval '91 days', \
                   started_at = started_at - interval '91 days', began_at = began_at - interval '91 days'; \
                   update smartassist_sync.runs set started_at = started_at - interval '91 days', \
                   finished_at = finished_at - interval '91 days'";

const PROVEN: &str = "select count(*) from smartassist_sync.accounts \
                      where coverage <@ smartassist_sync.drained(account_id) and not isempty(coverage)";

async fn clean_up(setup: &Setup, database: &TestDatabase) {
    let account = setup.worker(&database.pool);
    account.clean_up(&CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn windows_of_91_days_ago_go_and_coverage_is_proven_still() {
    let setup = Setup::with_interactions(3_000).await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let windows = "select count(*) from smartassist_sync.windows";
    let before = database.number(windows).await;
    clean_up(&setup, &database).await;
    assert_eq!(database.number(windows).await, before, "none is old");
    database.execute(AGE).await;
    clean_up(&setup, &database).await;
    assert_eq!(database.number(windows).await, 0);
    assert_eq!(database.number(PROVEN).await, 1);
    // The newest run of each kind tells how it stands.
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.runs")
            .await,
        1
    );
    let requests = setup.simulator.world().counters().requests;
    let again = setup.sync(&database).await;
    assert_eq!((again.outcome, again.counters.records), (Outcome::Succeeded, 0));
    assert_eq!(setup.simulator.world().counters().requests, requests);
    // What comes later is proven by both.
    setup.pass(chrono::TimeDelta::hours(2));
    setup.sync(&database).await;
    assert_eq!(database.number(PROVEN).await, 1);
    assert!(database.number(windows).await > 0);
}

#[tokio::test]
async fn what_was_drained_is_added_up_once() {
    let setup = Setup::with_interactions(300).await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let left = "select count(*) from smartassist_sync.windows as fetched \
                join smartassist_sync.accounts as account using (account_id) where fetched.id > account.folded_through";
    let windows = "select count(*) from smartassist_sync.windows";
    let all = database.number(windows).await;
    assert_eq!(database.number(left).await, all);
    clean_up(&setup, &database).await;
    assert_eq!(
        (database.number(left).await, database.number(windows).await),
        (0, all)
    );
    assert_eq!(database.number(PROVEN).await, 1);
    let folded = "select folded_through from smartassist_sync.accounts";
    let through = database.number(folded).await;
    clean_up(&setup, &database).await;
    assert_eq!(database.number(folded).await, through, "there is nothing new");
    setup.pass(chrono::TimeDelta::hours(2));
    setup.sync(&database).await;
    assert!(database.number(left).await > 0);
    clean_up(&setup, &database).await;
    assert!(database.number(folded).await > through);
    assert_eq!(database.number(PROVEN).await, 1);
}

#[tokio::test]
async fn a_gap_that_is_open_is_told_however_old_it_is() {
    let setup = Setup::with_interactions(300).await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let gap = "update smartassist_sync.windows set status = 'gap', error = 'of a test' \
               where id = (select min(id) from smartassist_sync.windows where status = 'drained'); \
               update smartassist_sync.accounts set coverage = coverage - tstzmultirange(fetched.range) \
               from smartassist_sync.windows as fetched where fetched.status = 'gap'";
    database.execute(gap).await;
    database.execute(AGE).await;
    clean_up(&setup, &database).await;
    let kept = "select string_agg(status, ' ') from smartassist_sync.windows";
    assert_eq!(database.text(kept).await, "gap");
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.gaps")
            .await,
        1
    );
    assert_eq!(database.number(PROVEN).await, 1);
}
