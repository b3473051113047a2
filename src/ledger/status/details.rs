//! Details of an account.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor};

use crate::time::window::Window;

use super::super::LoadError;

#[derive(Debug, Clone, Serialize, FromRow)]
pub struct AccountDetails {
    pub account_id: String,
    /// Coverage, oldest first.
    #[sqlx(json)]
    pub coverage: Vec<Window>,
    /// Gaps, oldest first.
    #[sqlx(json)]
    pub gaps: Vec<OpenGap>,
    #[sqlx(json)]
    #[serde(skip_serializing)]
    pub days: Vec<DayCount>,
    #[sqlx(json)]
    pub rejected: Vec<RejectedReason>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenGap {
    #[serde(flatten)]
    pub window: Window,
    pub times_tried: i64,
    pub next_try_at: DateTime<Utc>,
    pub error: Option<String>,
    /// Polls retry it.
    pub wanted: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct DayCount {
    pub day: NaiveDate,
    pub interactions: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RejectedReason {
    pub reason: String,
    pub records: i64,
    pub last_seen_at: DateTime<Utc>,
}

/// Details by account.
pub async fn details(
    executor: impl PgExecutor<'_>,
    account_ids: &[&str],
) -> Result<Vec<AccountDetails>, LoadError> {
    Ok(sqlx::query_as(include_str!("details.sql"))
        .bind(account_ids)
        .fetch_all(executor)
        .await?)
}
