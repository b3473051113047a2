//! `sync` as cron runs it.

use chrono::TimeDelta;
use nix::sys::signal::Signal;
use smartassist_etl::ledger::leases;

use crate::support::{Program, Setup, TestDatabase, real_now, wait};

#[tokio::test]
async fn sync_serves_the_refreshes_that_are_due() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let mut environment = setup.environment_on(&database).await;
    let tiers = r#"[{"every":"* * * * * *","lookback":"2h"},{"every":"0 0 0 1 1 *","lookback":"30d"}]"#;
    environment.insert("SMARTASSIST_ETL__SYNC__REFRESH".to_owned(), tiers.to_owned());
    let first = Program::run(&["sync"], &environment).await;
    assert_eq!(first.code(), 0, "{}", first.log.join("\n"));

    // The smaller tier is due once a second: what was read within this one need not be read again.
    let second = real_now().timestamp();
    wait::until("the next second", async || {
        let now = real_now();
        if now.timestamp() > second {
            Ok(())
        } else {
            Err(now)
        }
    })
    .await;

    let late = setup.simulator.world().arrive(1, TimeDelta::minutes(20));
    let second = Program::run(&["sync"], &environment).await;
    assert_eq!(second.code(), 0, "{}", second.log.join("\n"));
    let kinds: Vec<_> = second.events("run finished");
    let mut kinds: Vec<_> = kinds.iter().map(|run| run["kind"].as_str().unwrap()).collect();
    // Side by side.
    kinds.sort_unstable();
    assert_eq!(kinds, ["refresh", "sync"]);
    let found = format!(
        "select count(*) from smartassist.sessions where session_id = '{}'",
        late[0]
    );
    assert_eq!(database.number(&found).await, 1);

    let status = Program::run(&["status", "--json"], &environment).await.stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let account = &status["accounts"][0];
    assert!(
        account["settled_through"].as_str() < account["watermark"].as_str(),
        "{account}"
    );
    let text = Program::run(&["status"], &environment).await.stdout;
    assert!(text.contains("\n  settled through    20"), "{text}");
}

#[tokio::test]
async fn sync_says_that_there_is_nothing_to_read() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let mut environment = setup.environment_on(&database).await;
    // Nothing of it has settled.
    let start_from = real_now().to_rfc3339();
    environment.insert(
        "SMARTASSIST_ETL__ACCOUNTS__MAIN__START_FROM".to_owned(),
        start_from,
    );
    let ended = Program::run(&["sync"], &environment).await;
    let told = ended.events("nothing to read: all there is now is loaded");
    assert_eq!((ended.code(), told.len()), (0, 1), "{}", ended.log.join("\n"));
    assert_eq!(told[0]["account"], "main");
}

#[tokio::test]
async fn a_sync_that_watches_leaves_nothing_asked_for_when_it_is_stopped() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let environment = setup.environment_on(&database).await;
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    // So that there is something new.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let lasts = std::time::Duration::from_secs(60);
    let lease = leases::acquire(&database.pool, "acct-sim", "other", lasts).await;
    assert!(lease.unwrap().is_some());
    let mut watching = Program::start(&["sync"], &environment);
    watching
        .event("another worker has the account and reads it, watching")
        .await;
    watching.signal(Signal::SIGINT);
    assert_ne!(watching.ended().await.code(), 0);
    let wanted =
        "select count(*) from smartassist_sync.requests where state = 'open' and cancel_requested_at is null";
    assert_eq!(database.number(wanted).await, 0);
}
