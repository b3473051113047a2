use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::postgres::Pool;

use super::interactions::delete_interactions;
use crate::ledger::{LoadError, conflict};

const BATCH: i64 = 1_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    pub interactions: u64,
    pub rejected_records: u64,
}

/// The earlier of both clocks, since deletion is final.
pub async fn cautious_now(pool: &Pool, now: DateTime<Utc>) -> Result<DateTime<Utc>, LoadError> {
    Ok(sqlx::query_scalar("select least($1, clock_timestamp())")
        .bind(now)
        .fetch_one(pool)
        .await?)
}

/// Deletes and uncovers a batch; call until zero.
pub async fn delete_some(
    pool: &Pool,
    account_id: &str,
    kept_from: DateTime<Utc>,
) -> Result<Deleted, LoadError> {
    pool.transact(async |transaction| {
        conflict::take_turn(transaction, account_id).await?;
        // Read again if more is kept later.
        sqlx::query(include_str!("uncover_old.sql"))
            .bind(account_id)
            .bind(kept_from)
            .execute(&mut *transaction)
            .await?;
        let keys: Vec<Uuid> = sqlx::query_scalar(
            "select interaction_key from smartassist.sessions \
             where account_id = $1 and session_started_at < $2 order by session_started_at limit $3",
        )
        .bind(account_id)
        .bind(kept_from)
        .bind(BATCH)
        .fetch_all(&mut *transaction)
        .await?;
        delete_interactions(transaction, account_id, &keys).await?;
        let rejected = sqlx::query(
            "delete from smartassist_sync.rejected_records where id in (select id \
         from smartassist_sync.rejected_records where account_id = $1 and upper(range) <= $2 limit $3)",
        )
        .bind(account_id)
        .bind(kept_from)
        .bind(BATCH)
        .execute(&mut *transaction)
        .await?;
        Ok(Deleted {
            interactions: keys.len() as u64,
            rejected_records: rejected.rows_affected(),
        })
    })
    .await
}
