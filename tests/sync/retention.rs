//! What has become too old goes, and does not come back.

use std::sync::Arc;

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::{AccountContext, RunReport};
use smartassist_etl::time::Window;
use smartassist_simulator::{Basis, Behaviour, Seed};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, Verification, Verifies, instant, real_now};

/// 3,000 interactions from the first of January to the 15th, of sessions of up to an hour.
async fn setup() -> Setup {
    Setup::with_interactions(3_000).await
}

/// Keeps five days: from 10 January on.
fn worker(setup: &Setup, database: &TestDatabase) -> AccountContext {
    let mut worker = setup.worker(&database.pool);
    Arc::make_mut(&mut worker.storage).retention = Some(TimeDelta::days(5));
    worker
}

async fn run(worker: &AccountContext, job: Job) -> RunReport {
    let report = worker.run(&job, &CancellationToken::new()).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    report
}

const OLDER: &str =
    "select count(*) from smartassist.sessions where session_started_at < '2026-01-10T00:00:00Z'";

#[tokio::test]
async fn the_old_is_deleted_in_batches_and_the_rest_is_untouched() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let all = database.counts().await[0];
    let older = database.number(OLDER).await;
    assert!(older > 1_500, "{older}");
    let kept = "select md5(string_agg(s::text || s.xmin::text, '' order by interaction_key)) from smartassist.sessions s \
                where session_started_at >= '2026-01-10T00:00:00Z'";
    let before = database.text(kept).await;
    let worker = worker(&setup, &database);
    assert!(worker.clean_up(&CancellationToken::new()).await.is_ok());
    assert_eq!(database.counts().await[0], all - older);
    assert_eq!(database.number(OLDER).await, 0);
    assert_eq!(database.text(kept).await, before);
    let orphans = "select count(*) from smartassist.raw_interactions where interaction_key \
                   not in (select interaction_key from smartassist.sessions)";
    assert_eq!(database.number(orphans).await, 0);
}

#[tokio::test]
async fn nothing_older_than_retention_is_fetched() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    let worker = worker(&setup, &database);
    run(&worker, Job::Sync).await;
    let start_from = "select (start_from at time zone 'UTC')::text from smartassist_sync.accounts";
    assert_eq!(database.text(start_from).await, "2026-01-10 00:00:00");
    let range = Window::new(instant("2026-01-01T00:00:00Z"), instant("2026-01-12T00:00:00Z"));
    run(&worker, Job::Backfill { range, refetch: true }).await;
    let refresh = Job::Refresh {
        lookback: TimeDelta::days(30),
        since: real_now(),
        open_since: Some(instant("2026-01-01T00:00:00Z")),
        unsettled: false,
    };
    run(&worker, refresh).await;
    let read = "select count(*) from smartassist_sync.windows where lower(range) < '2026-01-10T00:00:00Z'";
    assert_eq!(database.number(read).await, 0);
    assert_eq!(database.number(OLDER).await, 0);
    let watermark = "select (watermark at time zone 'UTC')::text from smartassist_sync.accounts";
    assert_eq!(database.text(watermark).await, "2026-01-15 11:58:00");
}

#[tokio::test]
async fn a_session_that_began_before_what_is_kept_is_left_out() {
    let setup = Setup::start().await;
    let (from, to) = (instant("2026-01-09T20:00:00Z"), instant("2026-01-10T04:00:00Z"));
    setup.simulator.world().seed(&Seed::new(3, from, to, 400));
    let overlap = Behaviour {
        basis: Basis::Overlap,
        ..Behaviour::default()
    };
    setup.simulator.world().set_behaviour(overlap);
    let database = TestDatabase::migrated().await;
    let report = run(&worker(&setup, &database), Job::Sync).await;
    assert!(report.counters.left_out > 0, "{report:?}");
    assert_eq!(database.number(OLDER).await, 0);
    assert!(database.counts().await[0] > 150);
}

#[tokio::test]
async fn verify_does_not_miss_what_is_not_kept() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let worker = worker(&setup, &database);
    worker.clean_up(&CancellationToken::new()).await.unwrap();
    let mut verification = Verification::of(Window::new(
        instant("2026-01-10T00:00:00Z"),
        instant("2026-01-13T00:00:00Z"),
    ));
    verification.demand_identity();
    worker.verify(&mut verification, &CancellationToken::new()).await;
    assert_eq!(verification.compared().count(), 3);
    assert!(verification.compared().all(|day| !day.differs()));
}

