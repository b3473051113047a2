//! Details of an account.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor};

use crate::time::window::Window;

use super::super::LoadError;

/// Account details.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct AccountDetails {
    /// Account id.
    pub account_id: String,
    /// Coverage, oldest first.
    #[sqlx(json)]
    pub coverage: Vec<Window>,
    /// Gaps, oldest first.
    #[sqlx(json)]
    pub gaps: Vec<OpenGap>,
    /// Interactions per UTC day.
    #[sqlx(json)]
    #[serde(skip_serializing)]
    pub days: Vec<DayCount>,
    /// Waiting rejected records.
    #[sqlx(json)]
    pub rejected: Vec<RejectedReason>,
}

/// Open gap.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenGap {
    /// Time range.
    #[serde(flatten)]
    pub window: Window,
    /// Failed tries.
    pub times_tried: i64,
    /// Next try.
    pub next_try_at: DateTime<Utc>,
    /// Last error.
    pub error: Option<String>,
    /// Polls retry it.
    pub wanted: bool,
}

/// Daily count.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct DayCount {
    /// UTC day.
    pub day: NaiveDate,
    /// Interactions.
    pub interactions: i64,
}

/// Rejected records by reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RejectedReason {
    /// Reason.
    pub reason: String,
    /// Records.
    pub records: i64,
    /// Last received.
    pub last_seen_at: DateTime<Utc>,
}

/// Details by account.
///
/// # Errors
/// Database failure.
pub async fn details(
    executor: impl PgExecutor<'_>,
    account_ids: &[&str],
) -> Result<Vec<AccountDetails>, LoadError> {
    Ok(sqlx::query_as(include_str!("details.sql"))
        .bind(account_ids)
        .fetch_all(executor)
        .await?)
}
