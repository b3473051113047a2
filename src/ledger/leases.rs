//! One worker per account: each write proves the fencing token.

use std::time::Duration;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgExecutor, Postgres, Row as _};

use crate::postgres::Pool;

use super::LoadError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub account_id: String,
    pub holder: String,
    pub token: i64,
}

#[derive(Debug)]
pub struct Taken {
    pub lease: Lease,
    /// Requests of the last holder, and the time since.
    pub spent: Vec<(usize, Duration)>,
}

/// Takes a lease that is free, expired or our own.
pub async fn acquire(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    holder: &str,
    lasts: Duration,
) -> Result<Option<Taken>, LoadError> {
    let taken: Option<(i64, Option<Vec<i32>>, Option<f64>)> = sqlx::query_as(include_str!("take_lease.sql"))
        .bind(account_id)
        .bind(holder)
        .bind(lasts.as_secs_f64())
        .fetch_optional(executor)
        .await?;
    Ok(taken.map(|(token, spent, ago)| Taken {
        lease: Lease {
            account_id: account_id.to_owned(),
            holder: holder.to_owned(),
            token,
        },
        spent: by_age(spent.unwrap_or_default(), ago.unwrap_or(0.0)),
    }))
}

pub async fn spent(pool: &Pool, account_id: &str) -> Result<Vec<(usize, Duration)>, LoadError> {
    let spent: Option<(Vec<i32>, Option<f64>)> = sqlx::query_as(
        "select spent, extract(epoch from clock_timestamp() - spent_at)::float8 from smartassist_sync.leases \
         where account_id = $1",
    )
    .bind(account_id)
    .fetch_optional(pool)
    .await?;
    let (spent, ago) = spent.unwrap_or_default();
    Ok(by_age(spent, ago.unwrap_or(0.0)))
}

/// By minute, as if all were made at its end.
fn by_age(spent: Vec<i32>, ago: f64) -> Vec<(usize, Duration)> {
    let ago = Duration::try_from_secs_f64(ago).unwrap_or_default();
    let of_minute = |(minutes, requests): (u64, i32)| {
        let age = ago + Duration::from_secs(60 * minutes);
        (usize::try_from(requests).unwrap_or(0), age)
    };
    (0..)
        .zip(spent)
        .map(of_minute)
        .filter(|(requests, _)| *requests > 0)
        .collect()
}

/// Asks a command that holds the lease to hand it over; daemons do not.
pub async fn ask_for(executor: impl PgExecutor<'_>, account_id: &str) -> Result<(), LoadError> {
    sqlx::query(
        "update smartassist_sync.leases set awaited_at = clock_timestamp() \
         where account_id = $1 and awaited_at is null",
    )
    .bind(account_id)
    .execute(executor)
    .await?;
    Ok(())
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

    /// Extends the lease and notes what was spent; `true`: a daemon asks for it.
    ///
    /// # Errors
    /// [`LoadError::LeaseLost`].
    pub async fn renew(&self, pool: &Pool, lasts: Duration, spent: &[i32]) -> Result<bool, LoadError> {
        let renewed = self
            .query(
                "update smartassist_sync.leases set expires_at = clock_timestamp() + make_interval(secs => $4), \
                 spent = $5, spent_at = clock_timestamp() \
                 where account_id = $1 and holder = $2 and token = $3 \
                 returning awaited_at is not null",
            )
            .bind(lasts.as_secs_f64())
            .bind(spent)
            .fetch_optional(pool)
            .await?;
        Ok(renewed.ok_or(LoadError::LeaseLost)?.try_get(0)?)
    }

    pub(crate) async fn prove(&self, executor: impl PgExecutor<'_>) -> Result<(), LoadError> {
        let holds = self
            .query(include_str!("fence.sql"))
            .fetch_optional(executor)
            .await?;
        holds.map(|_| ()).ok_or(LoadError::LeaseLost)
    }

    pub async fn release(&self, pool: &Pool, spent: &[i32]) -> Result<(), LoadError> {
        self.query(
            "update smartassist_sync.leases set expires_at = clock_timestamp(), spent = $4, spent_at = clock_timestamp() \
             where account_id = $1 and holder = $2 and token = $3",
        )
        .bind(spent)
        .execute(pool)
        .await?;
        Ok(())
    }
}
