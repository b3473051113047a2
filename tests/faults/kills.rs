//! The process is killed, frozen or panics: whoever comes next makes the same tables.

use std::time::Duration;

use nix::sys::signal::Signal;
use smartassist_etl::failpoint;
use std::os::unix::process::ExitStatusExt;

use super::dice::Dice;
use super::watch;
use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase, database};

pub(super) const FAILPOINT: &str = "SMARTASSIST_ETL_FAILPOINT";

/// Leases of processes that are dead end now, not in a few seconds.
const END_LEASES: &str = "update smartassist_sync.leases set expires_at = clock_timestamp()";

#[tokio::test]
async fn the_next_process_recovers_from_a_kill_at_any_failpoint() {
    let setup = Setup::live().await;
    setup.seed_days(3, 2, 0, 1_500);
    let fresh = TestDatabase::migrated().await;
    setup.sync(&fresh).await;
    for point in failpoint::POINTS {
        let times: &[u32] = if point.starts_with("window.") {
            &[1, 2]
        } else {
            &[1]
        };
        for time in times {
            let database = if point.starts_with("migration.") {
                TestDatabase::empty().await
            } else {
                TestDatabase::migrated().await
            };
            let (mut environment, _) = environment(&setup, &database).await;
            environment.insert(FAILPOINT.to_owned(), format!("{point}=kill@{time}"));
            let killed = Program::run(&["sync"], &environment).await;
            assert_eq!(killed.status.signal(), Some(9), "{point} {time}");
            environment.remove(FAILPOINT);
            if !point.starts_with("migration.") {
                watch::install(&database).await;
                database.execute(END_LEASES).await;
            }
            let next = Program::run(&["sync"], &environment).await;
            assert_eq!(next.code(), 0, "{point} {time}\n{}", next.log.join("\n"));
            watch::equal(&database, &fresh).await;
        }
    }
}

#[tokio::test]
async fn a_panic_in_a_run_ends_that_run_and_the_next_one_happens() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(3, 2, 0, 1_500);
    watch::install(&database).await;
    for point in ["window.written", "window.read", "run.leased"] {
        let (mut environment, _) = environment(&setup, &database).await;
        environment.insert(FAILPOINT.to_owned(), format!("{point}=panic"));
        let mut daemon = Program::start(&["run"], &environment);
        // One task reads each window, and fails for itself.
        let said = if point == "window.read" {
            "window failed, nothing of it is covered"
        } else {
            "run crashed"
        };
        let panicked = daemon.event("a part of the program panicked").await;
        assert!(
            panicked["location"]
                .as_str()
                .unwrap()
                .starts_with("src/failpoint.rs"),
            "{panicked}"
        );
        daemon.event(said).await;
        daemon.finished_as("poll", "succeeded").await;
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.ended().await.code(), 0, "{point}");
        database
            .execute("update smartassist_sync.accounts set coverage = '{}'; delete from smartassist.sessions; delete from public.seen")
            .await;
    }
    assert_eq!(
        Program::run(&["sync"], &environment(&setup, &database).await.0)
            .await
            .code(),
        0
    );
    watch::check(&database).await;
    watch::same_as_a_fresh_load(&setup, &database).await;
}

