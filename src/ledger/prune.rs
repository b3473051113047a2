//! Deletes what the ledger need not hold for ever; what windows have drained is kept as one multirange.

use chrono::TimeDelta;
use sqlx::PgExecutor;

use crate::postgres::Pool;

use super::{LoadError, turn};

/// Windows, runs and requests are kept so long.
pub const KEPT: TimeDelta = TimeDelta::days(90);

const BATCH: i64 = 5_000;

/// Deletes a batch of an account; call until zero. Open gaps stay, and the newest run and request of each kind.
pub async fn prune_some(pool: &Pool, account_id: &str) -> Result<u64, LoadError> {
    pool.transact(async |transaction| {
        turn::take(transaction, account_id).await?;
        let cutoff = "select clock_timestamp() - make_interval(secs => $1)";
        let cutoff: chrono::DateTime<chrono::Utc> = sqlx::query_scalar(cutoff)
            .bind(KEPT.as_seconds_f64())
            .fetch_one(&mut *transaction)
            .await?;
        sqlx::query(include_str!("fold.sql"))
            .bind(account_id)
            .bind(cutoff)
            .execute(&mut *transaction)
            .await?;
        let windows = delete(
            &mut *transaction,
            include_str!("prune_windows.sql"),
            account_id,
            None,
        )
        .await?;
        if windows > 0 {
            return Ok(windows);
        }
        let runs = delete(
            &mut *transaction,
            include_str!("prune_runs.sql"),
            account_id,
            Some(cutoff),
        )
        .await?;
        let requests = include_str!("prune_requests.sql");
        Ok(runs + delete(&mut *transaction, requests, account_id, Some(cutoff)).await?)
    })
    .await
}

async fn delete(
    executor: impl PgExecutor<'_>,
    statement: &'static str,
    account_id: &str,
    cutoff: Option<chrono::DateTime<chrono::Utc>>,
) -> Result<u64, LoadError> {
    let mut query = sqlx::query(statement).bind(account_id).bind(BATCH);
    if let Some(cutoff) = cutoff {
        query = query.bind(cutoff);
    }
    Ok(query.execute(executor).await?.rows_affected())
}
