//! Other transactions are in the way of the ledger itself, and sessions are not our own.

use smartassist_etl::ledger::LoadError;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Fault, FaultKind};
use sqlx::AssertSqlSafe;

use super::postgres::start;
use super::watch;

#[tokio::test]
async fn ledger_writes_that_conflict_are_retried_at_once() {
    let (database, mut setup) = start().await;
    // Opening and closing a run, a window that failed, and what was learned of the API.
    for (place, when) in [
        ("runs", "insert"),
        ("runs", "update of status"),
        ("windows", "insert"),
        ("accounts", "update of api_traits"),
    ] {
        let name = format!("harm_{place}_{}", &when[..6]);
        database
            .execute(&format!(
                "create sequence public.{name}; \
                 create function public.{name}() returns trigger language plpgsql as $$ begin \
                 if nextval('public.{name}') = 1 then raise exception 'conflict' using errcode = '40001'; end if; \
                 return new; end $$; \
                 create trigger {name} before {when} on smartassist_sync.{place} for each row \
                 execute function public.{name}();"
            ))
            .await;
    }
    setup.set("max_retries", "0");
    setup
        .simulator
        .world()
        .inject(Fault::next(FaultKind::status(500)));
    // One window fails; the next run makes it good.
    let failed = setup.sync(&database).await;
    assert_eq!(failed.outcome, Outcome::Failed);
    let status = "select status from smartassist_sync.runs";
    assert_eq!(database.text(status).await, "failed", "its run is closed");
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    for met in [
        "harm_runs_insert",
        "harm_runs_update",
        "harm_windows_insert",
        "harm_accounts_update",
    ] {
        let times = database
            .number(&format!("select last_value from public.{met}"))
            .await;
        assert!(times > 1, "{met} was met {times} times");
    }
    watch::check(&database).await;
}

#[tokio::test]
async fn prepared_statement_errors_are_reported_as_a_pooler() {
    let (database, _) = start().await;
    for state in ["26000", "42P05"] {
        let raise = format!("do $$ begin raise exception 'statement' using errcode = '{state}'; end $$");
        let failed = sqlx::query(AssertSqlSafe(raise)).execute(&database.pool).await;
        let error = LoadError::from(failed.unwrap_err());
        assert_eq!(error.kind(), "transaction_pooler");
        assert!(
            error.remedy().contains("database.statement_cache = 0"),
            "{}",
            error.remedy()
        );
    }
}
