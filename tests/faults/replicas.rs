//! Several replicas of the daemon share the accounts, whatever is done to them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::dice::Dice;
use super::watch;
use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase};

/// For how long replicas are maltreated.
const STORM: Duration = Duration::from_secs(60);

async fn account(id: &str, seed: u64) -> Setup {
    let mut setup = Setup::of(id).await;
    setup.go_live();
    setup.seed_days(seed, 2, 0, 4_000);
    setup.set("max_in_flight", "1");
    setup.simulator.world().behaviour.latency = Duration::from_millis(300);
    setup
}

/// Freezes, wakes, kills and starts replicas at random for a while. All of them run in the end.
async fn maltreat(environments: &[HashMap<String, String>], dice: &mut Dice) -> Vec<Program> {
    let start = |place: usize| Program::start(&["run"], &environments[place]);
    let mut replicas: Vec<Program> = (0..environments.len()).map(start).collect();
    let mut frozen = vec![false; replicas.len()];
    let began = Instant::now();
    while began.elapsed() < STORM {
        let place = usize::try_from(dice.within(0..3)).unwrap();
        match dice.within(0..10) {
            0..6 => {
                let signal = if frozen[place] {
                    Signal::SIGCONT
                } else {
                    Signal::SIGSTOP
                };
                replicas[place].signal(signal);
                frozen[place] = !frozen[place];
            }
            6..8 => {
                replicas[place].kill().await;
                replicas[place] = start(place);
                frozen[place] = false;
            }
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(dice.within(200..2_500))).await;
    }
    for (replica, _) in replicas.iter().zip(frozen).filter(|(_, frozen)| *frozen) {
        replica.signal(Signal::SIGCONT);
    }
    replicas
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_frozen_and_killed_replicas_keep_one_history() {
    let mut dice = Dice::seeded();
    let database = TestDatabase::migrated().await;
    watch::install(&database).await;
    let accounts = [account("acct-one", 21).await, account("acct-two", 22).await];
    let mut environments: Vec<HashMap<String, String>> = Vec::new();
    for _ in 0..3 {
        let (mut environment, _) = environment(&accounts[0], &database).await;
        environment.extend(accounts[1].environment_as("SECOND"));
        environment.insert("SMARTASSIST_ETL__SYNC__LEASE_SECONDS".to_owned(), "3".to_owned());
        environments.push(environment);
    }
    let replicas = maltreat(&environments, &mut dice).await;
    for setup in &accounts {
        setup.simulator.world().behaviour.latency = Duration::ZERO;
    }
    let complete =
        "select count(*) from smartassist_sync.accounts where watermark > now() - interval '10 seconds'";
    database
        .until("both accounts to be complete", complete, |complete| complete == 2)
        .await;
    for replica in replicas {
        replica.signal(Signal::SIGTERM);
        let ended = replica.ended().await;
        assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    }
    watch::tokens_never_go_back(&database).await;
    watch::check(&database).await;
    let fresh = TestDatabase::migrated().await;
    for setup in &accounts {
        setup.sync(&fresh).await;
    }
    watch::equal(&database, &fresh).await;
}
