//! Records that are hard to hold.

use serde_json::{Value, json};
use smartassist_etl::ledger::runs::Outcome;

use crate::support::{Setup, TestDatabase, instant};

#[tokio::test]
async fn a_deep_or_long_record_is_kept_and_a_huge_one_rejected() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(20).await;
    setup.set("max_response_mebibytes", "32");
    let record = |id: &str, field: &str, value: Value| json!({"sessionId": id, "sessionStartTime": "2026-01-10T10:00:00", field: value});
    let deep = (0..100).fold(json!("the bottom"), |inner, _| json!([inner]));
    let start = instant("2026-01-10T10:00:00Z");
    {
        let mut world = setup.simulator.world();
        world.insert_raw(start, &record("deep", "novel", deep));
        world.insert_raw(
            start,
            &record("long", "reason", Value::from("x".repeat(250 << 10))),
        );
        world.insert_raw(start, &record("huge", "reason", Value::from("x".repeat(2 << 20))));
        world.insert_raw(start, &record("many", "novel", json!(vec![0; 20_000])));
        world.insert_raw(start, &record("plain", "reason", json!("fine")));
    }
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await[0], 23);
    let bottom = "select count(*) from smartassist.sessions where session_id = 'deep' and extra::text like '%the bottom%'";
    assert_eq!(database.number(bottom).await, 1);
    let long = "select length(reason)::bigint from smartassist.sessions where session_id = 'long'";
    assert_eq!(database.number(long).await, 250 << 10);
    let rejected = "select string_agg(concat_ws(' ', payload::jsonb ->> 'sessionId', reason, record_bytes, payload), '; ' order by payload) \
                 from smartassist_sync.rejected_records";
    let ids = |id: &str| format!(r#"{{"conversationId":null,"sessionId":"{id}"}}"#);
    let huge = format!("huge larger than 262144 bytes 2097225 {}", ids("huge"));
    let many = format!("many more than 10000 values 40071 {}", ids("many"));
    assert_eq!(database.text(rejected).await, format!("{huge}; {many}"));
}
