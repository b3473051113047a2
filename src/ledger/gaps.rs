//! What is not covered: gaps, and what is unread.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgExecutor};

use crate::time::Window;

use super::LoadError;
use super::problems::Problem;

/// Used if no standing problem explains the gap.
pub const CODE: &str = "gap";

const REMEDY: &str = "ask the vendor for these seconds' records; where some channels, queues or directions are not wanted, leave them out of \
     the account, which reads everything again";

pub fn problem(text: impl Into<String>) -> Problem {
    Problem::failed(CODE, text, REMEDY)
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Gap {
    #[sqlx(flatten)]
    pub window: Window,
    /// Of the last try.
    pub error_code: Option<String>,
    /// Database time.
    pub next_try_at: DateTime<Utc>,
    pub wanted: bool,
}

/// Oldest first.
pub async fn open(executor: impl PgExecutor<'_>, account_id: &str) -> Result<Vec<Gap>, LoadError> {
    Ok(sqlx::query_as(
        "select lower(range) as start, upper(range) as \"end\", error_code, next_try_at, wanted \
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
