//! What the documents say is so.

use serde_json::Value;

use crate::support::{Program, Setup, TestDatabase};

const README: &str = include_str!("../../README.md");
const OPERATIONS: &str = include_str!("../../docs/operations.md");

#[tokio::test]
async fn every_query_of_the_readme_runs() {
    let database = TestDatabase::migrated().await;
    Setup::with_interactions(100).await.sync(&database).await;
    let blocks: Vec<&str> = README
        .split("```sql\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 2);
    let queries = blocks
        .iter()
        .map(|block| block.matches(";\n").count() + block.matches(";   --").count());
    assert!(queries.sum::<usize>() >= 6);
    for block in blocks {
        database.execute(block).await;
    }
}

#[tokio::test]
async fn every_event_and_field_of_a_run_is_in_the_list_of_events() {
    let database = TestDatabase::empty().await;
    let setup = Setup::with_interactions(20).await;
    let mut environment = setup.environment();
    environment.insert("DATABASE_URL".to_owned(), database.url().await);
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 0);
    assert!(ended.log.len() > 10);
    for line in &ended.log {
        let event: Value = serde_json::from_str(line).unwrap();
        let message = event["message"].as_str().unwrap();
        let listed = OPERATIONS
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&format!("`{message}`")));
        let listed = listed.unwrap_or_else(|| panic!("docs/operations.md does not list {message:?}"));
        for field in event.as_object().unwrap().keys() {
            let common = ["timestamp", "level", "message", "target", "spans"].contains(&field.as_str());
            assert!(
                common || listed.contains(&format!("`{field}`")),
                "{field} of {message:?} is not listed"
            );
        }
    }
}

#[tokio::test]
async fn the_summary_of_a_run_has_everything_that_its_reader_relies_on() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(20).await;
    let mut environment = setup.environment();
    environment.insert("DATABASE_URL".to_owned(), database.url().await);
    let ended = Program::run(&["sync"], &environment).await;
    let finished = &ended.events("run finished")[0];
    for field in [
        "kind",
        "outcome",
        "windows",
        "pages",
        "requests",
        "records",
        "inserted",
        "updated",
        "unchanged",
        "rejected",
        "watermark_before",
        "watermark_after",
        "seconds",
    ] {
        assert!(!finished[field].is_null(), "{field}");
    }
    assert_eq!(finished["spans"][0]["account"], "main");
}
