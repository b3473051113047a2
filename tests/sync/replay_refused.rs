//! Rebuilt rows that PostgreSQL refuses.

use smartassist_etl::ledger::LoadError;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::transform::privacy::Policy;
use tokio_util::sync::CancellationToken;

use super::replay::{COUNT, hashing, loaded, make_old, replay, replay_of};

#[tokio::test]
async fn what_postgresql_refuses_is_left_alone_by_a_replay() {
    let (setup, database) = loaded().await;
    make_old(&database).await;
    let key = database
        .text("select interaction_key::text from smartassist.sessions where conversation_id is not null limit 1")
        .await;
    database
        .execute(&format!(
            "alter table smartassist.tags add constraint refuses check (interaction_key <> '{key}') not valid; \
             alter table smartassist.sessions add constraint refuses check (interaction_key <> '{key}' or channel = 'old') not valid"
        ))
        .await;
    let replayed = replay(&setup, &database, hashing()).await;
    assert_eq!(
        (replayed.outcome, replayed.updated, replayed.rejected),
        (Outcome::Failed, COUNT as u64 - 1, 1)
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
    assert_eq!((replayed.outcome, replayed.updated), (Outcome::Succeeded, 1));
}

#[tokio::test]
async fn a_replay_that_nothing_is_taken_of_fails() {
    let (setup, database) = loaded().await;
    make_old(&database).await;
    database
        .execute("alter table smartassist.sessions add constraint refuses check (channel = 'old') not valid")
        .await;
    let replay = replay_of(&setup, &database, Policy::default());
    let error = replay.run(&CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, LoadError::Refused { .. }), "{error}");
}
