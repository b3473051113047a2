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
