//! A daemon that is started where nothing is to be read keeps quiet about it.

use nix::sys::signal::Signal;

use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase};

/// Four tiers as by default, none of which is due again while a test runs.
const TIERS: &str = r#"[{"every":"0 0 0 1 1 *","lookback":"2h"},{"every":"0 0 0 1 1 *","lookback":"24h"},
    {"every":"0 0 0 1 1 *","lookback":"7d"},{"every":"0 0 0 1 1 *","lookback":"30d"}]"#;

#[tokio::test]
async fn a_start_without_anything_to_refresh_says_nothing_of_it() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(3, 1, 0, 40);
    let (mut environment, _) = environment(&setup, &database).await;
    environment.insert("SMARTASSIST_ETL__SYNC__POLL".to_owned(), "0 0 0 1 1 *".to_owned());
    environment.insert("SMARTASSIST_ETL__LOG__LEVEL".to_owned(), "debug".to_owned());
    let mut first = Program::start(&["run"], &environment);
    first.finished("poll").await;
    first.signal(Signal::SIGTERM);
    assert_eq!(first.ended().await.code(), 0);

    environment.insert("SMARTASSIST_ETL__SYNC__REFRESH".to_owned(), TIERS.to_owned());
    // Nothing is new either: what a poll covers while a tier looks would be read again.
    environment.insert(
        "SMARTASSIST_ETL__SYNC__SETTLE_SECONDS".to_owned(),
        "3600".to_owned(),
    );
    let mut second = Program::start(&["run"], &environment);
    second.event("a poll is due").await;
    let done = "select count(*) from smartassist_sync.requests where state = 'done'";
    database.until("all policies", done, |done| done == 4).await;
    second.signal(Signal::SIGTERM);
    let ended = second.ended().await;
    let runs = ended.events("run finished");
    assert!(runs.iter().all(|run| run["kind"] == "poll"), "{runs:?}");
    let started = ended.events("run started");
    assert!(
        started.iter().all(|run| run["spans"][0]["kind"] == "poll"),
        "{started:?}"
    );
    let refreshes = "select count(*) from smartassist_sync.runs where kind = 'refresh'";
    assert_eq!(database.number(refreshes).await, 0);
}
