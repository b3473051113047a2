//! More interactions in one second than the API shows of any window.

use std::sync::Arc;

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::ledger::{gaps, status};
use smartassist_etl::time::Window;
use smartassist_simulator::{Behaviour, Channel, End, Interaction, NumResults, Seed};
use tokio_util::sync::CancellationToken;

use super::past::Past;
use crate::support::{Job, Runs, Setup, TestDatabase, instant};

const SECOND: &str = "2026-01-12T10:00:00Z";
const AT_SECOND: &str =
    "select count(*) from smartassist.sessions where session_started_at = '2026-01-12 10:00Z'";
const ELSEWHERE: &str =
    "select count(*) from smartassist.sessions where session_started_at <> '2026-01-12 10:00Z'";
const GAPS: &str = "select coalesce(string_agg(to_char(lower(range) at time zone 'UTC', 'HH24:MI:SS') || '-' || \
                    to_char(upper(range) at time zone 'UTC', 'HH24:MI:SS'), ' ' order by range), '') \
                    from smartassist_sync.gaps where lower(range)::date = '2026-01-12'";
/// As if the backoff of all gaps were over.
const LATER: &str = "update smartassist_sync.windows set started_at = started_at - interval '2 days', \
                     finished_at = finished_at - interval '2 days' where status = 'gap'";

/// A week with 300 interactions, and 1,500 more in one second, each changed by `change`.
async fn burst(change: impl Fn(&mut Interaction)) -> Setup {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-08");
    let (from, to) = (instant("2026-01-08T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(11, from, to, 300));
    crowd(&setup, change);
    setup
}

fn crowd(setup: &Setup, change: impl Fn(&mut Interaction)) {
    let (at, mut world) = (instant(SECOND), setup.simulator.world());
    for mut it in Seed::new(12, at, at + TimeDelta::seconds(1), 1_500).interactions() {
        change(&mut it);
        world.insert(it);
    }
}

/// Sessions that no bot handed over, all on one channel: no filter tells them apart.
fn alike(it: &mut Interaction) {
    (it.conversation, it.channel) = (None, Channel::Voice);
}

/// Requests for windows that the second lies in.
fn requests_for_the_second(setup: &Setup) -> usize {
    let at = instant(SECOND);
    let world = setup.simulator.world();
    world
        .requests()
        .filter(|it| it.start <= Some(at) && it.end >= Some(at))
        .count()
}

#[tokio::test]
async fn a_second_that_overflows_is_read_in_parts_that_filters_make() {
    let database = TestDatabase::migrated().await;
    let setup = burst(|_| {}).await;
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.inserted),
        (Outcome::Succeeded, 1_800),
        "{:?}",
        report.problem
    );
    assert_eq!(report.watermark, Some(instant("2026-01-15T11:58:00Z")));
    assert_eq!(database.number(AT_SECOND).await, 1_500);
    assert_eq!(database.text(GAPS).await, "");
    let undrained = "select count(*) from smartassist_sync.windows where status not in ('drained', 'split')";
    assert_eq!(database.number(undrained).await, 0);
}

#[tokio::test]
async fn a_second_that_filters_cannot_split_is_the_only_gap() {
    // With an inclusive end, the second before is asked for with the records of this one, and told
    // apart from it: it is no gap.
    for end in [End::Exclusive, End::Inclusive] {
        let database = TestDatabase::migrated().await;
        let setup = burst(alike).await;
        setup.simulator.world().behaviour.end = end;
        let report = setup.sync(&database).await;
        assert_eq!(report.outcome, Outcome::Failed, "{end:?}");
        assert_eq!(database.text(GAPS).await, "10:00:00-10:00:01", "{end:?}");
        let in_ledger = "select count(*) from smartassist_sync.windows where status = 'gap'";
        assert_eq!(database.number(in_ledger).await, 1, "{end:?}");
        assert_eq!(
            database.number(AT_SECOND).await,
            1_100,
            "all that the API shows, {end:?}"
        );
        assert_eq!(database.number(ELSEWHERE).await, 300, "{end:?}");
        let first_gap = "select count(*) from smartassist_sync.accounts, \
                         (select min(lower(range)) as start from smartassist_sync.gaps) as gaps \
                         where watermark = gaps.start and coverage @> '2026-01-15 11:57:59Z'::timestamptz";
        assert_eq!(
            database.number(first_gap).await,
            1,
            "the watermark stands at the gap"
        );
    }
}

