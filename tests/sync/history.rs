//! A source that serves nothing older than so many days.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use smartassist_etl::ledger::Purpose;
use smartassist_etl::ledger::problems::{self, ProblemCode};
use smartassist_etl::ledger::requests::NewRequest;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::ledger::status;
use smartassist_etl::sync;
use smartassist_etl::time::{Clock, Window};
use smartassist_simulator::{Interaction, Seed, TooOld};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant, real_now};

const A_DAY_AGO: &str =
    "update smartassist_sync.accounts set served_from_tried_at = served_from_tried_at - interval '25 hours'";

/// A month with 600 interactions, of which the API serves so many days.
async fn a_month(days: i64, too_old: TooOld) -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2025-12-15");
    setup.set("max_retries", "1");
    let (from, to) = (instant("2025-12-15T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    let mut world = setup.simulator.world();
    world.seed(&Seed::new(5, from, to, 600));
    world.behaviour.quirks.retention = Some(TimeDelta::days(days));
    world.behaviour.quirks.too_old = too_old;
    drop(world);
    setup
}

fn served(setup: &Setup, from: DateTime<Utc>) -> i64 {
    let world = setup.simulator.world();
    let count = world
        .interactions()
        .filter(|it: &&Interaction| it.start >= from)
        .count();
    i64::try_from(count).unwrap()
}

async fn standing(database: &TestDatabase) -> Option<String> {
    let standing = problems::standing(&database.pool, "acct-sim").await.unwrap();
    let code = ProblemCode::HistoryNotServed.as_str();
    let problem = standing.into_iter().find(|problem| problem.code == code);
    problem.map(|problem| problem.text)
}

async fn served_from(database: &TestDatabase) -> DateTime<Utc> {
    let sql = "select served_from from smartassist_sync.accounts";
    sqlx::query_scalar(sql).fetch_one(&database.pool).await.unwrap()
}

#[tokio::test]
async fn what_is_served_is_complete_where_older_windows_are_refused() {
    for (days, too_old) in [
        (1, TooOld::Refuse),
        (2, TooOld::Refuse),
        (5, TooOld::Refuse),
        (5, TooOld::Message),
        (20, TooOld::Refuse),
    ] {
        let about = format!("{days} {too_old:?}");
        let database = TestDatabase::migrated().await;
        let setup = a_month(days, too_old).await;
        let report = setup.sync(&database).await;
        assert_eq!(
            report.outcome,
            Outcome::Succeeded,
            "{about}: {:?}",
            report.problem
        );
        assert_eq!(report.watermark, Some(instant("2026-01-15T11:58:00Z")), "{about}");
        let edge = instant("2026-01-15T12:00:00Z") - TimeDelta::days(days);
        let found = served_from(&database).await;
        assert!(
            (edge..=edge + TimeDelta::minutes(1)).contains(&found),
            "{about}: {found}"
        );
        assert!(database.counts().await[0] >= served(&setup, found), "{about}");
        let split_otherwise = "select count(*) from smartassist_sync.windows where status = 'split' and error_code <> 'window_refused'";
        assert_eq!(database.number(split_otherwise).await, 0, "{about}");
        let covered = "select lower(coverage) from smartassist_sync.accounts";
        let covered: DateTime<Utc> = sqlx::query_scalar(covered)
            .fetch_one(&database.pool)
            .await
            .unwrap();
        assert!(
            covered >= edge,
            "{about}: nothing older counts as read, {covered}"
        );
        assert!(
            report.counters.requests < 120,
            "{about}: {}",
            report.counters.requests
        );

        let detail = standing(&database).await.unwrap();
        assert!(
            detail.contains(&found.format("%Y-%m-%dT%H:%M").to_string()),
            "{detail}"
        );
        let accounts = status::accounts(&database.pool).await.unwrap();
        assert_eq!(accounts[0].served_from, Some(found));
    }
}

#[tokio::test]
async fn an_edge_that_moves_on_while_it_is_searched_takes_one_search() {
    let database = TestDatabase::migrated().await;
    let setup = a_month(5, TooOld::Refuse).await;
    // As with a budget of two requests a minute.
    for nth in 1..300 {
        let clock = Arc::clone(&setup.clock);
        setup.simulator.world().before_request(nth, move |world| {
            let now = clock.now() + TimeDelta::seconds(30);
            clock.set(now);
            world.set_now(now);
        });
    }
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{:?}", report.problem);
    assert!(report.counters.requests < 140, "{}", report.counters.requests);
    let known = served_from(&database).await;
    let edge = instant("2026-01-10T12:00:00Z");
    assert!((edge..edge + TimeDelta::hours(1)).contains(&known), "{known}");
    let there = served(&setup, edge + TimeDelta::hours(2));
    assert!(database.counts().await[0] >= there);
}

#[tokio::test]
async fn a_daemon_searches_once_for_a_backfill_beyond_the_history() {
    let database = TestDatabase::migrated().await;
    let mut setup = a_month(5, TooOld::Refuse).await;
    setup.set("start_from", "2026-01-14");
    setup.sync(&database).await;
    let mut daemon = setup.worker(&database.pool);
    Arc::make_mut(&mut daemon.sync).refresh.clear();
    let ranges = [Window::new(
        instant("2026-01-01T00:00:00Z"),
        instant("2026-01-14T00:00:00Z"),
    )];
    let wish = NewRequest::of(Purpose::Backfill, &ranges);
    sync::ask(&daemon, &wish).await.unwrap().unwrap();
    let stop = CancellationToken::new();
    tokio::join!(sync::serve(daemon, Arc::default(), stop.clone()), async {
        let ended = "select count(*) from smartassist_sync.requests where state <> 'open'";
        database.until("the request", ended, |ended| ended == 1).await;
        stop.cancel();
    });
    // The edge is known to a minute, and never goes back.
    let coverage = "select count(*) from smartassist_sync.accounts where watermark = '2026-01-15 11:58Z'";
    assert_eq!(database.number(coverage).await, 1);
    let told = "select concat_ws(' ', state, error_code, \
                (select count(*) from smartassist_sync.runs where kind = 'backfill')) from smartassist_sync.requests";
    assert_eq!(database.text(told).await, "partial history_not_served 1");
}

#[tokio::test]
async fn history_that_is_not_served_is_tried_once_a_day() {
    let database = TestDatabase::migrated().await;
    let setup = a_month(5, TooOld::Refuse).await;
    setup.sync(&database).await;
    let refused = |setup: &Setup| {
        let world = setup.simulator.world();
        world.requests().filter(|request| request.status == 400).count()
    };
    let found = refused(&setup);
    for _ in 0..3 {
        setup.pass(TimeDelta::minutes(5));
        let report = setup.sync(&database).await;
        assert_eq!(
            (report.outcome, report.counters.requests),
            (Outcome::Succeeded, 1)
        );
    }
    assert_eq!(refused(&setup), found, "nothing older is asked for");
    database.execute(A_DAY_AGO).await;
    setup.pass(TimeDelta::minutes(5));
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(refused(&setup), found + 1, "but once a day");

    setup.simulator.world().behaviour.quirks.retention = None;
    database.execute(A_DAY_AGO).await;
    setup.pass(TimeDelta::minutes(5));
    setup.sync(&database).await;
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await[0], 600);
    assert_eq!(standing(&database).await, None);
    let start = "select start_from = '2025-12-15 00:00Z' from smartassist_sync.accounts";
    assert_eq!(database.text(&format!("select ({start})::text")).await, "true");
}

