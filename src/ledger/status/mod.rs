//! Reading the books for people: what `status`, the page and the metrics show. Changes nothing.

mod details;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor};

use super::LoadError;
use super::problems::StandingProblem;

pub use details::{AccountDetails, DayCount, HourCount, OpenGap, RejectedReason, details, hours};

/// An account as its books stand.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct AccountStatus {
    /// The name in the configuration.
    pub name: String,
    /// The API's account id.
    pub account_id: String,
    /// From when on interactions are wanted.
    pub start_from: DateTime<Utc>,
    /// From when on the API serves interactions, where it was seen to refuse older ones.
    pub served_from: Option<DateTime<Utc>>,
    /// All interactions that started before it are loaded.
    pub watermark: DateTime<Utc>,
    /// All interactions that started before it were read once more `sync.late_minutes` after they started.
    pub settled_through: DateTime<Utc>,
    /// Seconds from the watermark to now.
    pub lag_seconds: i64,
    /// When the last poll that succeeded ended.
    pub last_polled_at: Option<DateTime<Utc>>,
    /// Stretches between `start_from` and the newest covered instant that are not covered, open gaps apart.
    pub holes: i64,
    /// Open gaps of what is wanted: stretches of which the API shows not all records.
    pub gaps: i64,
    /// When the first of them is tried again.
    pub next_gap_try_at: Option<DateTime<Utc>>,
    /// Interactions that are stored.
    pub interactions: i64,
    /// Records set aside that are still waiting.
    pub rejected_waiting: i64,
    /// Fields that the API sends and that are not known.
    pub drifted_fields: i64,
    /// Requests in the ledger that ended within the last minute, of whatever process.
    pub requests_last_minute: i64,
    /// The same of the last hour.
    pub requests_last_hour: i64,
    /// Those of the last hour that the API turned away because of its rate limit.
    pub rate_limited_last_hour: i64,
    /// Seconds by which the API's clock was ahead of the worker's, as the newest run knows that tells.
    pub api_clock_ahead_seconds: Option<i64>,
    /// Minutes by which session ids or time stamps with a zone were later than stamps without one, likewise; 0 is right.
    pub time_zone_disagreement_minutes: Option<i64>,
    /// Who holds the lease now.
    pub lease_holder: Option<String>,
    /// Kind of the newest run.
    pub last_run_kind: Option<String>,
    /// How the newest run ended, or `running`.
    pub last_run_status: Option<String>,
    /// When the newest run began.
    pub last_run_started_at: Option<DateTime<Utc>>,
    /// What was wrong with the newest run.
    pub last_run_error: Option<String>,
    /// What can be done about that.
    pub last_run_remedy: Option<String>,
    /// Runs, newest first: those that go on now, and the newest that have ended.
    #[sqlx(json)]
    pub runs: Vec<RunStatus>,
    /// How the newest poll went that came to its end.
    #[sqlx(json(nullable))]
    pub newest_poll: Option<Verdict>,
    /// Refreshes that failed: the newest of each tier, where it did not go well since.
    #[sqlx(json)]
    pub failed_refreshes: Vec<Verdict>,
    /// Problems that stand until somebody acts or the API changes.
    #[sqlx(json)]
    pub problems: Vec<StandingProblem>,
}

/// How a run went that is the newest of its kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// What it was for: `poll`, `sync`, which does the same, or `refresh`.
    pub kind: String,
    /// `succeeded` or `failed`.
    pub status: String,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What was wrong.
    pub error: Option<String>,
    /// What can be done about it.
    pub remedy: Option<String>,
    /// How far back it read, in seconds, where it was a refresh.
    pub lookback_seconds: Option<i64>,
}

impl Verdict {
    /// Whether it went wrong.
    pub fn is_failed(&self) -> bool {
        self.status == "failed"
    }
}

/// A run as its books stand. Its counters are sums over its windows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each is the column of that name, described in the database"
)]
pub struct RunStatus {
    pub kind: String,
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
    pub error: Option<String>,
    pub remedy: Option<String>,
    /// Seconds since it last finished a window, or began.
    pub quiet_seconds: i64,
}

impl RunStatus {
    /// Whether it goes on now.
    pub fn is_running(&self) -> bool {
        self.status == "running"
    }
}

/// All accounts that ever had a run, by name.
///
/// # Errors
/// The database fails.
pub async fn accounts(executor: impl PgExecutor<'_>) -> Result<Vec<AccountStatus>, LoadError> {
    Ok(sqlx::query_as(include_str!("accounts.sql"))
        .fetch_all(executor)
        .await?)
}
