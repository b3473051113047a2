//! How what was asked for ends, whoever works on it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use smartassist_etl::ledger::Purpose;
use smartassist_etl::ledger::requests::NewRequest;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::{self, RunReport};
use smartassist_etl::time::{Clock, Window};
use smartassist_simulator::Seed;
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs};

use super::past::{Past, window};

const ALL: TimeDelta = TimeDelta::days(20);

const STATES: &str = "select string_agg(state, ' ' order by id) from smartassist_sync.requests";

fn december() -> Window {
    window("2025-12-01T00:00:00Z", "2025-12-31T00:00:00Z")
}

async fn with_december(count: usize) -> Past {
    let past = Past::of(10).await;
    let Window { start, end } = december();
    past.setup
        .simulator
        .world()
        .seed(&Seed::new(8, start, end, count));
    past
}

/// With it a worker asks and reads nothing.
fn stopped() -> CancellationToken {
    let stop = CancellationToken::new();
    stop.cancel();
    stop
}

/// Ends of what was asked for, while its first answer is held back until `meanwhile` gives it free.
async fn seen_through(past: &Past, id: i64, meanwhile: impl Future<Output = ()>) -> RunReport {
    let stop = CancellationToken::new();
    with_answers_held(past, sync::see_through(&past.worker, id, &stop), meanwhile).await
}

async fn with_answers_held<T>(
    past: &Past,
    work: impl Future<Output = T>,
    meanwhile: impl Future<Output = ()>,
) -> T {
    let hold = past.setup.hold_answers();
    let (report, ()) = tokio::join!(work, async {
        past.setup.until_in_flight(1).await;
        meanwhile.await;
        past.setup.hold_no_more();
        hold.cancel();
    });
    report
}

async fn asked(past: &Past) -> i64 {
    let ranges = [december()];
    let wish = NewRequest::of(Purpose::Backfill, &ranges);
    sync::ask(&past.worker, &wish).await.unwrap().unwrap()
}

#[tokio::test]
async fn told_to_stop_before_it_began_is_no_success() {
    let past = Past::of(10).await;
    past.setup.pass(TimeDelta::hours(1));
    let backfill = Job::Backfill {
        range: december(),
        refetch: false,
    };
    for job in [Job::Sync, backfill] {
        let report = past.worker.run(&job, &stopped()).await;
        assert_eq!(report.outcome, Outcome::Interrupted, "{job:?}");
    }
    assert_eq!(past.requests(), 0);
    assert_eq!(past.database.text(STATES).await, "open");
}

#[tokio::test]
async fn a_request_that_somebody_cancels_is_no_success_and_is_not_asked_for_again() {
    let past = with_december(3_000).await;
    let id = asked(&past).await;
    let report = seen_through(&past, id, cancelling(&past)).await;
    assert_eq!(report.outcome, Outcome::Interrupted, "{report:?}");
    assert_eq!(
        report.problem.as_ref().map(|problem| problem.code.as_str()),
        Some("cancelled")
    );
    assert!(!report.was_cut_off(), "or the command asks again");
    assert_eq!(past.database.text(STATES).await, "cancelled");
    let runs = "select status from smartassist_sync.runs where kind = 'backfill'";
    assert_eq!(past.database.text(runs).await, "interrupted");
}

async fn cancelling(past: &Past) {
    // As docs/operations.md has it; seen at the next look.
    let cancel = "update smartassist_sync.requests set cancel_requested_at = now() where state = 'open'";
    past.database.execute(cancel).await;
    tokio::time::sleep(Duration::from_secs(7)).await;
}

#[tokio::test]
async fn a_sync_whose_request_somebody_cancels_ends_and_says_so() {
    let past = with_december(3_000).await;
    asked(&past).await;
    let report = with_answers_held(&past, past.catch_up(), cancelling(&past)).await;
    assert_eq!(report.outcome, Outcome::Interrupted, "{report:?}");
    assert!(report.was_cancelled(), "{report:?}");
}

#[tokio::test]
async fn a_cancelled_request_that_nobody_works_on_takes_in_no_new_one() {
    let past = with_december(300).await;
    let first = asked(&past).await;
    past.database
        .execute("update smartassist_sync.requests set cancel_requested_at = now()")
        .await;
    let second = asked(&past).await;
    assert_ne!(first, second);
    let report = sync::see_through(&past.worker, second, &CancellationToken::new()).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    past.run(&Job::Sync).await;
    assert_eq!(past.database.text(STATES).await, "cancelled done");
}

#[tokio::test]
async fn what_is_new_meanwhile_is_polled_while_a_command_works() {
    let past = with_december(3_000).await;
    let id = asked(&past).await;
    let polling = async {
        past.setup.pass(TimeDelta::minutes(20));
        past.setup.simulator.world().arrive(5, TimeDelta::minutes(15));
        past.setup.hold_no_more();
        let polled =
            "select count(*) from smartassist.sessions where session_started_at > '2026-01-15T11:58:00Z'";
        past.database.until("what is new", polled, |new| new == 5).await;
    };
    let report = seen_through(&past, id, polling).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    assert_eq!(past.database.counts().await[0], 3_015);
}

