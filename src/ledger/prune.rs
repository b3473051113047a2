//! Deletes old entries; what their windows drained is kept as one multirange.

use chrono::{DateTime, TimeDelta, Utc};

use crate::postgres::Pool;

use super::{LoadError, turn};

pub const KEPT: TimeDelta = TimeDelta::days(90);

/// Older windows are folded, so that each run has less to add up.
const FOLDED: TimeDelta = TimeDelta::days(1);

/// Keeps statements short.
const BATCH: i64 = 1_000;

/// One batch; call until zero. Keeps open gaps, and the newest run and request of each kind.
pub async fn prune_some(pool: &Pool, account_id: &str) -> Result<u64, LoadError> {
    pool.transact(async |transaction| {
        turn::take(transaction, account_id).await?;
        let now: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&mut *transaction)
            .await?;
        sqlx::query(include_str!("fold.sql"))
            .bind(account_id)
            .bind(now - FOLDED)
            .execute(&mut *transaction)
            .await?;
        // Runs can go once their windows have.
        for statement in [
            include_str!("prune_windows.sql"),
            include_str!("prune_runs.sql"),
            include_str!("prune_requests.sql"),
        ] {
            let deleted = sqlx::query(statement)
                .bind(account_id)
                .bind(BATCH)
                .bind(now - KEPT)
                .execute(&mut *transaction)
                .await?;
            if deleted.rows_affected() > 0 {
                return Ok(deleted.rows_affected());
            }
        }
        Ok(0)
    })
    .await
}