#[tokio::test]
async fn unserved_history_is_tried_again_without_a_start_from_too() {
    let database = TestDatabase::migrated().await;
    let mut setup = a_month(5, TooOld::Refuse).await;
    setup.set("start_from", "");
    setup.sync(&database).await;
    let wanted = "select wanted_from = '2025-12-16 12:00Z' and start_from = served_from from smartassist_sync.accounts";
    assert_eq!(database.text(&format!("select ({wanted})::text")).await, "true");
    assert!(standing(&database).await.is_some());

    // Not served yet: the problem stands, and asking again is put off for a day.
    database.execute(A_DAY_AGO).await;
    setup.pass(TimeDelta::minutes(5));
    assert_eq!(setup.sync(&database).await.counters.requests, 2);
    setup.pass(TimeDelta::minutes(5));
    assert_eq!(setup.sync(&database).await.counters.requests, 1);
    assert!(standing(&database).await.is_some());

    setup.simulator.world().behaviour.quirks.retention = None;
    database.execute(A_DAY_AGO).await;
    setup.pass(TimeDelta::minutes(5));
    setup.sync(&database).await;
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    let expected = served(&setup, instant("2025-12-16T12:00:00Z"));
    assert_eq!(database.counts().await[0], expected);
    assert_eq!(standing(&database).await, None);
    let start = "select start_from = '2025-12-16 12:00Z' from smartassist_sync.accounts";
    assert_eq!(database.text(&format!("select ({start})::text")).await, "true");
}

