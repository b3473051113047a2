//! Rows under an id that is another one by today's transform, and those of which no rows can be made.

use std::sync::Arc;

use serde_json::{Value, json};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::{Replay, Replayed};
use smartassist_etl::time::Clock;
use smartassist_etl::transform::privacy::{Policy, Rule};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{Setup, TestDatabase, instant};

/// A database with one row of each of these ids, as today's transform makes it.
async fn loaded(ids: &[&str]) -> (Setup, TestDatabase) {
    let setup = Setup::start().await;
    for id in ids {
        let record = json!({
            "sessionId": format!("s-{id}"), "conversationId": id, "sessionStartTime": "2026-01-10T10:00:00", "channel": "new",
            "customerinfo": {"CustomerPhone": "+15550100000", "CustomerFirstName": "Zelda"},
            "destinations": [{"queueId": "q", "respondingAgent": {"agentId": "a-1"}}],
        });
        setup
            .simulator
            .world()
            .insert_raw(instant("2026-01-10T10:00:00Z"), &record);
    }
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    (setup, database)
}

/// Copies an interaction to one under the id of an earlier transform, of which the API said this in other words.
async fn copy(database: &TestDatabase, from: &str, to: &str, said: &Value, fetched_at: &str) {
    let key = format!(
        "jsonb_build_object('interaction_key', smartassist.interaction_key('acct-sim', '{to}', 's-old'))"
    );
    for statement in [
        format!(
            "insert into smartassist.sessions select (jsonb_populate_record(s, '{}' || {key})).* \
             from smartassist.sessions as s where conversation_id = '{from}'",
            json!({"conversation_id": to, "channel": "old", "first_seen_at": "2026-01-10T12:00:00Z"})
        ),
        format!(
            "insert into smartassist.raw_interactions select (jsonb_populate_record(r, '{}' || {key} \
             || jsonb_build_object('payload', payload || '{said}'))).* \
             from smartassist.raw_interactions as r join smartassist.sessions as s using (interaction_key) \
             where s.conversation_id = '{from}'",
            json!({"fetched_at": fetched_at})
        ),
    ] {
        database.execute(&statement).await;
    }
}

async fn replay(setup: &Setup, database: &TestDatabase, customer: Rule) -> Replayed {
    let replay = Replay {
        pool: database.pool.clone(),
        account_id: "acct-sim".to_owned(),
        policy: Arc::new(Policy {
            customer,
            ..Policy::default()
        }),
        clock: Arc::clone(&setup.clock) as Arc<dyn Clock>,
        done: 0.into(),
        total: 0.into(),
        earlier: watch::Sender::default(),
    };
    replay.run(&CancellationToken::new()).await.unwrap().unwrap()
}

async fn rows(database: &TestDatabase) -> String {
    let rows = "select string_agg(coalesce(s.conversation_id, s.session_id) || ' ' || s.channel || ' ' || (r.payload ->> 'channel'), ', ' \
                order by coalesce(s.conversation_id, s.session_id)) \
                from smartassist.sessions s join smartassist.raw_interactions r using (interaction_key) \
                join smartassist.agent_segments a using (interaction_key)";
    database.text(rows).await
}

const MARKED: &str = "select count(*) from (select s::text from smartassist.sessions s union all \
                      select r::text from smartassist.raw_interactions r) t where t::text like '%Zelda%'";

#[tokio::test]
async fn rows_under_an_id_of_old_move_to_that_of_today() {
    for rule in [Rule::Keep, Rule::Drop] {
        let (setup, database) = loaded(&["c-0", "c-8", "c-9"]).await;
        let before = "2026-01-10T13:00:00Z";
        for (to, said) in [
            (" c-1", json!({"conversationId": " c-1", "channel": "moved"})),
            (
                "undefined",
                json!({"conversationId": "undefined", "sessionId": "s-2", "channel": "moved"}),
            ),
            ("1.0", json!({"conversationId": 1.0, "channel": "moved"})),
            // It came under both ids, and one of the two is newer.
            (
                "c-9 ",
                json!({"conversationId": "c-9 ", "sessionId": "s-c-9", "channel": "older"}),
            ),
        ] {
            copy(&database, "c-0", to, &said, before).await;
        }
        let newer = json!({"conversationId": "c-8 ", "sessionId": "s-c-8", "channel": "newer"});
        copy(&database, "c-0", "c-8 ", &newer, "2027-01-10T13:00:00Z").await;
        let oldest = json!({"conversationId": "\tc-1", "channel": "oldest"});
        copy(&database, "c-0", "\\tc-1", &oldest, "2026-01-10T12:30:00Z").await;

        let replayed = replay(&setup, &database, rule).await;
        assert_eq!((replayed.outcome, replayed.rejected), (Outcome::Succeeded, 0));
        let moved =
            "1 moved moved, c-0 new new, c-1 moved moved, c-8 newer newer, c-9 new new, s-2 moved moved";
        assert_eq!(rows(&database).await, moved);
        let as_old = "select count(*) from smartassist.sessions s join smartassist.raw_interactions r using (interaction_key) \
                      where coalesce(s.conversation_id, s.session_id) in ('1', 'c-1', 's-2') and s.first_seen_at = '2026-01-10T12:00Z' and r.fetched_at = '2026-01-10T13:00Z'";
        assert_eq!(database.number(as_old).await, 3);
        assert_eq!(database.number(MARKED).await == 0, rule == Rule::Drop);

        let versions = database.row_versions().await;
        let again = replay(&setup, &database, rule).await;
        assert_eq!((again.outcome, again.updated), (Outcome::Succeeded, 0));
        assert_eq!(database.row_versions().await, versions);
    }
}

#[tokio::test]
async fn privacy_rules_reach_raw_records_that_cannot_be_rebuilt() {
    let (setup, database) = loaded(&["c-1", "c-2", "c-3"]).await;
    let many = json!({"novel": vec![0; 20_001]});
    for statement in [
        "update smartassist.raw_interactions set payload = payload - 'sessionId' - 'conversationId' \
         where payload ->> 'conversationId' = 'c-1'"
            .to_owned(),
        format!(
            "update smartassist.raw_interactions set payload = payload || '{many}' where payload ->> 'conversationId' = 'c-2'"
        ),
    ] {
        database.execute(&statement).await;
    }
    let replayed = replay(&setup, &database, Rule::Drop).await;
    assert_eq!(
        (replayed.outcome, replayed.rejected, replayed.updated),
        (Outcome::Failed, 2, 1)
    );
    let marked = "select count(*) from smartassist.raw_interactions r where r::text ~ 'Zelda|15550100000'";
    assert_eq!(database.number(marked).await, 0);
    let kept = "select count(*) from smartassist.raw_interactions where payload ->> 'channel' = 'new'";
    assert_eq!(database.number(kept).await, 3);
    let versions = database.row_versions().await;
    replay(&setup, &database, Rule::Drop).await;
    assert_eq!(database.row_versions().await, versions);
}
