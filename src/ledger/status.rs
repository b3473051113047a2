use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor};

use super::LoadError;
use super::problems::Problem;
use crate::time::Window;

#[derive(Debug, Clone, Serialize, FromRow)]
pub struct AccountStatus {
    pub name: String,
    pub account_id: String,
    pub start_from: DateTime<Utc>,
    pub served_from: Option<DateTime<Utc>>,
    pub watermark: DateTime<Utc>,
    /// Everything earlier is settled (`sync.late_minutes`).
    pub settled_through: DateTime<Utc>,
    /// What may leave interactions out.
    pub filters: Option<String>,
    pub lag_seconds: i64,
    /// The last poll or sync that succeeded.
    pub last_polled_at: Option<DateTime<Utc>>,
    /// Uncovered ranges, except gaps.
    pub holes: i64,
    /// Wanted ones.
    pub gaps: i64,
    pub next_gap_try_at: Option<DateTime<Utc>>,
    pub interactions: i64,
    pub rejected_waiting: i64,
    pub drifted_fields: i64,
    /// While facts are made anew: those before it are.
    pub rebuild_from: Option<DateTime<Utc>>,
    pub requests_last_minute: i64,
    pub requests_last_hour: i64,
    pub rate_limited_last_hour: i64,
    pub api_clock_ahead_seconds: Option<i64>,
    /// By which stamps with a zone are later; 0 is right.
    pub time_zone_disagreement_minutes: Option<i64>,
    pub lease_holder: Option<String>,
    /// Running and recent ones, newest first.
    #[sqlx(json)]
    pub runs: Vec<RunStatus>,
    /// The last poll or sync that succeeded or failed.
    #[sqlx(json(nullable))]
    pub newest_poll: Option<RunStatus>,
    #[sqlx(json(nullable))]
    pub newest_replay: Option<RunStatus>,
    /// Open ones, and the newest of each refresh policy if it ended short.
    #[sqlx(json)]
    pub requests: Vec<RequestStatus>,
    #[sqlx(json)]
    #[serde(skip_serializing)]
    pub standing_problems: Vec<Problem>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunStatus {
    pub kind: String,
    pub policy: Option<String>,
    pub status: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub progress_at: Option<DateTime<Utc>>,
    pub windows: i64,
    pub requests: i64,
    pub requests_left: Option<i64>,
    pub records: i64,
    pub inserted: i64,
    pub updated: i64,
    pub unchanged: i64,
    pub rejected: i64,
    pub retries: i64,
    pub rate_limited: i64,
    #[serde(flatten)]
    pub failure: StoredFailure,
    /// Without progress, if it has not ended.
    #[serde(default)]
    pub quiet_seconds: i64,
}

impl RunStatus {
    pub fn is_running(&self) -> bool {
        self.status == "running"
    }

    pub fn name(&self) -> String {
        name(&self.kind, self.policy.as_deref())
    }

    pub fn is_failed(&self) -> bool {
        self.status == "failed"
    }

    pub fn is_interrupted(&self) -> bool {
        self.status == "interrupted"
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RequestStatus {
    pub id: i64,
    pub purpose: String,
    pub policy: Option<String>,
    pub state: String,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub percent: i64,
    pub requested_by: String,
    pub requested_at: DateTime<Utc>,
    /// Why it ended short, or why its last run failed.
    #[serde(flatten)]
    pub failure: StoredFailure,
}

impl RequestStatus {
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }

    pub fn name(&self) -> String {
        name(&self.purpose, self.policy.as_deref())
    }

    pub fn failed_policy(&self) -> Option<(&str, Problem)> {
        let is_failed = self.failure.error_code.is_some() || self.failure.error.is_some();
        let policy = self.policy.as_deref().filter(|_| is_failed)?;
        Some((policy, self.failure.problem()))
    }
}

fn name(what: &str, policy: Option<&str>) -> String {
    let named = policy.filter(|policy| *policy != what);
    named.map_or_else(|| what.to_owned(), |policy| format!("{what} ({policy})"))
}

#[derive(Debug, Clone, Serialize, Deserialize, FromRow)]
pub struct StoredFailure {
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub remedy: Option<String>,
}

impl StoredFailure {
    pub fn problem(&self) -> Problem {
        Problem::failed(
            self.error_code.as_deref().unwrap_or("run_failed"),
            self.error.as_deref().unwrap_or("the log says why"),
            self.remedy.as_deref().unwrap_or("see the log"),
        )
    }
}

pub async fn accounts(executor: impl PgExecutor<'_>) -> Result<Vec<AccountStatus>, LoadError> {
    Ok(sqlx::query_as(include_str!("status/accounts.sql"))
        .fetch_all(executor)
        .await?)
}

#[derive(Debug, Clone, Serialize, FromRow)]
pub struct AccountDetails {
    pub account_id: String,
    /// Oldest first.
    #[sqlx(json)]
    pub coverage: Vec<Window>,
    /// Oldest first.
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

/// By account; days from `first_day` on.
pub async fn details(
    executor: impl PgExecutor<'_>,
    account_ids: &[&str],
    first_day: NaiveDate,
) -> Result<Vec<AccountDetails>, LoadError> {
    Ok(sqlx::query_as(include_str!("status/details.sql"))
        .bind(account_ids)
        .bind(first_day)
        .fetch_all(executor)
        .await?)
}
