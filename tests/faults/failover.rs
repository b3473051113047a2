//! A standby takes over from the primary.

use smartassist_etl::ledger::problems::Failure;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::postgres::Pool;
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use super::postgres::{all_is_well, run, session, start};
use super::watch;
use crate::support::{Job, Runs, Setup, TestDatabase};

#[tokio::test]
async fn after_a_failover_connections_to_the_old_primary_are_given_up() {
    let (database, setup) = start().await;
    let worker = setup.worker(&database.pool);
    let set = |value: &str| {
        format!(
            "alter database {} set default_transaction_read_only = {value}",
            database.name
        )
    };
    let mut admin = sqlx::PgConnection::connect_with(&database.pool.options())
        .await
        .unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(set("on")))
        .execute(&mut admin)
        .await
        .unwrap();
    let read_only = Pool::new((*database.pool.options()).clone(), &session());
    let refused = run(&setup.worker(&read_only)).await;
    assert_eq!(
        (refused.outcome, refused.failure()),
        (Outcome::Failed, Some(Failure::Other))
    );
    assert_eq!(database.counts().await, [0; 7]);
    sqlx::raw_sql(sqlx::AssertSqlSafe(set("off")))
        .execute(&mut admin)
        .await
        .unwrap();
    // The sessions that were made meanwhile stay read-only as long as they live.
    assert_eq!(run(&setup.worker(&read_only)).await.outcome, Outcome::Succeeded);
    assert_eq!(run(&worker).await.outcome, Outcome::Succeeded);
    all_is_well(&database, &setup).await;
}

#[tokio::test]
async fn a_failover_loses_rows_and_their_coverage_together() {
    let setup = Setup::with_interactions(300).await;
    let primary = TestDatabase::migrated().await;
    let stop = CancellationToken::new();
    let told = stop.clone();
    setup.simulator.world().limits.max_days = 1;
    setup.simulator.world().before_request(9, move |_| told.cancel());
    setup.worker(&primary.pool).run(&Job::Poll, &stop).await;
    let standby = primary.copied().await;
    let loaded = standby.counts().await[0];
    assert!((1..300).contains(&loaded), "{loaded}");
    assert_eq!(setup.sync(&primary).await.outcome, Outcome::Succeeded);
    // The primary is gone, with all that it had stored since.
    assert_eq!(setup.sync(&standby).await.outcome, Outcome::Succeeded);
    assert_eq!(standby.digest(&[]).await, primary.digest(&[]).await);
    watch::same_as_a_fresh_load(&setup, &standby).await;
}
