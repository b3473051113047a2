use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::time::window::Window;

use super::LoadError;
use super::problems::{Problem, ProblemCode};

/// Used if no standing problem explains the gap.
pub const CODE: &str = "gap";

const REMEDY: &str = "ask the vendor for these seconds' records; where some channels, queues or directions are not wanted, leave them out of \
     the account, which reads everything again";

pub fn problem(text: impl Into<String>) -> Problem {
    Problem::failed(CODE, text, REMEDY)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub window: Window,
    pub times_tried: i64,
    /// Database time.
    pub last_tried_at: DateTime<Utc>,
    /// Database time.
    pub next_try_at: DateTime<Utc>,
    pub wanted: bool,
}

/// Wanted gaps whose last try failed so.
pub async fn count_of(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    cause: ProblemCode,
) -> Result<i64, LoadError> {
    let count = sqlx::query_scalar(include_str!("count_gaps.sql"))
        .bind(account_id)
        .bind(cause.as_str())
        .fetch_one(executor)
        .await?;
    Ok(count)
}

/// Oldest first.
pub async fn open(executor: impl PgExecutor<'_>, account_id: &str) -> Result<Vec<Gap>, LoadError> {
    type GapRow = (
        DateTime<Utc>,
        DateTime<Utc>,
        i64,
        DateTime<Utc>,
        DateTime<Utc>,
        bool,
    );
    let gaps: Vec<GapRow> = sqlx::query_as(
        "select lower(range), upper(range), times_tried, last_tried_at, next_try_at, wanted \
         from smartassist_sync.gaps where account_id = $1 order by range",
    )
    .bind(account_id)
    .fetch_all(executor)
    .await?;
    let gap = |(start, end, times_tried, last_tried_at, next_try_at, wanted)| Gap {
        window: Window { start, end },
        times_tried,
        last_tried_at,
        next_try_at,
        wanted,
    };
    Ok(gaps.into_iter().map(gap).collect())
}
