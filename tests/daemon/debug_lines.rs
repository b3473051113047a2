//! SIGUSR1 turns debug lines on and off.

use nix::sys::signal::Signal;

use crate::support::daemon::{environment, until_answer};
use crate::support::{Program, Setup, TestDatabase};

/// Waits for the end of a poll that has not begun yet.
async fn polls_again(database: &TestDatabase) {
    let newest = "select coalesce(max(id), 0) from smartassist_sync.runs";
    let newest = database.number(newest).await;
    let later =
        format!("select count(*) from smartassist_sync.runs where id > {newest} and status = 'succeeded'");
    database.until("a poll", &later, |polls| polls > 0).await;
}

#[tokio::test]
async fn sigusr1_turns_debug_lines_on_and_off() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, chrono::TimeDelta::hours(3));
    let (mut environment, port) = environment(&setup, &database).await;
    environment.insert("SMARTASSIST_ETL__LOG__LEVEL".to_owned(), "warn".to_owned());
    let mut daemon = Program::start(&["run"], &environment);
    until_answer(port, "/readyz", 200, "").await;
    assert_eq!(daemon.all_lines(), Vec::<String>::new());

    let changed = "log level changed by SIGUSR1";
    for _ in 0..2 {
        daemon.signal(Signal::SIGUSR1);
        let said = daemon.event(changed).await;
        assert_eq!(said["log_level"], "warn,smartassist_etl=debug");
        daemon.event("a poll is due").await;
        daemon.signal(Signal::SIGUSR1);
        assert_eq!(daemon.event(changed).await["log_level"], "warn");
    }
    // Lines of before may still be on their way until it polls once.
    polls_again(&database).await;
    daemon.all_lines();
    polls_again(&database).await;
    polls_again(&database).await;
    assert_eq!(daemon.fresh_lines(), Vec::<String>::new());
}

#[tokio::test]
async fn sigusr1_turns_debug_lines_of_a_command_on() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let hold = setup.hold_answers();
    let environment = setup.environment_on(&database).await;
    let mut sync = Program::start(&["sync"], &environment);
    setup.until_in_flight(1).await;
    sync.signal(Signal::SIGUSR1);
    sync.event("log level changed by SIGUSR1").await;
    hold.cancel();
    assert_eq!(sync.ended().await.code(), 0);
}
