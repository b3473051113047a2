//! Open gaps: stretches of which the API shows not all records, even in the smallest part.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::time::window::Window;

use super::LoadError;
use super::problems::ProblemCode;

/// What an operator can do about one.
pub const REMEDY: &str = "ask the vendor for these seconds' records; where some channels, queues or directions are not wanted, leave them out of \
     the account, which reads everything again";

/// Said of a run that did all it could while gaps stayed open.
pub fn remain(gaps: usize) -> String {
    format!("{REMAIN}{gaps}")
}

/// Said of a run that has found one.
pub fn found(error: &str) -> String {
    format!("{FOUND}{error}")
}

/// Whether an error of a run is no more than that. The gaps themselves have words of their own.
pub fn is_about_gaps(error: &str) -> bool {
    error.starts_with(REMAIN) || error.starts_with(FOUND)
}

const REMAIN: &str = "gaps remain: ";
const FOUND: &str = "a gap: ";

/// A stretch that was fetched in vain and is not covered since. What was reachable is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The stretch of time.
    pub window: Window,
    /// How often it was fetched in vain, with the account's present filters.
    pub times_tried: i64,
    /// When it was last fetched in vain, in the database's time.
    pub last_tried_at: DateTime<Utc>,
    /// From when on it is tried again, where it is wanted, in the database's time: ever later, a day at most.
    pub next_try_at: DateTime<Utc>,
    /// Whether polls try it again. One before the account's `start_from` is nobody's but a backfill's.
    pub wanted: bool,
}

/// How many of the account's open gaps have this cause.
///
/// # Errors
/// The database fails.
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

/// The account's open gaps, oldest stretch first.
///
/// # Errors
/// The database fails.
pub async fn open(executor: impl PgExecutor<'_>, account_id: &str) -> Result<Vec<Gap>, LoadError> {
    type Row = (
        DateTime<Utc>,
        DateTime<Utc>,
        i64,
        DateTime<Utc>,
        DateTime<Utc>,
        bool,
    );
    let gaps: Vec<Row> = sqlx::query_as(
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