#[tokio::test]
async fn what_another_worker_made_of_a_request_is_told_by_whoever_asked() {
    for (state, outcome) in [
        ("done", Outcome::Succeeded),
        ("partial", Outcome::Failed),
        ("cancelled", Outcome::Interrupted),
    ] {
        let past = Past::of(10).await;
        let id = asked(&past).await;
        // Within the second between two looks, it ends and lets the account go.
        let ended = format!(
            "update smartassist_sync.requests set state = '{state}', done_at = now(), error_code = 'of_a_test', error = 'why'"
        );
        past.database.execute(&ended).await;
        let report = sync::see_through(&past.worker, id, &CancellationToken::new()).await;
        assert_eq!(report.outcome, outcome, "{state}");
        assert_eq!(past.requests(), 0);
    }
}

#[tokio::test]
async fn a_watcher_counts_no_silence_of_before_it_came() {
    let past = Past::of(10).await;
    let id = asked(&past).await;
    let of_a_daemon = "insert into smartassist_sync.leases (account_id, holder, token, expires_at) \
                       select account_id, 'other', 1, now() + interval '1 hour' from smartassist_sync.accounts \
                       on conflict (account_id, stream) do update set holder = 'other', expires_at = excluded.expires_at";
    past.database.execute(of_a_daemon).await;
    let yesterday = "update smartassist_sync.requests set requested_at = now() - interval '1 day'";
    past.database.execute(yesterday).await;
    let stop = CancellationToken::new();
    let watching = sync::see_through(&past.worker, id, &stop);
    let watched = tokio::time::timeout(Duration::from_secs(3), watching).await;
    assert!(watched.is_err(), "{watched:?}");
}

#[tokio::test]
async fn a_refresh_of_a_newer_version_goes_on_after_a_roll_back() {
    let past = Past::of(50).await;
    past.setup.pass(TimeDelta::hours(1));
    past.worker.run(&past.refresh(ALL), &stopped()).await;
    past.database
        .execute("update smartassist_sync.requests set rules = 999")
        .await;
    assert_eq!(past.run(&past.refresh(ALL)).await.outcome, Outcome::Succeeded);
    assert_eq!(past.database.text(STATES).await, "done");
}

#[tokio::test]
async fn a_refresh_does_not_wait_for_a_comparison_of_the_same_days() {
    let past = Past::of(1_000).await;
    past.setup.pass(TimeDelta::hours(1));
    let ranges = [window("2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z")];
    let wish = NewRequest {
        due_for: Some(TimeDelta::zero()),
        by_identity: true,
        ..NewRequest::of(Purpose::Verify, &ranges)
    };
    let id = sync::ask(&past.worker, &wish).await.unwrap().unwrap();
    let hold = past.setup.hold_answers();
    let stop = CancellationToken::new();
    let refreshed =
        "select count(*) from smartassist_sync.requests where policy is not null and state = 'done'";
    let (verified, ()) = tokio::join!(sync::see_through(&past.worker, id, &stop), async {
        // The head, and the first day.
        past.setup.until_in_flight(2).await;
        past.other_worker().run(&past.refresh(ALL), &stopped()).await;
        // The comparison has its answer last.
        past.setup.hold_no_more();
        past.database
            .until("the refresh", refreshed, |done| done == 1)
            .await;
        hold.cancel();
    });
    assert_eq!(verified.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_comparison_that_is_stopped_keeps_the_days_that_it_has_compared() {
    let past = Past::of(100).await;
    let ranges = [window("2025-11-16T00:00:00Z", "2026-01-15T00:00:00Z")];
    let wish = NewRequest {
        due_for: Some(TimeDelta::zero()),
        ..NewRequest::of(Purpose::Verify, &ranges)
    };
    let id = sync::ask(&past.worker, &wish).await.unwrap().unwrap();
    let stop = CancellationToken::new();
    let told = stop.clone();
    past.setup
        .simulator
        .world()
        .before_request(45, move |_| told.cancel());
    let report = sync::see_through(&past.worker, id, &stop).await;
    assert_eq!(report.outcome, Outcome::Interrupted);
    let compared = sync::compared(&past.worker, id).await.unwrap();
    assert_eq!(compared.len(), 44);
}

#[tokio::test]
async fn what_changes_at_each_reading_is_told_and_leaves_its_request_partial() {
    let mut past = Past::of_a_day(50).await;
    Arc::make_mut(&mut past.worker.sync).refresh.clear();
    past.setup.simulator.world().behaviour.latency = Duration::from_millis(200);
    for nth in 1..100 {
        let clock = Arc::clone(&past.setup.clock);
        past.setup.simulator.world().before_request(nth, move |world| {
            let now = clock.now() + TimeDelta::seconds(1);
            clock.set(now);
            world.set_now(now);
        });
    }
    let refresh = past.refresh(ALL);
    let changing = async {
        loop {
            let changed = format!(
                "update smartassist.sessions set content_hash = sha256('other'), last_changed_at = '{}'",
                past.now().to_rfc3339()
            );
            past.database.execute(&changed).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let report = tokio::select! {
        report = past.run(&refresh) => report,
        () = changing => unreachable!(),
    };
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    let told = "select state || ' ' || error_code from smartassist_sync.requests";
    assert_eq!(past.database.text(told).await, "partial unsteady");
}
