//! One worker per account: each write proves the fencing token.

use std::time::Duration;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgExecutor, Postgres, Row};

use crate::postgres::Pool;

use super::LoadError;

/// Taken lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Account.
    pub account_id: String,
    /// Holder.
    pub holder: String,
    /// Fencing token.
    pub token: i64,
}

/// Takes a free or own lease.
///
/// # Errors
/// Database failure.
pub async fn acquire(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    holder: &str,
    lasts: Duration,
) -> Result<Option<Lease>, LoadError> {
    let token: Option<i64> = sqlx::query_scalar(
        "insert into smartassist_sync.leases as lease (account_id, holder, token, expires_at, acquired_at) \
         values ($1, $2, 1, clock_timestamp() + make_interval(secs => $3), clock_timestamp()) \
         on conflict (account_id, stream) do update set holder = excluded.holder, token = lease.token + 1, \
         expires_at = excluded.expires_at, acquired_at = excluded.acquired_at, awaited_at = null \
         where lease.expires_at <= clock_timestamp() or lease.holder = excluded.holder \
         returning token",
    )
    .bind(account_id)
    .bind(holder)
    .bind(lasts.as_secs_f64())
    .fetch_optional(executor)
    .await?;
    Ok(token.map(|token| Lease {
        account_id: account_id.to_owned(),
        holder: holder.to_owned(),
        token,
    }))
}

/// Asks a backfill or verify to yield; `false`: none runs.
///
/// # Errors
/// Database failure.
pub async fn ask_for(executor: impl PgExecutor<'_>, account_id: &str) -> Result<bool, LoadError> {
    let asked = sqlx::query(
        "update smartassist_sync.leases as lease set awaited_at = clock_timestamp() where account_id = $1 \
         and exists (select from smartassist_sync.runs as run where run.account_id = lease.account_id \
         and run.token = lease.token and run.holder = lease.holder and run.status = 'running' and run.kind in ('backfill', 'verify'))",
    )
    .bind(account_id)
    .execute(executor)
    .await?;
    Ok(asked.rows_affected() == 1)
}

macro_rules! fenced {
    ($statement:expr) => {
        concat!("with fence as (", include_str!("fence.sql"), ") ", $statement)
    };
}
pub(crate) use fenced;

impl Lease {
    pub(crate) fn query(&self, statement: &'static str) -> Query<'_, Postgres, PgArguments> {
        sqlx::query(AssertSqlSafe(statement))
            .bind(&self.account_id)
            .bind(&self.holder)
            .bind(self.token)
    }

    /// Another worker waits.
    ///
    /// # Errors
    /// [`LoadError::LeaseLost`] or database failure.
    pub async fn is_awaited(&self, pool: &Pool) -> Result<bool, LoadError> {
        let row = self
            .query(
                "select coalesce(awaited_at > acquired_at, false) from smartassist_sync.leases \
                 where account_id = $1 and holder = $2 and token = $3",
            )
            .fetch_optional(pool)
            .await?;
        Ok(row.ok_or(LoadError::LeaseLost)?.try_get(0)?)
    }

    /// Extends the lease.
    ///
    /// # Errors
    /// [`LoadError::LeaseLost`] or database failure.
    pub async fn renew(&self, pool: &Pool, lasts: Duration) -> Result<(), LoadError> {
        let renewed = self
            .query(
                "update smartassist_sync.leases set expires_at = clock_timestamp() + make_interval(secs => $4) \
                 where account_id = $1 and holder = $2 and token = $3",
            )
            .bind(lasts.as_secs_f64())
            .execute(pool)
            .await?;
        if renewed.rows_affected() == 1 {
            Ok(())
        } else {
            Err(LoadError::LeaseLost)
        }
    }

    pub(crate) async fn prove(&self, executor: impl PgExecutor<'_>) -> Result<(), LoadError> {
        let holds = self
            .query(include_str!("fence.sql"))
            .fetch_optional(executor)
            .await?;
        holds.map(|_| ()).ok_or(LoadError::LeaseLost)
    }

    /// Ends the lease.
    ///
    /// # Errors
    /// Database failure.
    pub async fn release(&self, pool: &Pool) -> Result<(), LoadError> {
        self.query(
            "update smartassist_sync.leases set expires_at = clock_timestamp() \
             where account_id = $1 and holder = $2 and token = $3",
        )
        .execute(pool)
        .await?;
        Ok(())
    }
}
