//! Who may keep us from migrating, and for how long.

use std::time::Duration;

use smartassist_etl::config::SessionConfig;
use smartassist_etl::postgres::{MigrationError, Pool, migrate};
use sqlx::{Connection, PgConnection};

use super::postgres::session;
use crate::support::TestDatabase;

const SECOND: Duration = Duration::from_secs(1);

/// A pool that waits six seconds for others who migrate.
fn impatient(database: &TestDatabase) -> Pool {
    let quick = SessionConfig {
        lock_timeout: SECOND,
        ..session()
    };
    Pool::new((*database.pool.options()).clone(), &quick)
}

async fn holding(database: &TestDatabase, statement: &'static str) -> PgConnection {
    let mut other = PgConnection::connect_with(&database.pool.options())
        .await
        .unwrap();
    sqlx::raw_sql("begin").execute(&mut other).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut other).await.unwrap();
    other
}

#[tokio::test]
async fn whoever_migrates_is_waited_for_but_not_for_ever() {
    let database = TestDatabase::migrated().await;
    let pool = impatient(&database);
    // As another process does while it migrates.
    let writes = "insert into smartassist_sync.schema_migrations \
                  (version, description, success, checksum, execution_time) values (0, 'mine', true, '', 0)";
    let mut other = holding(&database, writes).await;
    let error = migrate(&pool).await.unwrap_err();
    assert!(
        matches!(error, MigrationError::Locked(_)) && error.is_passing(),
        "{error}"
    );
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    migrate(&pool).await.unwrap();
}

#[tokio::test]
async fn at_the_first_start_another_process_is_waited_for_too() {
    for its_first in [
        "create schema smartassist_sync",
        "create schema smartassist_sync; create table smartassist_sync.schema_migrations ()",
    ] {
        let database = TestDatabase::empty().await;
        let pool = impatient(&database);
        let mut other = holding(&database, its_first).await;
        let error = migrate(&pool).await.unwrap_err();
        assert!(
            matches!(error, MigrationError::Locked(_)) && error.is_passing(),
            "{error}"
        );
        let ended = async {
            database.until_a_lock_is_waited_for().await;
            sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
        };
        let (migrated, ()) = tokio::join!(migrate(&pool), ended);
        migrated.unwrap();
    }
}

#[tokio::test]
async fn a_schema_that_another_process_made_meanwhile_is_taken() {
    let database = TestDatabase::empty().await;
    let pool = impatient(&database);
    let mut other = holding(&database, "create schema smartassist_sync").await;
    let ended = async {
        database.until_a_lock_is_waited_for().await;
        sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    };
    let (migrated, ()) = tokio::join!(migrate(&pool), ended);
    migrated.unwrap();
}

#[tokio::test]
async fn only_a_missing_right_asks_for_an_administrator() {
    let database = TestDatabase::empty().await;
    let user = format!("outsider_{}", database.name);
    let role = format!("create role {user} login password 'x'");
    database.execute(&role).await;
    let options = (*database.pool.options()).clone().username(&user).password("x");
    let error = migrate(&Pool::new(options, &session())).await.unwrap_err();
    assert!(
        matches!(error, MigrationError::Schema(_)) && !error.is_passing(),
        "{error}"
    );
}

#[tokio::test]
async fn a_login_without_rights_cannot_hold_up_a_migration() {
    let database = TestDatabase::migrated().await;
    let pool = impatient(&database);
    let user = format!("idler_{}", database.name);
    database
        .execute(&format!(
            "create role {user} login password 'x'; grant smartassist_reader to {user}"
        ))
        .await;
    let options = (*database.pool.options()).clone().username(&user).password("x");
    let mut idler = PgConnection::connect_with(&options).await.unwrap();
    let advisory = "begin; select pg_advisory_lock(hashtext('smartassist_sync'))";
    sqlx::raw_sql(advisory).execute(&mut idler).await.unwrap();
    migrate(&pool).await.unwrap();
    let refused = sqlx::raw_sql("lock table smartassist_sync.schema_migrations in access share mode")
        .execute(&mut idler)
        .await;
    assert!(refused.is_err(), "it has no right to the list");
}
