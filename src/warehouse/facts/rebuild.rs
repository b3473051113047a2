use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::transform::facts::{AgentOffer, QueueVisit};
use crate::transform::{Rows, TableRow};

use super::TABLES;
use crate::ledger::{LoadError, conflict};

const BATCH: i64 = 1_000;

pub(super) async fn rows(
    connection: &mut PgConnection,
    keys: &[Uuid],
) -> Result<Vec<(Uuid, Rows)>, LoadError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let stored: Vec<(Uuid, Json<Rows>)> = sqlx::query_as(include_str!("read_rows.sql"))
        .bind(keys)
        .fetch_all(connection)
        .await?;
    Ok(stored.into_iter().map(|(key, Json(rows))| (key, rows)).collect())
}

/// Zero: all are done.
pub async fn rebuild_some(pool: &Pool, account_id: &str) -> Result<u64, LoadError> {
    pool.transact(async |transaction| {
        conflict::lock_for_rows(transaction, account_id).await?;
        let begin: Option<(Option<DateTime<Utc>>, Option<Uuid>)> = sqlx::query_as(
            "select rebuild_from, rebuild_after from smartassist.reporting where account_id = $1 for no key update",
        )
        .bind(account_id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((Some(from), after)) = begin else {
            return Ok(0);
        };
        // In order of time, so that facts of a period are stored together.
        let next: Vec<(Uuid, DateTime<Utc>)> = sqlx::query_as(
            "select interaction_key, session_started_at from smartassist.sessions \
             where account_id = $1 and session_started_at >= $2 and (session_started_at, interaction_key) > ($2, $3) \
             order by session_started_at, interaction_key limit $4",
        )
        .bind(account_id)
        .bind(from)
        .bind(after.unwrap_or_default())
        .bind(BATCH)
        .fetch_all(&mut *transaction)
        .await?;
        let keys: Vec<Uuid> = next.iter().map(|(key, _)| *key).collect();
        super::rewrite(transaction, account_id, &keys).await?;
        sqlx::query("update smartassist.reporting set rebuild_from = $2, rebuild_after = $3 where account_id = $1")
            .bind(account_id)
            .bind(next.last().map(|(_, start)| *start))
            .bind(keys.last())
            .execute(&mut *transaction)
            .await?;
        Ok(keys.len() as u64)
    })
    .await
}

/// Old ones, and those that privacy rules renamed.
pub async fn forget_unnamed(pool: &Pool, account_id: &str) -> Result<(), LoadError> {
    let named = [
        ("smartassist.queues", QueueVisit::NAME, "queue_key"),
        ("smartassist.agents", AgentOffer::NAME, "agent_key"),
    ];
    pool.transact_without_timeout(async |transaction| {
        conflict::lock_for_writing(transaction, account_id).await?;
        for (table, facts, key) in named {
            // A distributed database deletes from small tables by values alone.
            let named = format!("select distinct {key} from {facts} where account_id = $1");
            let named: Vec<String> = sqlx::query_scalar(AssertSqlSafe(named))
                .bind(account_id)
                .fetch_all(&mut *transaction)
                .await?;
            let delete = format!("delete from {table} where account_id = $1 and {key} <> all($2)");
            sqlx::query(AssertSqlSafe(delete))
                .bind(account_id)
                .bind(named)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(())
    })
    .await
}

pub async fn forget_unseen(pool: &Pool, account_id: &str, kept_from: DateTime<Utc>) -> Result<(), LoadError> {
    pool.transact(async |transaction| {
        conflict::lock_for_writing(transaction, account_id).await?;
        for table in ["smartassist.queues", "smartassist.agents"] {
            let delete = format!("delete from {table} where account_id = $1 and last_seen_at < $2");
            sqlx::query(AssertSqlSafe(delete))
                .bind(account_id)
                .bind(kept_from)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(())
    })
    .await
}

/// Of interactions that were deleted by hand.
pub async fn forget_orphans(pool: &Pool, account_id: &str) -> Result<(), LoadError> {
    pool.transact_without_timeout(async |transaction| {
        conflict::lock_for_writing(transaction, account_id).await?;
        for table in TABLES {
            let delete = format!(
                "delete from {table} as own where own.account_id = $1 and not exists \
                 (select from smartassist.sessions as session \
                 where session.account_id = $1 and session.interaction_key = own.interaction_key)"
            );
            sqlx::query(AssertSqlSafe(delete))
                .bind(account_id)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(())
    })
    .await
}
