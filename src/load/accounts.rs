//! The account's row: from when on interactions are wanted, and which instants are covered.
//!
//! Coverage is a `tstzmultirange` that only PostgreSQL does arithmetic on. The watermark is
//! derived from it in the same statement that moves it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Row};

use crate::config::AccountConfig;
use crate::window::Window;

use super::LoadError;
use super::leases::Lease;

/// What came of making an account known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prepared {
    pub(super) watermark: DateTime<Utc>,
    pub(super) coverage_began_anew: bool,
}

/// Makes sure that the account has a row that says what the configuration says. A `start_from`
/// that is not configured is `default_start` at first, and stays what it is from then on.
pub(super) async fn prepare(
    executor: impl PgExecutor<'_>,
    account: &AccountConfig,
    default_start: DateTime<Utc>,
) -> Result<Prepared, LoadError> {
    let row = sqlx::query(include_str!("prepare_account.sql"))
        .bind(&account.account_id)
        .bind(&account.name)
        .bind(serde_json::to_string(&account.filters).unwrap_or_default())
        .bind(account.start_from)
        .bind(default_start)
        .fetch_one(executor)
        .await?;
    Ok(Prepared {
        watermark: row.try_get("watermark")?,
        coverage_began_anew: row.try_get("began_anew")?,
    })
}

/// The stretches before `until` that are wanted and not covered yet, oldest first. They end
/// `settle` before the database's own now at the latest: should our clock be ahead, what has not
/// happened yet must not count as read.
///
/// # Errors
/// The database fails.
pub async fn uncovered(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    until: DateTime<Utc>,
    settle: Duration,
) -> Result<Vec<Window>, LoadError> {
    let stretches = sqlx::query_as(include_str!("uncovered.sql"))
        .bind(account_id)
        .bind(until)
        .bind(settle.as_secs_f64())
        .fetch_all(executor)
        .await?;
    Ok(stretches
        .into_iter()
        .map(|(start, end)| Window { start, end })
        .collect())
}

/// Adds a drained window to the coverage and moves the watermark, if the lease still holds, and
/// returns the watermark.
///
/// The lease's row stays locked until the transaction ends, so nobody can take the account over
/// between this check and the commit.
///
/// # Errors
/// [`LoadError::LeaseLost`] where the lease has passed to another; or the database fails.
pub(super) async fn cover(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    window: Window,
) -> Result<DateTime<Utc>, LoadError> {
    sqlx::query_scalar(include_str!("cover.sql"))
        .bind(&lease.account_id)
        .bind(lease.token)
        .bind(window.start)
        .bind(window.end)
        .fetch_optional(executor)
        .await?
        .ok_or(LoadError::LeaseLost)
}