#[tokio::test]
async fn a_second_that_overflows_after_it_was_read_is_a_gap_too() {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-08");
    let (from, to) = (instant("2026-01-08T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
    setup.simulator.world().seed(&Seed::new(11, from, to, 300));
    let past = Past::of_setup(setup).await;
    let database = &past.database;
    assert_eq!(database.text(GAPS).await, "");
    crowd(&past.setup, alike);
    let refreshed = past.refresh_in_an_hour(TimeDelta::days(10)).await;
    assert_eq!(refreshed.outcome, Outcome::Failed);
    assert_eq!(database.text(GAPS).await, "10:00:00-10:00:01");
    let stands = format!(
        "select count(*) from smartassist_sync.accounts where watermark = '{SECOND}' and settled_through <= watermark"
    );
    assert_eq!(database.number(&stands).await, 1);
    // It rests, for refreshes too.
    let tries =
        format!("select count(*) from smartassist_sync.windows where range @> timestamptz '{SECOND}'");
    let tried = database.number(&tries).await;
    past.refresh_in_an_hour(TimeDelta::days(10)).await;
    assert_eq!(database.number(&tries).await, tried);
}

#[tokio::test]
async fn a_gap_rests_is_tried_again_and_closes_once_the_api_shows_it() {
    let database = TestDatabase::migrated().await;
    let setup = burst(alike).await;
    setup.sync(&database).await;

    // It rests, and whoever asks is told all the same.
    setup.simulator.world().clear_requests();
    setup.pass(TimeDelta::minutes(5));
    let resting = setup.sync(&database).await;
    assert_eq!(
        (resting.outcome, resting.counters.requests),
        (Outcome::Failed, 1),
        "only the five minutes are asked for"
    );
    assert_eq!(requests_for_the_second(&setup), 0);
    let tries = "select max(times_tried) from smartassist_sync.gaps";
    assert_eq!(database.number(tries).await, 1);

    // Its time has come, and nothing has changed.
    database.execute(LATER).await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Failed);
    assert!(requests_for_the_second(&setup) > 0);
    assert_eq!(database.number(tries).await, 2);

    // Its time has come again, and there is less to show.
    {
        let mut world = setup.simulator.world();
        let all: Vec<String> = world
            .interactions()
            .filter(|it| it.start == instant(SECOND))
            .map(|it| it.session_id.clone())
            .collect();
        for id in &all[900..] {
            world.vanish(id);
        }
    }
    database.execute(LATER).await;
    let closing = setup.sync(&database).await;
    assert_eq!(closing.outcome, Outcome::Succeeded);
    assert_eq!(closing.watermark, Some(instant("2026-01-15T12:03:00Z")));
    assert_eq!(database.text(GAPS).await, "");
    assert!(database.number(AT_SECOND).await >= 900);
}

#[tokio::test]
async fn a_gap_that_has_become_too_old_is_nobodys_trouble_any_more() {
    let database = TestDatabase::migrated().await;
    let setup = burst(alike).await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Failed);
    let mut worker = setup.worker(&database.pool);
    // From 13 January on, the day after.
    Arc::make_mut(&mut worker.storage).retention = Some(TimeDelta::days(2));
    let report = worker.run(&Job::Sync, &CancellationToken::new()).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    let accounts = status::accounts(&database.pool).await.unwrap();
    assert_eq!(accounts[0].watermark, instant("2026-01-15T11:58:00Z"));
    assert_eq!((accounts[0].gaps, accounts[0].next_gap_try_at), (0, None));
    assert_eq!(
        database.text(GAPS).await,
        "10:00:00-10:00:01",
        "it stays in the list"
    );
}

#[tokio::test]
async fn a_gap_before_start_from_fails_its_backfill_and_no_poll() {
    let database = TestDatabase::migrated().await;
    let mut setup = burst(alike).await;
    setup.set("start_from", "2026-01-14");
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    let range = Window::new(instant("2026-01-12T00:00:00Z"), instant("2026-01-13T00:00:00Z"));
    let backfill = Job::Backfill {
        range,
        refetch: false,
    };
    for _ in 0..2 {
        let worker = setup.worker(&database.pool);
        let report = worker.run(&backfill, &CancellationToken::new()).await;
        assert_eq!(report.outcome, Outcome::Failed, "whoever asks is told");
        let problem = report.problem.unwrap();
        assert!(problem.code == gaps::CODE, "{problem:?}");
    }
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(status::accounts(&database.pool).await.unwrap()[0].gaps, 0);
}

#[tokio::test]
async fn an_overflowing_second_without_totals_is_a_gap_but_stored() {
    let database = TestDatabase::migrated().await;
    let setup = burst(|_| {}).await;
    setup.simulator.world().set_behaviour(Behaviour {
        num_results: NumResults::Absent,
        ..Behaviour::default()
    });
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(
        report.watermark,
        Some(instant("2026-01-12T09:59:59Z")),
        "{:?}",
        report.problem
    );
    assert_eq!(database.text(GAPS).await, "09:59:59-10:00:00 10:00:00-10:00:01");
    assert_eq!(database.number(AT_SECOND).await, 1_500);
    assert_eq!(database.number(ELSEWHERE).await, 300);
}
