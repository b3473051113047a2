//! What is left to read, as PostgreSQL multiranges.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::postgres::Pool;
use crate::time::window::Window;

use super::{LoadError, windows_of};

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Uncovered, except gaps not due.
    New,
    /// Uncovered parts.
    Missing {
        /// Whole seconds.
        range: Window,
        /// Include gaps not due.
        resting: bool,
    },
    /// Covered, not drained from `since` to `now`.
    Reread {
        /// Whole seconds.
        range: Window,
        /// Oldest fresh reading.
        since: DateTime<Utc>,
        /// Later windows predate a clock reset.
        now: DateTime<Utc>,
        /// Also unended sessions since.
        open_since: Option<DateTime<Utc>>,
        /// Also unsettled, older than this.
        late: Option<TimeDelta>,
    },
}

/// Unread ranges, ending `settle` before database time: our clock may be fast.
///
/// # Errors
/// Database failure.
pub async fn unread(
    pool: &Pool,
    account_id: &str,
    wanted: &Wanted,
    until: DateTime<Utc>,
    settle: Duration,
) -> Result<Vec<Window>, LoadError> {
    let statement = match wanted {
        Wanted::New => include_str!("unread_new.sql"),
        Wanted::Missing { .. } => include_str!("unread_missing.sql"),
        Wanted::Reread { .. } => include_str!("unread_reread.sql"),
    };
    let query = sqlx::query_as(statement)
        .bind(account_id)
        .bind(until)
        .bind(settle.as_secs_f64());
    let query = match *wanted {
        Wanted::New => query,
        Wanted::Missing { range, resting } => query.bind(range.start).bind(range.end).bind(resting),
        Wanted::Reread {
            range,
            since,
            now,
            open_since,
            late,
        } => {
            let open = match open_since {
                Some(open_since) => open_starts(pool, account_id, open_since, range.start).await?,
                None => Vec::new(),
            };
            query
                .bind(range.start)
                .bind(range.end)
                .bind(since)
                .bind(open)
                .bind(now)
                .bind(late.map(|late| late.num_seconds()))
        }
    };
    Ok(windows_of(query.fetch_all(pool).await?))
}

async fn open_starts(
    pool: &Pool,
    account_id: &str,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>, LoadError> {
    Ok(sqlx::query_scalar(
        "select distinct date_trunc('second', session_started_at) from smartassist.sessions \
         where account_id = $1 and session_ended_at is null and missing_since is null \
         and session_started_at >= $2 and session_started_at < $3",
    )
    .bind(account_id)
    .bind(since)
    .bind(until)
    .fetch_all(pool)
    .await?)
}