#[tokio::test]
async fn what_was_deleted_is_read_again_once_more_is_kept() {
    let mut setup = setup().await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let (all, older) = (database.counts().await[0], database.number(OLDER).await);
    let deleting = worker(&setup, &database);
    deleting.clean_up(&CancellationToken::new()).await.unwrap();
    let state = "select (lower(coverage) at time zone 'UTC')::text || ' ' || (start_from at time zone 'UTC') || ' ' || \
                 (watermark at time zone 'UTC') from smartassist_sync.accounts";
    assert_eq!(
        database.text(state).await,
        "2026-01-10 00:00:00 2026-01-10 00:00:00 2026-01-15 11:58:00"
    );
    let versions = database.row_versions().await;
    deleting.clean_up(&CancellationToken::new()).await.unwrap();
    assert_eq!(database.row_versions().await, versions);

    // The start is remembered where nobody says another; a backfill goes before it.
    setup.set("start_from", "");
    assert_eq!(setup.sync(&database).await.counters.inserted, 0);
    let range = Window::new(instant("2026-01-05T00:00:00Z"), instant("2026-01-10T00:00:00Z"));
    let backfill = Job::Backfill {
        range,
        refetch: false,
    };
    let brought = run(&setup.worker(&database.pool), backfill)
        .await
        .counters
        .inserted;
    assert!(brought > 500, "{brought}");
    // And what is asked for is all there again.
    setup.set("start_from", "2026-01-01");
    let rest = setup.sync(&database).await.counters.inserted;
    assert_eq!(brought + rest, u64::try_from(older).unwrap());
    assert_eq!(database.counts().await[0], all);
}

#[tokio::test]
async fn where_all_is_kept_cleaning_up_does_nothing() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let versions = database.row_versions().await;
    assert!(
        setup
            .worker(&database.pool)
            .clean_up(&CancellationToken::new())
            .await
            .is_ok()
    );
    assert_eq!(database.row_versions().await, versions);
}

#[tokio::test]
async fn rejected_records_of_old_windows_go_as_well() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    for day in ["2026-01-02", "2026-01-14"] {
        let start = instant(&format!("{day}T10:00:00Z"));
        setup.simulator.world().insert_raw(
            start,
            &serde_json::json!({"sessionId": "", "sessionStartTime": day}),
        );
        let well = serde_json::json!({"sessionId": format!("s-{day}"), "sessionStartTime": format!("{day}T10:00:00")});
        setup.simulator.world().insert_raw(start, &well);
        let range = Window::new(start, start + TimeDelta::hours(1));
        run(
            &setup.worker(&database.pool),
            Job::Backfill { range, refetch: true },
        )
        .await;
    }
    let rejected = "select string_agg(payload, ' ') from smartassist_sync.rejected_records";
    assert!(database.text(rejected).await.contains("2026-01-02"));
    worker(&setup, &database)
        .clean_up(&CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        database.text(rejected).await,
        r#"{"sessionId":"","sessionStartTime":"2026-01-14"}"#
    );
}

#[tokio::test]
async fn a_clock_a_month_ahead_deletes_nothing_and_moves_no_start() {
    let mut setup = Setup::live().await;
    setup.seed_days(5, 2, 0, 200);
    let database = TestDatabase::migrated().await;
    let worker = worker(&setup, &database);
    assert_eq!(run(&worker, Job::Poll).await.outcome, Outcome::Succeeded);
    let loaded = database.counts().await;
    assert!(loaded[0] > 0);
    // Nobody says from when on: it stays what it is.
    setup.set("start_from", "");
    setup.clock.set(real_now() + TimeDelta::days(30));
    let ahead = self::worker(&setup, &database);
    ahead.clean_up(&CancellationToken::new()).await.unwrap();
    assert_eq!(database.counts().await, loaded);
    assert_eq!(run(&ahead, Job::Poll).await.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await, loaded);
    let moved = "select count(*) from smartassist_sync.accounts where start_from > now()";
    assert_eq!(database.number(moved).await, 0);
}
