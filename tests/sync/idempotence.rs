//! Running again changes nothing; what changed is replaced whole.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::Seed;

use crate::support::{Runs, Setup, TestDatabase, instant};

/// Forgets what is covered, so that everything is read again.
const FORGET_COVERAGE: &str = "update smartassist_sync.accounts set coverage = '{}'";

#[tokio::test]
async fn every_interaction_arrives_in_all_tables() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(1_600).await;
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(
        (
            report.counters.inserted,
            report.counters.updated,
            report.counters.rejected
        ),
        (1_600, 0, 0)
    );
    let counts = database.counts().await;
    assert_eq!((counts[0], counts[5]), (1_600, 1_600));
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
    assert_eq!(
        database
            .number("select count(*) from smartassist.sessions where warnings <> '{}'")
            .await,
        0
    );
}

#[tokio::test]
async fn a_second_run_asks_for_nothing_that_is_covered() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup.sync(&database).await;
    let versions = database.row_versions().await;
    setup.simulator.world().clear_requests();
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(report.counters.requests, 0);
    assert_eq!(setup.simulator.world().requests().count(), 0);
    assert_eq!(database.row_versions().await, versions);
}

#[tokio::test]
async fn reading_everything_again_touches_no_row() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(1_500).await;
    setup.sync(&database).await;
    let versions = database.row_versions().await;
    // Of queues and agents it is noted when they were seen last, and of contacts when the customer came back.
    let dead = "select coalesce(sum(n_dead_tup), 0)::bigint from pg_stat_user_tables where schemaname = 'smartassist' \
                and relname not in ('queues', 'agents', 'fact_interactions')";
    assert_eq!(database.number(dead).await, 0);
    let facts =
        "select md5(string_agg(xmin::text || ctid, ' ' order by ctid)) from smartassist.fact_interactions";
    let versions_of_facts = database.text(facts).await;

    database.execute(FORGET_COVERAGE).await;
    let report = setup.sync(&database).await;
    assert_eq!((report.counters.inserted, report.counters.updated), (0, 0));
    assert_eq!(report.counters.unchanged, 1_500);
    assert_eq!(database.row_versions().await, versions);
    assert_eq!(database.text(facts).await, versions_of_facts);
    // A backend reports what it did at its end at the latest.
    let database = database.reconnected().await;
    assert_eq!(database.number(dead).await, 0);
    let live = dead.replace("n_dead_tup", "n_live_tup");
    assert!(database.number(&live).await > 1_500, "the backends have reported");
}

#[tokio::test]
async fn what_changed_is_replaced_and_the_rest_is_not_touched() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(1_000).await;
    setup.sync(&database).await;
    let versions = database.row_versions().await;
    let changes = {
        let mut world = setup.simulator.world();
        let ids: Vec<String> = world
            .interactions()
            .take(10)
            .map(|one| one.session_id.clone())
            .collect();
        ids.iter()
            .filter(|id| world.add_tag(id, "late", json!("1")))
            .count()
    };
    database.execute(FORGET_COVERAGE).await;
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.counters.inserted, report.counters.updated),
        (0, changes as u64)
    );
    assert_eq!(
        database
            .number("select count(*) from smartassist.tags where name = 'late'")
            .await,
        i64::try_from(changes).unwrap()
    );
    let kept = database
        .row_versions()
        .await
        .into_iter()
        .filter(|row| versions.contains(row))
        .count();
    assert!(
        kept > versions.len() * 95 / 100,
        "{kept} of {} rows kept",
        versions.len()
    );

    let fresh = TestDatabase::migrated().await;
    setup.sync(&fresh).await;
    assert_eq!(database.digest(&[]).await, fresh.digest(&[]).await);
}

#[tokio::test]
async fn when_an_interaction_was_first_seen_survives_its_changes() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(50).await;
    setup.sync(&database).await;
    let first_seen = database
        .text("select min(first_seen_at)::text from smartassist.sessions")
        .await;
    setup.pass(TimeDelta::hours(1));
    {
        let mut world = setup.simulator.world();
        let ids: Vec<String> = world.interactions().map(|one| one.session_id.clone()).collect();
        ids.iter()
            .for_each(|id| assert!(world.add_tag(id, "late", json!("1"))));
    }
    database.execute(FORGET_COVERAGE).await;
    let report = setup.sync(&database).await;
    assert_eq!(report.counters.updated, 50);
    assert_eq!(
        database
            .text("select min(first_seen_at)::text || max(first_seen_at)::text from smartassist.sessions")
            .await,
        format!("{first_seen}{first_seen}"),
    );
    assert_eq!(
        database
            .number("select count(*) from smartassist.sessions where last_changed_at > first_seen_at")
            .await,
        50,
    );
}

#[tokio::test]
async fn the_offset_that_is_asked_with_changes_no_table() {
    let mut digests = Vec::new();
    for offset in ["0", "-330"] {
        let database = TestDatabase::migrated().await;
        let mut setup = Setup::with_interactions(800).await;
        setup.set("time_zone_offset", offset);
        let report = setup.sync(&database).await;
        assert_eq!(report.counters.inserted, 800);
        // The record as received is the one thing that differs, and says with which offset it was.
        database
            .execute("update smartassist.raw_interactions set payload = '{}', time_zone_offset = 0")
            .await;
        digests.push(database.digest(&[]).await);
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn raw_records_are_kept_only_where_they_are_wanted() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(40).await;
    let mut worker = setup.worker(&database.pool);
    Arc::make_mut(&mut worker.storage).raw = false;
    worker
        .run(
            &crate::support::Job::Sync,
            &tokio_util::sync::CancellationToken::new(),
        )
        .await;
    assert_eq!(database.counts().await[0], 40);
    assert_eq!(database.counts().await[5], 0);
}

#[tokio::test]
async fn filters_that_change_make_coverage_begin_anew() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(200).await;
    setup.set("channels", "Voice");
    let voice = setup.sync(&database).await.counters.inserted;
    assert!(voice > 0 && voice < 200);
    let watermark = "select (watermark > start_from)::int::bigint from smartassist_sync.accounts";
    assert_eq!(database.number(watermark).await, 1);
    setup.set("channels", "");
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.counters.inserted, report.counters.unchanged),
        (200 - voice, voice)
    );
}

#[tokio::test]
async fn a_start_that_was_not_configured_is_remembered() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::start().await;
    setup.set("start_from", "");
    setup.sync(&database).await;
    let start = "select start_from::text from smartassist_sync.accounts";
    assert_eq!(database.text(start).await, "2025-12-16 12:00:00+00");
    setup.pass(TimeDelta::days(3));
    setup.sync(&database).await;
    assert_eq!(database.text(start).await, "2025-12-16 12:00:00+00");
}

#[tokio::test]
async fn an_earlier_start_loads_only_what_is_missing_before() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(140).await;
    let (from, to) = (instant("2025-12-25T00:00:00Z"), instant("2025-12-31T00:00:00Z"));
    setup.simulator.world().seed(&Seed::new(8, from, to, 60));
    setup.sync(&database).await;
    setup.set("start_from", "2025-12-20T00:00:00Z");
    let report = setup.sync(&database).await;
    assert_eq!((report.counters.inserted, report.counters.unchanged), (60, 0));
    assert_eq!(report.watermark, Some(instant("2026-01-15T11:58:00Z")));
}
