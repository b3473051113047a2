//! What is logged when much goes wrong at once, as it comes out. That every line is as
//! `docs/logging.md` says is looked at by `Program`, here as in every other test.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use smartassist_etl::ledger::leases;
use smartassist_simulator::{Behaviour, Channel, Charset, Fault, FaultKind, Seed};

use crate::support::daemon::environment;
use crate::support::program::Ended;
use crate::support::{Program, Setup, TestDatabase, real_now};

fn messages(log: &[String]) -> BTreeSet<String> {
    let events = log
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events
        .filter_map(|event| Some(event["message"].as_str()?.to_owned()))
        .collect()
}

/// The span of this name of an event.
fn span<'a>(event: &'a Value, name: &str) -> Option<&'a Value> {
    event["spans"]
        .as_array()?
        .iter()
        .find(|span| span["name"] == name)
}

/// An API that shows what it can: a burst that no filter parts, stamps that are off, a field and a
/// record that nobody can read, answers that fail, a clock ahead of ours.
async fn troubled() -> Setup {
    let mut setup = Setup::live().await;
    setup.set("max_retries", "1");
    let burst = real_now() - TimeDelta::hours(9);
    let mut world = setup.simulator.world();
    world.arrive(200, TimeDelta::hours(20));
    world.behaviour.stamp_shift = TimeDelta::minutes(330);
    world.insert_raw(burst, &json!({"sessionId": "no-start"}));
    for mut it in Seed::new(12, burst, burst + TimeDelta::seconds(1), 1_300).interactions() {
        (it.conversation, it.channel) = (None, Channel::Voice);
        world.insert(it);
    }
    let at = real_now() - TimeDelta::hours(5);
    let stamp = at.format("%Y-%m-%dT%H:%M:%S").to_string();
    let novel = json!({"sessionId": "novel", "sessionStartTime": stamp, "novelty": 1});
    world.insert_raw(at, &novel);
    world.inject(Fault::times(3, FaultKind::status(503)));
    world.run_clock(TimeDelta::seconds(90));
    drop(world);
    setup
}

#[tokio::test]
async fn what_goes_wrong_is_said_by_the_rules() {
    let database = TestDatabase::empty().await;
    let setup = troubled().await;
    let (environment, _) = environment(&setup, &database).await;
    let range = ["--from", "2026-01-01", "--to", "2999-01-01"];
    let mut said = BTreeSet::new();
    for arguments in [
        &["sync"][..],
        &["replay"],
        &["retry-rejected"],
        &["verify", range[0], range[1], range[2], range[3]],
    ] {
        let ended = Program::run(arguments, &environment).await;
        assert_spans(&ended);
        said.extend(messages(&ended.log));
    }
    leases::acquire(&database.pool, "acct-sim", "other", Duration::from_secs(1))
        .await
        .unwrap()
        .unwrap();
    let mut daemon = Program::start(&["run"], &environment);
    daemon.finished("poll").await;
    daemon.finished("poll").await;
    daemon.signal(Signal::SIGUSR1);
    daemon.event("log level changed by SIGUSR1").await;
    daemon.signal(Signal::SIGTERM);
    said.extend(messages(&daemon.ended().await.log));
    for message in [
        "connected to PostgreSQL",
        "schema is up to date",
        "run started",
        "request failed, trying again after a pause",
        "window failed, nothing of it is covered",
        "window drained",
        "gap: records of this window cannot be reached, and are missing",
        "time stamps disagree",
        "the API sends a field that is not known",
        "this machine's clock and the API's are far apart",
        "run finished",
        "replay finished",
        "rejected records tried again",
        "the range reaches into the future, it is cut",
        "starting",
        "log level changed by SIGUSR1",
        "stopped",
    ] {
        assert!(said.contains(message), "{message:?} was not said: {said:#?}");
    }
}

/// Lines of a run carry what they are about.
fn assert_spans(ended: &Ended) {
    for message in [
        "window drained",
        "window failed, nothing of it is covered",
        "run finished",
    ] {
        for event in ended.events(message) {
            let run = span(&event, "run").unwrap();
            assert_eq!(run["account"], "main");
            assert!(run["kind"].is_string() && run["run_id"].is_u64(), "{event}");
            let window = span(&event, "window");
            assert_eq!(window.is_some(), message != "run finished", "{event}");
        }
    }
}

#[tokio::test]
async fn a_warning_names_its_account_when_nothing_else_is_logged() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("max_retries", "0");
    setup
        .simulator
        .world()
        .inject(Fault::next(FaultKind::status(503)));
    let (mut environment, _) = environment(&setup, &database).await;
    environment.insert("SMARTASSIST_ETL__LOG__LEVEL".to_owned(), "warn".to_owned());
    let ended = Program::run(&["sync"], &environment).await;
    let failed = &ended.events("window failed, nothing of it is covered")[0];
    assert_eq!(span(failed, "run").unwrap()["account"], "main");
    assert!(span(failed, "window").unwrap()["range"].is_string());
    assert_eq!(ended.events("run finished").len(), 0);
}

#[tokio::test]
async fn pretty_lines_have_no_colours_where_stderr_is_no_terminal() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(20).await;
    let slow = Behaviour {
        stamp_shift: TimeDelta::minutes(60),
        ..Behaviour::default()
    };
    setup.simulator.world().set_behaviour(slow);
    let mut environment = setup.environment_on(&database).await;
    environment.insert("SMARTASSIST_ETL__LOG__FORMAT".to_owned(), "pretty".to_owned());
    let ended = Program::run(&["sync"], &environment).await;
    let log = ended.log.join("\n");
    assert!(!log.contains('\u{1b}'), "{log}");
    let finished = log.lines().find(|line| line.contains("run finished")).unwrap();
    for part in [
        "INFO run{account=\"main\" kind=\"sync\" run_id=",
        "}: run finished kind=\"sync\" outcome=",
    ] {
        assert!(finished.contains(part), "no {part} in {finished}");
    }
    assert_eq!(ended.stdout, "");
}

/// In two windows.
async fn unreadable_in_each_answer() -> Setup {
    let setup = Setup::live().await;
    let mut world = setup.simulator.world();
    world.behaviour.quirks.charset = Charset::Latin1Undeclared;
    world.limits.max_days = 1;
    for day in [1, 2] {
        let at = real_now() - TimeDelta::days(day);
        let stamp = at.format("%Y-%m-%dT%H:%M:%S").to_string();
        let record = json!({"sessionId": format!("s-{day}"), "sessionStartTime": stamp, "userId": "Zoë"});
        world.insert_raw(at, &record);
    }
    drop(world);
    setup
}

#[tokio::test]
async fn unreadable_characters_are_warned_of_once() {
    let database = TestDatabase::empty().await;
    let setup = unreadable_in_each_answer().await;
    let (environment, _) = environment(&setup, &database).await;
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    let said = "characters of an answer cannot be read, and were replaced; later ones are only counted";
    assert_eq!(ended.events(said).len(), 1, "{}", ended.log.join("\n"));
    let told =
        "select count(*) from smartassist.sessions where warnings::text like '%replaced by U+FFFD: 1%'";
    assert_eq!(database.number(told).await, 2);
}
