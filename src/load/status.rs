//! Reading the books for people: what `status` and the health endpoints show. Changes nothing.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgExecutor};

use super::LoadError;

/// An account as its books stand.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct AccountStatus {
    /// The name in the configuration.
    pub name: String,
    /// The API's account id.
    pub account_id: String,
    /// From when on interactions are wanted.
    pub start_from: DateTime<Utc>,
    /// All interactions that started before it are loaded.
    pub watermark: DateTime<Utc>,
    /// Seconds from the watermark to now.
    pub lag_seconds: i64,
    /// Stretches between `start_from` and the newest covered instant that are not covered.
    pub holes: i64,
    /// Open gaps: stretches of which the API shows not all records.
    pub gaps: i64,
    /// Interactions that are stored.
    pub interactions: i64,
    /// Records set aside that are still waiting.
    pub rejected_waiting: i64,
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
}

/// All accounts that ever had a run, by name.
///
/// # Errors
/// The database fails.
pub async fn accounts(executor: impl PgExecutor<'_>) -> Result<Vec<AccountStatus>, LoadError> {
    Ok(sqlx::query_as(include_str!("status.sql"))
        .fetch_all(executor)
        .await?)
}
