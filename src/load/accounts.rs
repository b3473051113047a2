//! The account's row: from when on interactions are wanted, and which instants are covered.
//!
//! Coverage is a `tstzmultirange` that only PostgreSQL does arithmetic on. The watermark is
//! derived from it in the same statement that moves it.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool, Row};

use crate::config::AccountConfig;
use crate::window::Window;

use super::LoadError;
use super::leases::Lease;

/// What came of making an account known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared {
    /// All interactions that started before it are loaded.
    pub watermark: DateTime<Utc>,
    /// The filters differ from those of the last time, so coverage began anew.
    pub coverage_began_anew: bool,
}

/// Makes sure that the account has a row that says what the configuration says. A `start_from`
/// that is not configured is `default_start` at first, and stays what it is from then on.
///
/// # Errors
/// The database fails.
pub async fn prepare(
    pool: &PgPool,
    account: &AccountConfig,
    default_start: DateTime<Utc>,
) -> Result<Prepared, LoadError> {
    let row = sqlx::query(include_str!("prepare_account.sql"))
        .bind(&account.account_id)
        .bind(&account.name)
        .bind(serde_json::to_string(&account.filters).unwrap_or_default())
        .bind(account.start_from)
        .bind(default_start)
        .fetch_one(pool)
        .await?;
    Ok(Prepared {
        watermark: row.try_get("watermark")?,
        coverage_began_anew: row.try_get("began_anew")?,
    })
}

/// The stretches before `until` that are wanted and not covered yet, oldest first.
///
/// # Errors
/// The database fails.
pub async fn uncovered(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    until: DateTime<Utc>,
) -> Result<Vec<Window>, LoadError> {
    let stretches = sqlx::query_as(
        "select lower(stretch), upper(stretch) \
         from smartassist_sync.accounts account, \
              unnest(tstzmultirange(tstzrange(start_from, greatest(start_from, $2))) - coverage) as stretch \
         where account.account_id = $1 order by 1",
    )
    .bind(account_id)
    .bind(until)
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
