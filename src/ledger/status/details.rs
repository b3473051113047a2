//! What is shown of one account beside how far it is: its days, its gaps, what was set aside.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor};

use crate::time::window::Window;

use super::super::LoadError;

/// What an account's books hold beside sums.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct AccountDetails {
    /// The API's account id.
    pub account_id: String,
    /// What is covered, oldest stretch first.
    #[sqlx(json)]
    pub coverage: Vec<Window>,
    /// Open gaps, oldest stretch first.
    #[sqlx(json)]
    pub gaps: Vec<OpenGap>,
    /// Interactions that are stored, by day of UTC, oldest first; days without any are left out. The
    /// calendar has them for everybody else.
    #[sqlx(json)]
    #[serde(skip_serializing)]
    pub days: Vec<DayCount>,
    /// Records set aside that are still waiting, by reason.
    #[sqlx(json)]
    pub rejected: Vec<RejectedReason>,
}

/// An open gap.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenGap {
    /// The stretch of time.
    #[serde(flatten)]
    pub window: Window,
    /// How often it was fetched in vain.
    pub times_tried: i64,
    /// From when on it is tried again, where it is wanted.
    pub next_try_at: DateTime<Utc>,
    /// What was wrong at the last try.
    pub error: Option<String>,
    /// Whether polls try it again. One before the account's `start_from` is nobody's but a backfill's.
    pub wanted: bool,
}

/// Interactions of a day.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct DayCount {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// Interactions that are stored.
    pub interactions: i64,
}

/// Interactions of an hour.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct HourCount {
    /// The hour of the day, in UTC.
    pub hour: i32,
    /// Interactions that are stored.
    pub interactions: i64,
}

/// Records that wait for the same reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RejectedReason {
    /// Why they could not become rows.
    pub reason: String,
    /// How many they are.
    pub records: i64,
    /// When one was last received.
    pub last_seen_at: DateTime<Utc>,
}

/// The details of these accounts.
///
/// # Errors
/// The database fails.
pub async fn details(
    executor: impl PgExecutor<'_>,
    account_ids: &[&str],
) -> Result<Vec<AccountDetails>, LoadError> {
    Ok(sqlx::query_as(include_str!("details.sql"))
        .bind(account_ids)
        .fetch_all(executor)
        .await?)
}

/// How many interactions of a day are stored, by hour of UTC; hours without any are left out.
///
/// # Errors
/// The database fails.
pub async fn hours(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    day: Window,
) -> Result<Vec<HourCount>, LoadError> {
    Ok(sqlx::query_as(
        "select extract(hour from session_started_at at time zone 'UTC')::integer as hour, count(*) as interactions \
         from smartassist.sessions where account_id = $1 and session_started_at >= $2 and session_started_at < $3 \
         group by 1 order by 1",
    )
    .bind(account_id)
    .bind(day.start)
    .bind(day.end)
    .fetch_all(executor)
    .await?)
}
