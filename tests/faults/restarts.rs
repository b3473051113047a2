//! PostgreSQL goes away while a command works: it waits, goes on where it was, and gives up in the end.

use std::collections::HashMap;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::proxy::{Harm, Proxy};
use super::watch;
use crate::support::own_server::OwnServer;
use crate::support::{Program, Setup, TestDatabase, database, days_ago};

fn environment(setup: &Setup, url: String, wait_seconds: u64) -> HashMap<String, String> {
    let mut environment = setup.environment();
    for (key, value) in [
        ("DATABASE_URL", url),
        (
            "SMARTASSIST_ETL__DATABASE__WAIT_SECONDS",
            wait_seconds.to_string(),
        ),
        (
            "SMARTASSIST_ETL__DATABASE__CONNECT_TIMEOUT_SECONDS",
            "2".to_owned(),
        ),
        ("SMARTASSIST_ETL__PRIVACY__KEY", "k".repeat(32)),
    ] {
        environment.insert(key.to_owned(), value);
    }
    environment
}

/// `INTERACTIONS=30000` before a test in release mode is a load of minutes.
fn interactions() -> usize {
    let given = std::env::var("INTERACTIONS").ok();
    given.map_or(4_000, |given| given.parse().unwrap())
}

/// A load of so many interactions, with PostgreSQL killed three times while it works.
async fn survives_three_restarts(command: &[&str], interactions: usize) {
    let mut server = OwnServer::start().await;
    let mut setup = Setup::live().await;
    setup.set("start_from", &days_ago(20));
    setup.seed_days(6, 20, 0, interactions);
    // Time enough for three restarts.
    setup.simulator.world().behaviour.latency = Duration::from_millis(200);
    let environment = environment(&setup, server.url(), 60);
    let mut loading = Program::start(command, &environment);
    for restart in 1..=3 {
        // What was said of the one before is no proof, and who still waits does not say again that it does.
        loading.fresh_lines();
        loading.event("window drained").await;
        server.crash().await;
        // One that is back at once may go by without anybody having noticed.
        if restart == 2 {
            loading.event("database is out of reach, waiting for it").await;
        }
        server.begin().await;
        if restart == 2 {
            loading.event("the database is there, going on").await;
        }
    }
    let ended = loading.ended_within(Duration::from_secs(600)).await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    let back = ended.events("the database is there, going on");
    assert!(!back.is_empty(), "{}", ended.log.join("\n"));
    let database = server.database();
    assert_eq!(database.counts().await[0], i64::try_from(interactions).unwrap());
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn sync_outlasts_three_restarts_of_postgresql() {
    survives_three_restarts(&["sync"], interactions()).await;
}

#[tokio::test]
async fn backfill_outlasts_three_restarts_of_postgresql() {
    let (from, to) = (days_ago(20), days_ago(0));
    survives_three_restarts(&["backfill", "--from", &from, "--to", &to], interactions()).await;
}

#[tokio::test]
async fn a_database_that_stays_away_is_given_up_with_exit_code_4() {
    let mut server = OwnServer::start().await;
    let setup = Setup::live().await;
    setup.seed_days(6, 2, 0, 3_000);
    setup.simulator.world().behaviour.latency = Duration::from_millis(50);
    let environment = environment(&setup, server.url(), 6);
    let mut loading = Program::start(&["sync"], &environment);
    loading.event("window drained").await;
    server.crash().await;
    loading.event("database is out of reach, waiting for it").await;
    let ended = loading.ended().await;
    assert_eq!(ended.code(), 4);
    assert!(
        ended.last_word().contains("the database went out of reach"),
        "{}",
        ended.last_word()
    );
    assert_eq!(
        ended.events("the database does not come back, giving up").len(),
        1
    );
    server.begin().await;
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    watch::same_as_a_fresh_load(&setup, &server.database()).await;
}

#[tokio::test]
async fn a_command_that_waits_can_be_told_to_stop() {
    let mut server = OwnServer::start().await;
    let setup = Setup::live().await;
    setup.seed_days(6, 2, 0, 3_000);
    setup.simulator.world().behaviour.latency = Duration::from_millis(50);
    let environment = environment(&setup, server.url(), 600);
    let mut loading = Program::start(&["sync"], &environment);
    loading.event("window drained").await;
    server.crash().await;
    loading.event("database is out of reach, waiting for it").await;
    loading.signal(Signal::SIGTERM);
    assert_eq!(loading.ended().await.code(), 1, "it was cut short");
    // And one that has found none yet.
    let mut waiting = Program::start(&["sync"], &environment);
    waiting.event("database is out of reach, waiting for it").await;
    waiting.signal(Signal::SIGTERM);
    assert_eq!(waiting.ended().await.code(), 1);
}

#[tokio::test]
async fn what_is_confirmed_is_counted_over_a_lost_connection() {
    let setup = Setup::live().await;
    setup.seed_days(6, 2, 0, 2_500);
    let database = TestDatabase::empty().await;
    let server = database::server().await.options();
    let proxy = Proxy::before(server.get_port()).await;
    let url = database::url(&server.database(&database.name).port(proxy.port));
    let environment = environment(&setup, url, 60);
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    // Three batches, one transaction each; the first COMMITs may be of other things.
    for spare in 0..4 {
        database
            .execute(
                "update smartassist.sessions set missing_since = null; \
                 insert into smartassist_sync.absences (account_id, interaction_key, first_missed_at, withheld_since) \
                 select account_id, interaction_key, now(), now() from smartassist.sessions",
            )
            .await;
        proxy.harm(Harm::CutBeforeCommit, spare);
        let confirmed = Program::run(&["confirm-missing", "--account", "main"], &environment).await;
        assert_eq!(confirmed.code(), 0, "{}", confirmed.log.join("\n"));
        assert_eq!(
            confirmed.stdout, "main: 2500 interactions were marked as missing\n",
            "{spare}"
        );
        proxy.harm(Harm::None, 0);
    }
    assert!(proxy.done() >= 3, "{} connections were cut", proxy.done());
}

/// As where the database was away for longer than the lease lasts, and the API slow.
#[tokio::test]
async fn a_command_whose_lease_ended_goes_on() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(6, 2, 0, 2_000);
    setup.simulator.world().behaviour.latency = Duration::from_millis(50);
    let environment = environment(&setup, database.url().await, 60);
    let mut loading = Program::start(&["sync"], &environment);
    loading.event("window drained").await;
    database
        .execute("update smartassist_sync.leases set token = token + 1, expires_at = clock_timestamp() - interval '1 second'")
        .await;
    loading.event("the account's lease is lost, stepping back").await;
    assert_eq!(loading.ended().await.code(), 0);
    watch::same_as_a_fresh_load(&setup, &database).await;
}

