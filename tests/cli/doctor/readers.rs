//! Roles for readers that were there before ours.

use super::Diagnosis;
use crate::support::own_server::OwnServer;
use crate::support::{Program, Setup};

#[tokio::test]
async fn a_reader_role_that_was_there_with_members_is_said() {
    let server = OwnServer::start().await;
    let setup = Setup::live().await;
    let mut environment = setup.environment();
    environment.insert("DATABASE_URL".to_owned(), server.url());
    let database = server.database();
    database
        .execute("create role smartassist_bi_reader; create role somebody in role smartassist_bi_reader")
        .await;
    assert_eq!(Program::run(&["migrate"], &environment).await.code(), 0);
    let diagnosis = Diagnosis::of(&environment).await;
    diagnosis.assert(
        "database readers",
        "warning",
        "smartassist_bi_reader was there before",
    );
    diagnosis.assert("database readers", "warning", "somebody");
    database
        .execute("comment on role smartassist_bi_reader is 'meant'")
        .await;
    let diagnosis = Diagnosis::of(&environment).await;
    assert!(
        !diagnosis.report.to_string().contains("database readers"),
        "{:#}",
        diagnosis.report
    );
}

#[tokio::test]
async fn a_reader_role_that_is_missing_or_may_not_read_is_said() {
    let server = OwnServer::start().await;
    let setup = Setup::live().await;
    let mut environment = setup.environment();
    environment.insert("DATABASE_URL".to_owned(), server.url());
    let database = server.database();
    assert_eq!(Program::run(&["migrate"], &environment).await.code(), 0);
    database
        .execute("drop owned by smartassist_bi_reader; drop role smartassist_bi_reader; revoke select on smartassist.sessions from smartassist_reader")
        .await;
    let diagnosis = Diagnosis::of(&environment).await;
    let missing = "the role smartassist_bi_reader is missing or may not read";
    diagnosis.assert("database readers", "warning", missing);
    let statements = diagnosis.report.to_string();
    assert!(
        statements.contains("the role smartassist_reader is missing"),
        "{statements}"
    );
    for (_, statement) in statements
        .match_indices("in this database: ")
        .map(|(at, found)| statements[at..].split_at(found.len()))
    {
        let statement = statement.split('"').next().unwrap();
        database.execute(statement).await;
    }
    let diagnosis = Diagnosis::of(&environment).await;
    let report = diagnosis.report.to_string();
    assert!(!report.contains("may not read"), "{report}");
}