#[tokio::test]
async fn what_is_settled_begins_where_the_api_begins_to_serve() {
    let database = TestDatabase::migrated().await;
    let setup = a_month(5, TooOld::Refuse).await;
    let settled = "select (settled_through > served_from)::text from smartassist_sync.accounts";
    for run in 1..=3 {
        setup.sync(&database).await;
        assert_eq!(database.text(settled).await, "true", "run {run}");
        setup.pass(TimeDelta::minutes(5));
    }
    // A run that finds nothing to read prepares the account all the same.
    setup.pass(TimeDelta::minutes(-5));
    setup.sync(&database).await;
    assert_eq!(database.text(settled).await, "true");
}

#[tokio::test]
async fn a_refresh_that_reaches_past_what_is_served_does_not_fail() {
    let database = TestDatabase::migrated().await;
    let setup = a_month(5, TooOld::Refuse).await;
    setup.sync(&database).await;
    // Some of what was loaded is not served any more.
    setup.pass(TimeDelta::days(2));
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    let refresh = Job::Refresh {
        lookback: TimeDelta::days(7),
        since: real_now(),
        open_since: None,
        unsettled: false,
    };
    let worker = setup.worker(&database.pool);
    let report = worker.run(&refresh, &CancellationToken::new()).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{:?}", report.problem);
    assert_eq!(report.counters.missing, 0);
}

#[tokio::test]
async fn a_backfill_beyond_the_history_fails_and_says_where_it_begins() {
    let database = TestDatabase::migrated().await;
    let mut setup = a_month(5, TooOld::Refuse).await;
    setup.set("start_from", "2026-01-14");
    setup.sync(&database).await;
    let backfill = Job::Backfill {
        range: Window::new(instant("2026-01-01T00:00:00Z"), instant("2026-01-14T00:00:00Z")),
        refetch: false,
    };
    let worker = setup.worker(&database.pool);
    let report = worker.run(&backfill, &CancellationToken::new()).await;
    assert_eq!(report.outcome, Outcome::Failed);
    let problem = report.problem.unwrap();
    assert!(
        problem.text.contains("serves nothing older than 2026-01-10T12:0"),
        "{problem:?}"
    );
    let from =
        "select count(*) from smartassist_sync.accounts where coverage @> '2026-01-10 12:02Z'::timestamptz";
    assert_eq!(database.number(from).await, 1, "what is served is read");
}

#[tokio::test]
async fn a_window_that_is_refused_among_others_is_no_end_of_history() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(200).await;
    setup.set("max_retries", "0");
    {
        let mut world = setup.simulator.world();
        // All that reach into one day.
        world.behaviour.quirks.refused =
            Some((instant("2026-01-05T00:00:00Z"), instant("2026-01-06T00:00:00Z")));
    }
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Failed);
    let known = "select count(*) from smartassist_sync.accounts where served_from is not null";
    assert_eq!(database.number(known).await, 0);
    assert_eq!(standing(&database).await, None);
}