/// What each command does, with the database there or not.
fn commands() -> Vec<Vec<String>> {
    let (from, to) = (days_ago(2), days_ago(0));
    let range = ["--from", from.as_str(), "--to", to.as_str()];
    [
        vec!["migrate"],
        vec!["sync"],
        [&["backfill", "--refetch"][..], &range].concat(),
        [&["verify", "--by-identity"][..], &range].concat(),
        vec!["replay"],
        vec!["retry-rejected"],
        vec!["erase", "--email", "nobody@example.com"],
    ]
    .map(|command| command.into_iter().map(str::to_owned).collect())
    .to_vec()
}

fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn every_command_waits_for_a_database_that_is_down_at_its_start() {
    let mut server = OwnServer::start().await;
    let setup = Setup::live().await;
    setup.seed_days(6, 2, 0, 50);
    let environment = environment(&setup, server.url(), 120);
    server.crash().await;
    let programs: Vec<(Vec<String>, Program)> = commands()
        .into_iter()
        .map(|command| (command.clone(), Program::start(&words(&command), &environment)))
        .collect();
    let mut waiting = Vec::new();
    for (command, mut program) in programs {
        program.event("database is out of reach, waiting for it").await;
        waiting.push((command, program));
    }
    server.begin().await;
    for (command, program) in waiting {
        let ended = program.ended().await;
        let went_well = match command[0].as_str() {
            // It may have come before sync.
            "verify" => [0, 1].contains(&ended.code()),
            _ => ended.code() == 0,
        };
        assert!(went_well, "{command:?}: {}", ended.log.join("\n"));
    }
}

#[tokio::test]
async fn every_command_goes_on_where_its_connection_was_cut() {
    let setup = Setup::live().await;
    setup.seed_days(6, 2, 0, 400);
    for harm in [Harm::CutAfterCommit, Harm::CutBeforeCommit] {
        let database = TestDatabase::empty().await;
        let server = database::server().await.options();
        let proxy = Proxy::before(server.get_port()).await;
        let url = database::url(&server.database(&database.name).port(proxy.port));
        let environment = environment(&setup, url, 60);
        for command in commands() {
            for spare in [0, 1, 2, 4, 7] {
                proxy.harm(harm, spare);
                let ended = Program::run(&words(&command), &environment).await;
                assert_eq!(
                    ended.code(),
                    0,
                    "{harm:?} {spare} {command:?}\n{}",
                    ended.log.join("\n")
                );
            }
        }
        watch::same_as_a_fresh_load(&setup, &database).await;
    }
}
