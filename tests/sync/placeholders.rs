//! Sessions whose ids stand for nothing, through the whole load.

use serde_json::json;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::Behaviour;

use crate::support::{Setup, TestDatabase, instant};

#[tokio::test]
async fn sessions_with_placeholders_for_ids_stay_apart() {
    let setup = Setup::with_interactions(300).await;
    let database = TestDatabase::migrated().await;
    let placeholders = Behaviour {
        placeholder_ids: true,
        ..Behaviour::default()
    };
    setup.simulator.world().set_behaviour(placeholders);
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await[0], 300);
    let bot_only =
        "select count(*) from smartassist.sessions where conversation_id is null and session_id is not null";
    let without = setup
        .simulator
        .world()
        .interactions()
        .filter(|it| it.conversation.is_none())
        .count();
    assert_eq!(database.number(bot_only).await, i64::try_from(without).unwrap());
    assert!(without > 20);
}

#[tokio::test]
async fn a_record_of_placeholders_alone_is_rejected_with_its_text() {
    let setup = Setup::start().await;
    let start = instant("2026-01-10T10:00:00Z");
    let record =
        json!({"sessionId": "N/A", "conversationId": "undefined", "sessionStartTime": "2026-01-10T10:00:00"});
    for user in ["u-1", "u-2"] {
        let mut record = record.clone();
        record["userId"] = user.into();
        setup.simulator.world().insert_raw(start, &record);
    }
    let database = TestDatabase::migrated().await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await[0], 0);
    let texts = "select string_agg(payload, ' ' order by payload) from smartassist_sync.rejected_records \
                 where reason = 'neither conversationId nor sessionId' and interaction_key is null";
    let texts = database.text(texts).await;
    assert!(texts.contains("u-1") && texts.contains("u-2"), "{texts}");
}
