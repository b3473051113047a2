//! Several accounts in one daemon: one's trouble neither slows nor stops the others.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use nix::sys::signal::Signal;
use smartassist_simulator::{Fault, FaultKind};

use super::watch;
use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase};

async fn account(id: &str) -> Setup {
    let mut setup = Setup::of(id).await;
    setup.go_live();
    setup
}

/// How long it takes at most until an interaction that begins is stored, of so many one after the other.
async fn slowest_arrival(setup: &Setup, database: &TestDatabase, count: usize) -> Duration {
    let stored = "select count(*) from smartassist.sessions where account_id = 'acct-well'";
    let mut slowest = Duration::ZERO;
    for _ in 0..count {
        let before = database.number(stored).await;
        let began = Instant::now();
        setup.simulator.world().arrive(1, TimeDelta::zero());
        database
            .until("an arrival", stored, |stored| stored > before)
            .await;
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

#[tokio::test]
async fn broken_and_flooded_accounts_do_not_disturb_the_others() {
    let database = TestDatabase::migrated().await;
    let well = account("acct-well").await;
    let mut refused = account("acct-refused").await;
    refused.set("client_secret", "another-secret-0123456789abcdef-");
    let mut down = account("acct-down").await;
    down.set("base_url", "http://127.0.0.1:9");
    // Many records, slow answers, and every other one of them 429.
    let flooded = account("acct-flooded").await;
    flooded.seed_days(31, 2, 0, 8_000);
    flooded.simulator.world().behaviour.latency = Duration::from_millis(200);
    flooded.simulator.world().inject(Fault {
        when: smartassist_simulator::When::Chance {
            probability: 0.5,
            seed: 1,
        },
        kind: FaultKind::retry_after(429, "1"),
    });
    let (mut environment, _) = environment(&well, &database).await;
    let daemon = Program::start(&["run"], &environment);
    let alone = slowest_arrival(&well, &database, 3).await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
    for (name, setup) in [("REFUSED", &refused), ("DOWN", &down), ("FLOODED", &flooded)] {
        environment.extend(setup.environment_as(name));
    }
    let daemon = Program::start(&["run"], &environment);
    let troubled = slowest_arrival(&well, &database, 5).await;
    // It settles for a second, and a poll comes each second; a machine on which that takes longer is given as much more.
    assert!(
        troubled < Duration::from_secs(6).max(alone * 2),
        "{troubled:?} beside the others' trouble, {alone:?} alone"
    );
    let failed = "select count(distinct account_id) from smartassist_sync.runs where status = 'failed'";
    assert!(database.number(failed).await >= 2, "nobody was in trouble");
    let behind = "select count(*) from smartassist_sync.accounts where account_id = 'acct-flooded' \
                  and watermark < now() - interval '1 hour'";
    assert_eq!(database.number(behind).await, 1, "the flood was over");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
    // All that was wrong is over: one `sync` makes everything good.
    flooded.simulator.world().clear_faults();
    flooded.simulator.world().behaviour.latency = Duration::ZERO;
    let fresh = TestDatabase::migrated().await;
    flooded.sync(&database).await;
    flooded.sync(&fresh).await;
    // What has just begun is not settled for anybody who looks now.
    database
        .execute("delete from smartassist.sessions where account_id = 'acct-well'")
        .await;
    watch::equal(&database, &fresh).await;
}
