//! Sums and spans of the views: never smaller than the truth, never negative.

use serde_json::{Value, json};
use smartassist_etl::ledger::runs::Outcome;

use crate::support::{Setup, TestDatabase, instant};

/// A database with one interaction for each of these lists of destinations, named by their place.
async fn loaded(destinations: &[Value]) -> TestDatabase {
    let setup = Setup::start().await;
    for (place, destinations) in destinations.iter().enumerate() {
        let record = json!({
            "conversationId": format!("c-{place}"), "sessionStartTime": "2026-01-10T10:00:00", "sessionEndTime": "2026-01-10T10:05:00",
            "destinations": destinations,
        });
        setup
            .simulator
            .world()
            .insert_raw(instant("2026-01-10T10:00:00Z"), &record);
    }
    let database = TestDatabase::migrated().await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    database
}

/// A queue whose agent answered, with these durations.
fn answered(durations: &Value) -> Value {
    let mut agent = json!({"agentId": "a", "acceptedTime": "2026-01-10T10:01:00", "interactionEndTime": "2026-01-10T10:01:49"});
    for (name, value) in durations.as_object().unwrap() {
        agent[name] = value.clone();
    }
    json!({"queueId": "q", "EnterTime": "2026-01-10T10:00:10", "respondingAgent": agent})
}

async fn seconds(database: &TestDatabase, view: &str) -> Vec<String> {
    let sql = format!(
        "select string_agg(concat_ws(' ', coalesce(interaction_seconds::text, '-'), coalesce(after_call_work_seconds::text, '-'), \
         coalesce(handle_seconds::text, '-')), ', ' order by (select coalesce(conversation_id, session_id) from smartassist.sessions as s where s.interaction_key = shown.interaction_key)) \
         from smartassist_bi.{view} as shown"
    );
    database.text(&sql).await.split(", ").map(str::to_owned).collect()
}

#[tokio::test]
async fn handle_time_with_an_unreadable_part_is_unknown() {
    let cases = [
        (
            json!({"interactionDuration": 49.4, "afterCallWorkDuration": 4}),
            "49 4 53",
        ),
        (
            json!({"interactionDuration": "00:00:49", "afterCallWorkDuration": 4}),
            "49 4 53",
        ),
        (json!({"interactionDuration": 49}), "49 - 49"),
        (
            json!({"interactionDuration": 49_000, "afterCallWorkDuration": 4}),
            "- 4 -",
        ),
        (
            json!({"interactionDuration": -3, "afterCallWorkDuration": 4}),
            "- 4 -",
        ),
        (
            json!({"interactionDuration": "long", "afterCallWorkDuration": 4}),
            "- 4 -",
        ),
        (
            json!({"interactionDuration": 49, "afterCallWorkDuration": "long"}),
            "49 - -",
        ),
        (json!({"afterCallWorkDuration": 4}), "- 4 -"),
        (json!({}), "- - -"),
    ];
    let destinations: Vec<Value> = cases
        .iter()
        .map(|(durations, _)| json!([answered(durations)]))
        .collect();
    let database = loaded(&destinations).await;
    for view in ["interactions", "agent_offers"] {
        for ((durations, meant), found) in cases.iter().zip(seconds(&database, view).await) {
            assert_eq!(found, *meant, "{view}: {durations}");
        }
    }
}

#[tokio::test]
async fn a_sum_over_agents_is_unknown_where_one_of_them_is() {
    let known = || answered(&json!({"interactionDuration": 49, "afterCallWorkDuration": 4}));
    let offered =
        json!({"queueId": "q", "nonRespondingAgents": [{"agentId": "b", "interactionDuration": "long"}]});
    let database = loaded(&[
        json!([known(), known()]),
        json!([known(), answered(&json!({"afterCallWorkDuration": 4}))]),
        json!([
            known(),
            answered(&json!({"interactionDuration": 49, "afterCallWorkDuration": "long"}))
        ]),
        json!([known(), answered(&json!({"interactionDuration": 49}))]),
        // An agent who did not answer has no part in it.
        json!([known(), offered]),
        json!([{"queueId": "q"}]),
    ])
    .await;
    assert_eq!(
        seconds(&database, "interactions").await,
        ["98 8 106", "- 8 -", "98 - -", "98 4 102", "49 4 53", "- - -"]
    );
}

#[tokio::test]
async fn a_sum_of_hold_is_unknown_where_a_part_cannot_be_read() {
    let hold = |seconds: Value| answered(&json!({"holdDuration": seconds}));
    let database = loaded(&[
        json!([hold(json!(5)), hold(json!(7))]),
        json!([hold(json!(5)), hold(json!("long"))]),
        json!([hold(json!(5)), answered(&json!({}))]),
    ])
    .await;
    let sums = "select string_agg(coalesce(hold_seconds::text, '-'), ' ' order by conversation_id) from smartassist.fact_interactions";
    assert_eq!(database.text(sums).await, "12 - 5");
}

#[tokio::test]
async fn no_span_of_a_view_is_negative() {
    let never = "0001-01-01T00:00:00";
    let backwards = |accepted: &str| {
        json!([{"queueId": "q", "EnterTime": "2026-01-10T10:02:00", "respondingAgent": {
            "agentId": "a", "assignedAt": "2026-01-10T10:02:00", "acceptedTime": accepted, "firstResponseTime": accepted,
        }}])
    };
    let database = loaded(&[
        backwards("2026-01-10T10:01:00"),
        backwards(never),
        backwards("2026-01-10T10:02:07"),
    ])
    .await;
    let spans = "select string_agg(concat_ws(' ', s.conversation_id, coalesce(answer_seconds::text, '-'), \
                 coalesce(pickup_seconds::text, '-'), coalesce(o.accepted_at::text, '-')), ', ' order by s.conversation_id) \
                 from smartassist_bi.agent_offers as o join smartassist_bi.queue_visits using (interaction_key) \
                 join smartassist.sessions as s using (interaction_key)";
    assert_eq!(
        database.text(spans).await,
        "c-0 - - 2026-01-10 10:01:00+00, c-1 - - -, c-2 7 7 2026-01-10 10:02:07+00"
    );
    database
        .execute("update smartassist.sessions set session_ended_at = session_started_at - interval '1 minute' where conversation_id = 'c-0'")
        .await;
    database.rebuild_facts("acct-sim").await;
    let sessions = "select string_agg(concat_ws(' ', coalesce(session_seconds::text, '-'), coalesce(queue_wait_seconds::text, '-')), ', ' \
                    order by conversation_id) from smartassist_bi.interactions";
    assert_eq!(database.text(sessions).await, "- -, 300 -, 300 7");
}