/// A worker freezes at this point for longer than its lease and another one takes over; then it wakes.
async fn freezes(point: &str) {
    let database = TestDatabase::migrated().await;
    watch::install(&database).await;
    let setup = Setup::live().await;
    setup.seed_days(3, 2, 0, 3_000);
    let (mut frozen, _) = environment(&setup, &database).await;
    frozen.insert("SMARTASSIST_ETL__SYNC__LEASE_SECONDS".to_owned(), "3".to_owned());
    let (mut standby, _) = environment(&setup, &database).await;
    standby.insert("SMARTASSIST_ETL__SYNC__LEASE_SECONDS".to_owned(), "3".to_owned());
    frozen.insert(FAILPOINT.to_owned(), format!("{point}=stop@2"));
    let mut frozen = Program::start(&["run"], &frozen);
    frozen.event("run started").await;
    let mut standby = Program::start(&["run"], &standby);
    standby.finished_as("poll", "succeeded").await;
    let token = "select token from smartassist_sync.leases";
    let taken_over = database.number(token).await;
    assert!(taken_over > 1, "nobody took over");
    let of_the_frozen = "select count(*) from smartassist_sync.windows where token = 1";
    let written = database.number(of_the_frozen).await;
    frozen.signal(Signal::SIGCONT);
    assert_ne!(frozen.finished("poll").await["outcome"], "succeeded");
    assert_eq!(
        database.number(of_the_frozen).await,
        written,
        "{point}: it wrote after it woke"
    );
    // It is well again: it stands by, and takes over once the other one ends.
    frozen.event("another worker has the account, standing by").await;
    standby.signal(Signal::SIGTERM);
    assert_eq!(standby.ended().await.code(), 0);
    assert_eq!(frozen.finished("poll").await["outcome"], "succeeded");
    frozen.signal(Signal::SIGTERM);
    assert_eq!(frozen.ended().await.code(), 0);
    watch::tokens_never_go_back(&database).await;
    watch::check(&database).await;
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn an_expired_lease_is_acquired_again_without_a_tick() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(3, 2, 0, 3_000);
    let (mut environment, _) = environment(&setup, &database).await;
    for (key, value) in [("POLL", "0 0 0 1 1 *"), ("LEASE_SECONDS", "6")] {
        environment.insert(format!("SMARTASSIST_ETL__SYNC__{key}"), value.to_owned());
    }
    setup.simulator.world().behaviour.latency = Duration::from_millis(100);
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run started").await;
    // As after a freeze of the only worker: its lease is over, and nobody is there to take it.
    let ending = async {
        loop {
            database.execute(END_LEASES).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let ended = tokio::select! {
        ended = daemon.finished("poll") => ended,
        () = ending => unreachable!(),
    };
    assert_eq!(ended["outcome"], "interrupted");
    let lost = daemon.event("the account's lease is lost, stepping back").await;
    assert_eq!(lost["level"], "WARN");
    assert_eq!(daemon.finished("poll").await["outcome"], "succeeded");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn a_worker_frozen_between_transactions_is_replaced() {
    freezes("window.read").await;
}

#[tokio::test]
async fn a_worker_frozen_within_a_transaction_is_replaced() {
    freezes("window.covered").await;
}

#[tokio::test]
async fn a_load_that_is_frozen_in_a_transaction_goes_on() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(3, 2, 0, 1_000);
    let (mut environment, _) = environment(&setup, &database).await;
    // By a Unix socket it would learn that the connection is gone before it reads why.
    let tcp = database::server().await.options().database(&database.name);
    environment.insert("DATABASE_URL".to_owned(), database::url(&tcp));
    environment.insert(FAILPOINT.to_owned(), "window.written=stop@1".to_owned());
    let mut loading = Program::start(&["sync"], &environment);
    loading.event("run started").await;
    // Others are open for a moment, too.
    let frozen = "select count(*) from pg_stat_activity where datname = current_database() \
                  and state = 'idle in transaction' and state_change < now() - interval '2 seconds'";
    database
        .until("a frozen transaction", frozen, |frozen| frozen == 1)
        .await;
    database
        .until("the server to end it", frozen, |frozen| frozen == 0)
        .await;
    loading.signal(Signal::SIGCONT);
    let ended = loading.ended().await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    assert_eq!(
        ended
            .events("a transaction was undone by the server, trying again")
            .len(),
        1
    );
    watch::same_as_a_fresh_load(&setup, &database).await;
}

/// How often each of four loads is killed. `KILLS` and `SEED` in the environment change it.
const KILLS: u64 = 50;
const INTERACTIONS: usize = 6_000;

/// What so many take at most in a debug build, on a machine that does other things as well.
const WHOLE_LOAD: Duration = Duration::from_secs(900);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_killed_two_hundred_times_give_the_same_tables() {
    tokio::join!(
        killed(Dice::seeded(), 11),
        killed(Dice::seeded(), 12),
        killed(Dice::seeded(), 13),
        killed(Dice::seeded(), 14)
    );
}

async fn killed(mut dice: Dice, data: u64) {
    let kills = std::env::var("KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(KILLS);
    let mut setup = Setup::live().await;
    // Some 520 windows of a week, all of them one page: at two answers each 150 ms, the load outlasts all
    // the kills however fast the machine is, and on a slow one some of it is stored between them.
    let days = 3_650;
    setup.set("start_from", &crate::support::days_ago(days));
    setup.seed_days(data, days, 0, INTERACTIONS);
    setup.simulator.world().behaviour.latency = Duration::from_millis(150);
    // Two of them for what is older than a day.
    setup.set("max_in_flight", "3");
    let database = TestDatabase::migrated().await;
    watch::install(&database).await;
    let (environment, _) = environment(&setup, &database).await;
    let mut while_loading = 0;
    for _ in 0..kills {
        let mut program = Program::start(&["sync"], &environment);
        // Also before it works; mostly after, or a slow machine would never be killed at work.
        if dice.within(0..4) > 0 {
            program.event("run started").await;
        }
        tokio::time::sleep(Duration::from_millis(dice.within(0..2_000))).await;
        program.signal(Signal::SIGKILL);
        let ended = program.ended().await;
        let was_killed = ended.status.signal() == Some(9);
        while_loading += u64::from(was_killed && !ended.events("run started").is_empty());
        database.execute(END_LEASES).await;
    }
    let stored = database.number("select count(*) from smartassist.sessions").await;
    println!(
        "killed {while_loading} times while it was loading; {stored} of {INTERACTIONS} were stored by then"
    );
    assert!(2 * while_loading >= kills, "{while_loading} of {kills}");
    assert!(stored > 0 || kills == 0, "no window was stored between two kills");
    assert!(
        kills > KILLS || usize::try_from(stored).unwrap() < INTERACTIONS,
        "the load was over before the kills were"
    );
    setup.simulator.world().behaviour.latency = Duration::ZERO;
    let last = Program::start(&["sync"], &environment)
        .ended_within(WHOLE_LOAD)
        .await;
    assert_eq!(last.code(), 0, "{}", last.log.join("\n"));
    watch::tokens_never_go_back(&database).await;
    watch::check(&database).await;
    watch::same_as_a_fresh_load(&setup, &database).await;
}
