//! Nothing of what was deleted stays in the planner's statistics.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::config::Config;
use smartassist_etl::postgres::Pool;
use smartassist_etl::sync::{ErasureOptions, Replay, erase};
use smartassist_etl::time::clock::Clock;
use smartassist_etl::transform::privacy::{Class, IdentifierKind, Policy, PrivacyKey, Rule, Wanted};
use smartassist_etl::warehouse::statistics;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant};

const PHONE: &str = "+15550100000";

fn key() -> PrivacyKey {
    PrivacyKey::new("0123456789abcdef0123456789abcdef")
}

fn policy() -> Policy {
    Policy {
        key: Some(key()),
        ..Policy::default()
    }
}

/// Ten calls of one customer, and a rejected record; their values are in the statistics of all tables.
async fn loaded() -> (Setup, TestDatabase) {
    let setup = Setup::start().await;
    for call in 0..10 {
        let record = json!({
            "conversationId": format!("c-{call}"), "sessionStartTime": "2026-01-10T10:00:00", "sessionEndTime": "2026-01-10T10:05:00",
            "customerinfo": {"CustomerPhone": PHONE}, "metaInfo": {"note": PHONE}, "newField": PHONE,
            "sessionleveltags": [{"name": "n", "value": PHONE}],
            "destinations": [{"queueName": PHONE, "respondingAgent": {"name": PHONE, "ConsultingAgents": [{"name": PHONE}]}}],
        });
        setup
            .simulator
            .world()
            .insert_raw(instant("2026-01-10T10:00:00Z"), &record);
    }
    let bad = json!({"sessionId": "s-bad", "customerinfo": {"CustomerPhone": PHONE}});
    setup
        .simulator
        .world()
        .insert_raw(instant("2026-01-10T10:00:00Z"), &bad);
    let database = TestDatabase::migrated().await;
    let mut worker = setup.worker(&database.pool);
    worker.settings.policy = Arc::new(policy());
    worker.run(&Job::Sync, &CancellationToken::new()).await;
    database.execute("analyze").await;
    assert!(shown(&database).await > 5);
    (setup, database)
}

/// In how many columns the statistics show the value.
async fn shown(database: &TestDatabase) -> i64 {
    let shown = "select count(*) from pg_stats where schemaname in ('smartassist', 'smartassist_sync') \
                 and concat_ws(' ', most_common_vals::text, histogram_bounds::text, most_common_elems::text) like '%5550100000%'";
    database.number(shown).await
}

async fn placeholders(database: &TestDatabase) -> i64 {
    let rows = "select (select count(*) from smartassist.sessions where account_id = '-') \
                + (select count(*) from smartassist_sync.rejected_records where account_id = '-') \
                + (select count(*) from smartassist_sync.interactions_by_day where account_id = '-')";
    database.number(rows).await
}

#[tokio::test]
async fn statistics_hold_nothing_of_who_was_erased() {
    let (_setup, database) = loaded().await;
    let wanted = Wanted::new(IdentifierKind::Phone, PHONE, &key()).unwrap();
    let erasure = erase(&database.pool, &wanted, &key(), ErasureOptions::default())
        .await
        .unwrap();
    assert_eq!(
        (erasure.deleted.sessions, erasure.deleted.rejected_records),
        (10, 1)
    );
    // All tables are empty now, of which ANALYZE alone would keep what it knew.
    assert_eq!(database.counts().await, [0; 7]);
    assert_eq!(shown(&database).await, 0);
    assert_eq!(placeholders(&database).await, 0);
}

#[tokio::test]
async fn statistics_hold_nothing_of_what_has_become_too_old() {
    let (setup, database) = loaded().await;
    let mut worker = setup.worker(&database.pool);
    worker.settings.policy = Arc::new(policy());
    worker.settings.retention = Some(TimeDelta::days(2));
    // Its window is not over yet.
    database
        .execute("delete from smartassist_sync.rejected_records")
        .await;
    worker
        .clean_up(&CancellationToken::new(), &Arc::default())
        .await
        .unwrap();
    assert_eq!(database.counts().await[0], 0);
    assert_eq!(shown(&database).await, 0);
}

#[tokio::test]
async fn statistics_hold_nothing_of_what_a_replay_has_dropped() {
    let (setup, database) = loaded().await;
    let mut drop = policy();
    Class::ALL
        .iter()
        .for_each(|class| *drop.rule_mut(*class) = Rule::Drop);
    let replay = Replay {
        pool: database.pool.clone(),
        account_id: "acct-sim".to_owned(),
        policy: Arc::new(drop),
        clock: Arc::clone(&setup.clock) as Arc<dyn Clock>,
        done: 0.into(),
        total: 0.into(),
        earlier: watch::Sender::default(),
    };
    replay.run(&CancellationToken::new()).await.unwrap().unwrap();
    // The name of a queue is no personal data.
    let shown = "select coalesce(string_agg(tablename || '.' || attname, ' '), '') from pg_stats where schemaname like 'smartassist%' \
                 and attname not in ('queue_name', 'queue_label', 'queue_key', 'visit_queue_key', 'first_queue_key', 'payload') \
                 and concat_ws(' ', most_common_vals::text, histogram_bounds::text, most_common_elems::text) like '%5550100000%'";
    assert_eq!(database.text(shown).await, "");
}

#[tokio::test]
async fn a_role_that_may_not_renew_statistics_is_told() {
    let (_setup, database) = loaded().await;
    let user = format!("guest_{}", database.name);
    database
        .execute(&format!(
            "create role {user} login password 'guest'; grant usage on schema smartassist, smartassist_sync to {user}; \
             grant select, insert, update, delete on all tables in schema smartassist, smartassist_sync to {user}"
        ))
        .await;
    let options = (*database.pool.options())
        .clone()
        .username(&user)
        .password("guest");
    let session = Config::from_layers(None, std::collections::HashMap::new())
        .unwrap()
        .database
        .session;
    let guest = Pool::new(options, &session);
    assert!(!statistics::renew(&guest).await.unwrap());
    assert!(statistics::renew(&database.pool).await.unwrap());
    tokio::time::timeout(Duration::from_secs(60), guest.close())
        .await
        .unwrap();
}

#[tokio::test]
async fn every_table_with_values_of_records_is_analysed() {
    let database = TestDatabase::migrated().await;
    assert!(statistics::renew(&database.pool).await.unwrap());
    let without = "select coalesce(string_agg(tablename, ' '), '') from pg_tables as t where schemaname = 'smartassist' \
                   and not exists (select from pg_stats as s where (s.schemaname, s.tablename) = (t.schemaname, t.tablename))";
    assert_eq!(database.text(without).await, "");
}
