//! What is not covered: gaps, and what is unread.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgExecutor};

use crate::postgres::Pool;
use crate::time::Window;

use super::LoadError;
use super::problems::{Problem, ProblemCode};

/// Used if no standing problem explains the gap.
pub const CODE: &str = "gap";

const REMEDY: &str = "ask the vendor for these seconds' records; where some channels, queues or directions are not wanted, leave them out of \
     the account, which reads everything again";

pub fn problem(text: impl Into<String>) -> Problem {
    Problem::failed(CODE, text, REMEDY)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Gap {
    #[sqlx(flatten)]
    pub window: Window,
    pub times_tried: i64,
    /// Database time.
    pub last_tried_at: DateTime<Utc>,
    /// Database time.
    pub next_try_at: DateTime<Utc>,
    pub wanted: bool,
}

/// Wanted gaps whose last try failed so.
pub async fn count_of(pool: &Pool, account_id: &str, cause: ProblemCode) -> Result<i64, LoadError> {
    let count = sqlx::query_scalar(include_str!("count_gaps.sql"))
        .bind(account_id)
        .bind(cause.as_str())
        .fetch_one(pool)
        .await?;
    Ok(count)
}

/// Oldest first.
pub async fn open(executor: impl PgExecutor<'_>, account_id: &str) -> Result<Vec<Gap>, LoadError> {
    Ok(sqlx::query_as(
        "select lower(range) as start, upper(range) as \"end\", times_tried, last_tried_at, next_try_at, wanted \
         from smartassist_sync.gaps where account_id = $1 order by range",
    )
    .bind(account_id)
    .fetch_all(executor)
    .await?)
}

/// Uncovered ranges, except gaps that are not due. They end `settle` before database time too: our clock may
/// be fast.
pub async fn unread(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    until: DateTime<Utc>,
    settle: Duration,
) -> Result<Vec<Window>, LoadError> {
    Ok(sqlx::query_as(include_str!("unread_new.sql"))
        .bind(account_id)
        .bind(until)
        .bind(settle.as_secs_f64())
        .fetch_all(executor)
        .await?)
}
