//! An API whose stamps without a zone are not what was asked for.

use chrono::TimeDelta;

use crate::support::{Program, Setup, TestDatabase};

use crate::support::daemon::{environment, get};

#[tokio::test]
async fn stamps_that_are_off_by_a_time_zone_are_shouted_about() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(200, TimeDelta::hours(20));
    setup.simulator.world().behaviour.stamp_shift = TimeDelta::minutes(330);
    let (environment, port) = environment(&setup, &database).await;
    let ended = Program::run(&["sync"], &environment).await;
    let events = ended.events("time stamps disagree");
    assert_eq!(events.len(), 1, "{}", ended.log.join("\n"));
    assert_eq!(events[0]["minutes"], -330);
    assert_eq!(events[0]["level"], "ERROR");
    assert_eq!(events[0]["fitting_time_zone_offset"], -330);
    let status = Program::run(&["status", "--json"], &environment).await.stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let what = status["accounts"][0]["problems"][0]["text"].as_str().unwrap();
    assert!(what.contains("time_zone_offset = -330 fits"), "{what}");

    let again = TestDatabase::migrated().await;
    let environment = environment
        .into_iter()
        .chain([("DATABASE_URL".to_owned(), again.url().await)]);
    let mut daemon = Program::start(&["run"], &environment.collect());
    daemon.event("run finished").await;
    let (_, metrics) = get(port, "/metrics").await;
    let line = r#"smartassist_etl_time_zone_disagreement_seconds{account="main"} -19800"#;
    assert!(metrics.contains(line), "{metrics}");
}
