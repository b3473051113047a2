//! What is left to read: what is wanted less what the books say was read. All arithmetic on
//! stretches of time is PostgreSQL's, on multiranges.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::postgres::Pool;
use crate::time::window::Window;

use super::{LoadError, windows_of};

/// What somebody wants to have read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// What is not covered from the account's start on, but for gaps that are not to be tried
    /// again yet.
    New,
    /// What of a stretch is not covered, before the account's start too.
    Missing {
        /// The stretch, whole seconds.
        range: Window,
        /// Whether gaps that are not to be tried again yet are meant too.
        resting: bool,
    },
    /// What of a stretch is covered, but was not drained by a window that began at `since` or
    /// later, up to `now`.
    Reread {
        /// The stretch, whole seconds.
        range: Window,
        /// From when on a reading is fresh enough.
        since: DateTime<Utc>,
        /// The moment by the same clock. What began after it was read before that clock was set back.
        now: DateTime<Utc>,
        /// Sessions that started before the stretch, at this instant or later, and have no end
        /// yet: the second in which each started is wanted too. `None`: none of them.
        open_since: Option<DateTime<Utc>>,
        /// What started longer ago than this, and was not read since, is wanted too. `None`: it is not.
        late: Option<TimeDelta>,
    },
}

/// The stretches before `until` that are wanted and were not read, oldest first. They end `settle`
/// before the database's own now at the latest: should our clock be ahead, what has not happened
/// yet must not count as read.
///
/// # Errors
/// The database fails.
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

/// The seconds from `since` to `until` in which a session started that has no end yet.
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
