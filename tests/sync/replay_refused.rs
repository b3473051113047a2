//! Raw records that cannot be rebuilt, and rebuilt rows that PostgreSQL refuses.

use serde_json::json;
use smartassist_etl::ledger::LoadError;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::transform::privacy::{Policy, Rule};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::replay::{COUNT, hashing, loaded, make_old, replay, worker_of};
use crate::support::{Setup, TestDatabase, instant};

/// Its new rows; gives its key.
async fn with_one_refused(database: &TestDatabase) -> String {
    let key = database
        .text("select interaction_key::text from smartassist.sessions where conversation_id is not null limit 1")
        .await;
    database
        .execute(&format!(
            "alter table smartassist.sessions add constraint refuses check (interaction_key <> '{key}' or channel = 'old') not valid"
        ))
        .await;
    key
}

#[tokio::test]
async fn what_postgresql_refuses_is_left_alone_by_a_replay() {
    let (setup, database) = loaded().await;
    make_old(&database).await;
    let key = with_one_refused(&database).await;
    database
        .execute(&format!(
            "alter table smartassist.tags add constraint refuses check (interaction_key <> '{key}') not valid"
        ))
        .await;
    let replayed = replay(&setup, &database, hashing()).await;
    assert_eq!(
        (replayed.outcome, replayed.updated, replayed.rejected),
        (Some(Outcome::Failed), COUNT as u64 - 1, 1)
    );
    let old = "select string_agg(interaction_key::text, ' ') from smartassist.sessions where channel = 'old'";
    assert_eq!(database.text(old).await, key);
    // Its raw record follows the rules all the same.
    let ruled = format!(
        "select count(*) from smartassist.raw_interactions where interaction_key = '{key}' and payload::text like '%hmac:%'"
    );
    assert_eq!(database.number(&ruled).await, 1);

    for table in ["tags", "sessions"] {
        let statement = format!("alter table smartassist.{table} drop constraint refuses");
        database.execute(&statement).await;
    }
    let replayed = replay(&setup, &database, hashing()).await;
    assert_eq!(
        (replayed.outcome, replayed.updated),
        (Some(Outcome::Succeeded), 1)
    );
}

#[tokio::test]
async fn a_replay_that_nothing_is_taken_of_fails() {
    let (setup, database) = loaded().await;
    make_old(&database).await;
    database
        .execute("alter table smartassist.sessions add constraint refuses check (channel = 'old') not valid")
        .await;
    let worker = worker_of(&setup, &database, Policy::default());
    let (replayed, stop) = (watch::Sender::default(), CancellationToken::new());
    let error = worker.replay(&replayed, &stop).await.unwrap_err();
    assert!(matches!(error, LoadError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn privacy_rules_reach_raw_records_that_cannot_be_rebuilt() {
    let setup = Setup::start().await;
    for id in ["c-1", "c-2", "c-3", "c-4"] {
        let record = json!({
            "sessionId": format!("s-{id}"), "conversationId": id, "sessionStartTime": "2026-01-10T10:00:00", "channel": "new",
            "customerinfo": {"CustomerPhone": "+15550100000", "CustomerFirstName": "Zelda"},
        });
        setup
            .simulator
            .world()
            .insert_raw(instant("2026-01-10T10:00:00Z"), &record);
    }
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    for (id, broken) in [
        ("c-1", "payload - 'sessionId' - 'conversationId'"),
        ("c-2", r#"payload || '{"sessionStartTime": "never"}'"#),
        // Of the same interaction, by another normal form of ids.
        ("c-3", r#"payload || '{"conversationId": "c-9"}'"#),
    ] {
        let breaks = format!(
            "update smartassist.raw_interactions set payload = {broken} where payload ->> 'conversationId' = '{id}'"
        );
        database.execute(&breaks).await;
    }
    let dropping = Policy {
        customer: Rule::Drop,
        ..Policy::default()
    };
    let replayed = replay(&setup, &database, dropping.clone()).await;
    assert_eq!(
        (replayed.outcome, replayed.rejected, replayed.updated),
        (Some(Outcome::Failed), 3, 1)
    );
    let marked = "select count(*) from smartassist.raw_interactions r where r::text ~ 'Zelda|15550100000'";
    assert_eq!(database.number(marked).await, 0);
    let kept = "select count(*) from smartassist.raw_interactions where payload ->> 'channel' = 'new'";
    assert_eq!(database.number(kept).await, 4);
    let named = "select string_agg(conversation_id, ' ' order by conversation_id) from smartassist.sessions \
                 where customer_first_name = 'Zelda'";
    assert_eq!(database.text(named).await, "c-1 c-2 c-3");
    let versions = database.row_versions().await;
    replay(&setup, &database, dropping).await;
    assert_eq!(database.row_versions().await, versions);
}
