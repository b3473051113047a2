//! The account's row: coverage, and what is known of the API.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgExecutor, Row};

use crate::config::AccountConfig;
use crate::postgres::Pool;
use crate::time::Window;
use crate::transform::TRANSFORM_VERSION;

use super::LoadError;
use super::leases::{Lease, fenced};
use super::runs::Preparation;

/// Fails if the sync state is impossible, or the ledger does not prove it.
pub async fn check(executor: impl PgExecutor<'_>, account_id: &str) -> Result<(), LoadError> {
    let problem: Option<Option<String>> = sqlx::query_scalar(include_str!("impossible.sql"))
        .bind(account_id)
        .fetch_optional(executor)
        .await?;
    problem
        .flatten()
        .map_or(Ok(()), |problem| Err(LoadError::Impossible(problem)))
}

/// A caller with a lease proves it first.
pub async fn prepare(executor: impl PgExecutor<'_>, run: &Preparation<'_>) -> Result<bool, LoadError> {
    let account = run.account;
    Ok(sqlx::query_scalar(include_str!("prepare_account.sql"))
        .bind(&account.account_id)
        .bind(&account.name)
        .bind(serde_json::to_string(&account.filters).unwrap_or_default())
        .bind(account.start_from)
        .bind(run.default_start)
        .bind(run.at)
        .bind(run.kept_from)
        .fetch_one(executor)
        .await?)
}

/// `None`: never loaded.
pub async fn has_other_filters(pool: &Pool, account: &AccountConfig) -> Result<Option<bool>, LoadError> {
    Ok(sqlx::query_scalar(
        "select filters <> $2::jsonb and filters <> '{}' from smartassist_sync.accounts where account_id = $1",
    )
    .bind(&account.account_id)
    .bind(serde_json::to_string(&account.filters).unwrap_or_default())
    .fetch_optional(pool)
    .await?)
}

/// `began_at` is database time, `started_at` ours.
pub(crate) async fn cover(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    window: Window,
    (began_at, started_at): (DateTime<Utc>, DateTime<Utc>),
    late: TimeDelta,
) -> Result<DateTime<Utc>, LoadError> {
    let row = lease
        .query(fenced!(include_str!("cover.sql")))
        .bind(window.start)
        .bind(window.end)
        .bind(began_at)
        .bind(late.num_seconds())
        .bind(TRANSFORM_VERSION)
        .bind(started_at)
        .fetch_optional(executor)
        .await?;
    Ok(row.ok_or(LoadError::LeaseLost)?.try_get(0)?)
}

/// `None`: it was not covered.
pub(crate) async fn uncover(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    window: Window,
) -> Result<Option<DateTime<Utc>>, LoadError> {
    let row = lease
        .query(fenced!(
            "update smartassist_sync.accounts as account \
             set coverage = account.coverage - lost.stretch, \
             settled = account.settled - lost.stretch, \
             updated_at = clock_timestamp() \
             from fence cross join (select tstzmultirange(tstzrange($4, $5)) as stretch) as lost \
             where account.account_id = fence.account_id and account.coverage && lost.stretch returning account.watermark"
        ))
        .bind(window.start)
        .bind(window.end)
        .fetch_optional(executor)
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct History {
    pub served_from: DateTime<Utc>,
    /// Older interactions are wanted.
    pub is_wanted: bool,
    /// Not tried for 24 hours.
    pub may_be_tried: bool,
}

pub async fn history(executor: impl PgExecutor<'_>, account_id: &str) -> Result<Option<History>, LoadError> {
    Ok(sqlx::query_as(
        "select served_from, coalesce(wanted_from < served_from, false) as is_wanted, \
         coalesce(served_from_tried_at < clock_timestamp() - interval '1 day', true) as may_be_tried \
         from smartassist_sync.accounts where account_id = $1 and served_from is not null",
    )
    .bind(account_id)
    .fetch_optional(executor)
    .await?)
}

/// # Errors
/// [`LoadError::LeaseLost`].
pub async fn note_history(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    served_from: Option<DateTime<Utc>>,
) -> Result<(), LoadError> {
    let noted = lease
        .query(fenced!(include_str!("note_history.sql")))
        .bind(served_from)
        .fetch_optional(executor)
        .await?;
    noted.map(drop).ok_or(LoadError::LeaseLost)
}

pub async fn traits(executor: impl PgExecutor<'_>, account_id: &str) -> Result<Value, LoadError> {
    let traits = sqlx::query_scalar("select api_traits from smartassist_sync.accounts where account_id = $1")
        .bind(account_id)
        .fetch_optional(executor)
        .await?;
    Ok(traits.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct RememberedTraits {
    /// Windows whose proof it contradicts: their stretches are read again.
    pub withdrawn: i64,
    pub watermark: DateTime<Utc>,
}

/// Stores what is known of the API, and withdraws coverage that rested on what it contradicts.
///
/// # Errors
/// [`LoadError::LeaseLost`].
pub async fn remember_traits(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    traits: &Value,
) -> Result<RememberedTraits, LoadError> {
    let row = lease
        .query(fenced!(include_str!("remember_traits.sql")))
        .bind(traits)
        .bind(TRANSFORM_VERSION)
        .fetch_optional(executor)
        .await?;
    Ok(RememberedTraits::from_row(&row.ok_or(LoadError::LeaseLost)?)?)
}
