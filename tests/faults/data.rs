//! Records that are hard to hold.

use serde_json::{Value, json};
use smartassist_etl::load::runs::Outcome;

use crate::support::{Setup, TestDatabase, instant};

#[tokio::test]
async fn deep_and_long_records_are_kept_as_far_as_postgresql_holds_them() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(20).await;
    let record = |id: &str, field: &str, value: Value| json!({"sessionId": id, "sessionStartTime": "2026-01-10T10:00:00", field: value});
    let deep = (0..100).fold(json!("the bottom"), |inner, _| json!([inner]));
    let start = instant("2026-01-10T10:00:00Z");
    {
        let mut world = setup.simulator.world();
        world.insert_raw(start, &record("deep", "novel", deep));
        world.insert_raw(
            start,
            &record("long", "reason", Value::from("x".repeat(10 << 20))),
        );
        world.insert_raw(start, &record("plain", "reason", json!("fine")));
    }
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await[0], 23);
    let bottom = "select count(*) from smartassist.sessions where session_id = 'deep' and extra::text like '%the bottom%'";
    assert_eq!(database.number(bottom).await, 1);
    let long = "select length(reason)::bigint from smartassist.sessions where session_id = 'long'";
    assert_eq!(database.number(long).await, 10 << 20);
}
