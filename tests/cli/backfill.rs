//! `backfill` on its own; beside a daemon it is in `tests/daemon`.

use chrono::TimeDelta;
use nix::sys::signal::Signal;
use serde_json::Value;
use smartassist_simulator::{Fault, FaultKind};

use crate::support::program::Ended;
use crate::support::{Program, Setup, TestDatabase, days_ago};

/// The run that it ended with.
fn of_backfill(ended: &Ended) -> Value {
    let runs = ended.events("run finished");
    runs.into_iter().find(|run| run["kind"] == "backfill").unwrap()
}

fn arguments<'a>(from: &'a str, to: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["backfill", "--from", from, "--to", to], more].concat()
}

#[tokio::test]
async fn a_past_range_is_fetched_once_and_again_only_when_asked_to() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(5, 20, 10, 900);
    let environment = setup.environment_on(&database).await;
    let (from, to) = (days_ago(20), days_ago(10));
    let first = Program::run(&arguments(&from, &to, &["--account", "main"]), &environment).await;
    assert_eq!(first.code(), 0, "{}", first.log.join("\n"));
    assert_eq!(of_backfill(&first)["inserted"], 900);
    assert_eq!(database.counts().await[0], 900);
    assert!(first.stdout.is_empty());

    let versions = database.row_versions().await;
    let again = Program::run(&arguments(&from, &to, &[]), &environment).await;
    let nothing = again.events("nothing to read: all of the range is loaded");
    assert_eq!(
        (again.code(), nothing.len(), again.events("run finished").len()),
        (0, 1, 0)
    );
    let refetched = Program::run(&arguments(&from, &to, &["--refetch"]), &environment).await;
    assert_eq!(refetched.code(), 0);
    assert_eq!(of_backfill(&refetched)["unchanged"], 900);
    assert_eq!(database.row_versions().await, versions);
}

#[tokio::test]
async fn a_range_that_reaches_into_the_future_is_cut_with_a_word() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let environment = setup.environment_on(&database).await;
    let ended = Program::run(&arguments(&days_ago(2), "2999-01-01", &[]), &environment).await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    let cut = ended.events("the range reaches into the future, it is cut");
    assert_eq!((cut.len(), &cut[0]["to"]), (1, &"2999-01-01T00:00:00Z".into()));
    assert_eq!(database.counts().await[0], 5);
}

#[tokio::test]
async fn wrong_arguments_are_exit_code_2_and_say_what_is_wrong() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let environment = setup.environment_on(&database).await;
    for (from, to, more, said) in [
        (
            "yesterday",
            "2025-01-02",
            [].as_slice(),
            "a date (2025-01-31) or RFC 3339 from 2000 on is expected",
        ),
        (
            "1999-12-31",
            "2025-01-02",
            &[],
            "a date (2025-01-31) or RFC 3339 from 2000 on is expected",
        ),
        (
            "2025-01-02",
            "2025-01-02T00:00:00Z",
            &[],
            "--from must be before --to",
        ),
        ("2999-01-01", "2999-01-02", &[], "--from must be before "),
        (
            "2025-01-01",
            "2025-01-02",
            &["--account", "nain"],
            "no account \"nain\"; known: main",
        ),
    ] {
        let ended = Program::run(&arguments(from, to, more), &environment).await;
        assert_eq!(ended.code(), 2, "{said}");
        assert!(ended.last_word().contains(said), "{}", ended.last_word());
    }
    let ended = Program::run(&["backfill", "--from", "2025-01-01"], &environment).await;
    assert_eq!(ended.code(), 2);
    assert_eq!(setup.simulator.world().counters().requests, 0);
}

#[tokio::test]
async fn a_backfill_fails_as_sync_does() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("max_retries", "0");
    let broken = Fault::always(FaultKind::Body("<html>".into()));
    setup.simulator.world().inject(broken);
    let (from, to) = (days_ago(20), days_ago(19));
    let environment_ok = setup.environment_on(&database).await;
    let failed = Program::run(&arguments(&from, &to, &[]), &environment_ok).await;
    assert_eq!(failed.code(), 1);
    setup.simulator.world().clear_faults();
    setup.set("client_secret", "wrong-secret-0123456789abcdef-wrong");
    let refused = setup.environment_on(&database).await;
    assert_eq!(
        Program::run(&arguments(&from, &to, &[]), &refused).await.code(),
        3
    );
    let mended = Program::run(&arguments(&from, &to, &[]), &environment_ok).await;
    assert_eq!(mended.code(), 0, "{}", mended.log.join("\n"));
}

#[tokio::test]
async fn a_backfill_that_was_stopped_goes_on_where_it_was() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(6, 20, 6, 6_000);
    let environment = setup.environment_on(&database).await;
    let (from, to) = (days_ago(20), days_ago(6));
    for more in [[].as_slice(), &["--refetch"]] {
        setup.simulator.world().behaviour.latency = std::time::Duration::from_millis(300);
        let mut stopped = Program::start(&arguments(&from, &to, more), &environment);
        // More than one that overflows later may cost. The polls that go with it drain windows, too.
        for _ in 0..3 {
            while stopped.event("window drained").await["spans"][0]["kind"] != "backfill" {}
        }
        // Ctrl-C would cancel what was asked for.
        stopped.signal(Signal::SIGTERM);
        let stopped = stopped.ended().await;
        assert_eq!(stopped.code(), 1);
        assert_eq!(of_backfill(&stopped)["outcome"], "interrupted");
        setup.simulator.world().behaviour.latency = std::time::Duration::ZERO;
        let resumed = Program::run(&arguments(&from, &to, more), &environment).await;
        assert_eq!(resumed.code(), 0, "{}", resumed.log.join("\n"));
        let rest = of_backfill(&resumed)["records"].as_u64().unwrap();
        assert!(rest < 6_000, "{rest} of 6,000 were read again");
        assert_eq!(database.counts().await[0], 6_000);
    }
}

#[tokio::test]
async fn no_run_that_a_refusal_ended_has_succeeded() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(5, 20, 0, 300);
    let mut environment = setup.environment_on(&database).await;
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    let polled = "select last_polled_at::text from smartassist_bi.data_freshness";
    let before = database.text(polled).await;
    let wrong = "not-the-secret-0123456789abcdef00".to_owned();
    environment.insert("SMARTASSIST_ETL__ACCOUNTS__MAIN__CLIENT_SECRET".to_owned(), wrong);
    let (from, to) = (days_ago(60), days_ago(40));
    let refused = Program::run(&arguments(&from, &to, &[]), &environment).await;
    assert_eq!(refused.code(), 3, "{}", refused.log.join("\n"));
    for run in refused.events("run finished") {
        assert_ne!(run["outcome"], "succeeded", "{run}");
    }
    assert_eq!(database.text(polled).await, before);
}
