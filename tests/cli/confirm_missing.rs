//! `confirm-missing`, and how an operator is led to it.

use chrono::TimeDelta;
use serde_json::{Value, json};
use smartassist_simulator::Behaviour;

use crate::support::{Program, Setup, TestDatabase, wait};

#[tokio::test]
async fn bulk_absences_are_reported_and_marked_once_confirmed() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(30, TimeDelta::hours(1));
    let mut environment = setup.environment_on(&database).await;
    let tiers = r#"[{"every":"* * * * * *","lookback":"2h"}]"#;
    environment.insert("SMARTASSIST_ETL__SYNC__REFRESH".to_owned(), tiers.to_owned());
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    setup.simulator.world().set_behaviour(Behaviour {
        empty_answers: true,
        ..Behaviour::default()
    });
    // The tier is due once a second: of two that end in the same one, the second reads nothing.
    let withheld = "select count(*) from smartassist_sync.absences where withheld_since is not null";
    wait::until("what is missing to be withheld", async || {
        let ended = Program::run(&["sync"], &environment).await;
        assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
        let withheld = database.number(withheld).await;
        if withheld == 30 { Ok(()) } else { Err(withheld) }
    })
    .await;
    let missing = "select count(*) from smartassist.sessions where missing_since is not null";
    assert_eq!(database.number(missing).await, 0);
    let status = Program::run(&["status", "--json"], &environment).await.stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    let problem = &status["accounts"][0]["problems"][0];
    assert_eq!(status["accounts"][0]["standing"], "trouble", "{status:#}");
    let (what, remedy) = (
        problem["text"].as_str().unwrap(),
        problem["remedy"].as_str().unwrap(),
    );
    assert!(what.contains("30 interactions, not returned since"), "{what}");
    assert!(remedy.contains("confirm-missing --account NAME"), "{remedy}");

    let dry = Program::run(
        &["confirm-missing", "--account", "main", "--dry-run"],
        &environment,
    )
    .await;
    assert_eq!(dry.stdout, "main: 30 interactions would be marked as missing\n");
    assert_eq!(database.number(missing).await, 0);
    let confirmed = Program::run(&["confirm-missing", "--account", "main", "--json"], &environment).await;
    assert_eq!(confirmed.code(), 0, "{}", confirmed.log.join("\n"));
    let told: Value = serde_json::from_str(&confirmed.stdout).unwrap();
    let done = json!({"account": "main", "interactions": 30, "dry_run": false});
    assert_eq!(told["accounts"], json!([done]));
    assert_eq!(database.number(missing).await, 30);
    let status = Program::run(&["status", "--json"], &environment).await.stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["accounts"][0]["problems"], Value::Array(Vec::new()));
    let unknown = Program::run(&["confirm-missing", "--account", "other"], &environment).await;
    assert_eq!(unknown.code(), 2);
}
