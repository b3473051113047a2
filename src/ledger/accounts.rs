//! The account's row: from when on interactions are wanted, and which instants are covered.
//!
//! Coverage is a `tstzmultirange` that only PostgreSQL does arithmetic on. The watermark is
//! derived from it in the same statement that moves it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, Row};

use crate::time::window::Window;

use super::LoadError;
use super::leases::{Lease, fenced};
use super::runs::{NewRun, ReadyAccount};

/// Fails where the account's books cannot be true: somebody edited them, or a clock was wrong. What
/// they wrongly count as read would never be read. With `thoroughly`, they are compared with the
/// ledger too, which takes a moment.
///
/// # Errors
/// [`LoadError::Books`]; or the database fails.
pub async fn check(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    thoroughly: bool,
) -> Result<(), LoadError> {
    let problem: Option<Option<String>> = sqlx::query_scalar(include_str!("books_problem.sql"))
        .bind(account_id)
        .bind(thoroughly)
        .fetch_optional(executor)
        .await?;
    problem
        .flatten()
        .map_or(Ok(()), |problem| Err(LoadError::Books(problem)))
}

/// Makes sure that the account has a row that says what the configuration says. A `start_from`
/// that is not configured is `default_start` at first, and stays what it is from then on; what is not
/// kept any more is not wanted either, so it follows `kept_from`. Where the filters have changed, what
/// was stored before is not judged by what comes now.
pub(crate) async fn prepare(
    executor: impl PgExecutor<'_>,
    run: &NewRun<'_>,
) -> Result<ReadyAccount, LoadError> {
    let account = run.account;
    let row = sqlx::query(include_str!("prepare_account.sql"))
        .bind(&account.account_id)
        .bind(&account.name)
        .bind(serde_json::to_string(&account.filters).unwrap_or_default())
        .bind(account.start_from)
        .bind(run.default_start)
        .bind(run.at)
        .bind(run.kept_from)
        .fetch_one(executor)
        .await?;
    Ok(ReadyAccount {
        watermark: row.try_get("watermark")?,
        coverage_began_anew: row.try_get("began_anew")?,
    })
}

/// A window that was drained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    pub(crate) window: Window,
    /// When its first request was made.
    pub(crate) started_at: DateTime<Utc>,
    /// What started so long before that is settled.
    pub(crate) late: TimeDelta,
}

/// Adds a drained window to the coverage, and to what is settled, moves the watermark, if the lease
/// still holds, and returns it.
///
/// The lease's row stays locked until the transaction ends, so nobody can take the account over
/// between this check and the commit.
///
/// # Errors
/// [`LoadError::LeaseLost`] where the lease is lost; or the database fails.
pub(crate) async fn cover(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    drained: Drained,
) -> Result<DateTime<Utc>, LoadError> {
    let row = lease
        .query(fenced!(include_str!("cover.sql")))
        .bind(drained.window.start)
        .bind(drained.window.end)
        .bind(drained.started_at)
        .bind(drained.late.num_seconds())
        .fetch_optional(executor)
        .await?;
    Ok(row.ok_or(LoadError::LeaseLost)?.try_get(0)?)
}

/// Proves the lease like [`cover`] does and returns the account's watermark, which stays where it
/// is: for a window that is stored, but covers nothing.
///
/// # Errors
/// [`LoadError::LeaseLost`] where the lease is lost; or the database fails.
pub(crate) async fn stay(executor: impl PgExecutor<'_>, lease: &Lease) -> Result<DateTime<Utc>, LoadError> {
    let row = lease
        .query(fenced!(
            "select watermark from smartassist_sync.accounts join fence using (account_id)"
        ))
        .fetch_optional(executor)
        .await?;
    Ok(row.ok_or(LoadError::LeaseLost)?.try_get(0)?)
}

/// How far back the account's API serves interactions, where it was seen to refuse older ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// From this instant on it does.
    pub served_from: DateTime<Utc>,
    /// Older interactions are wanted.
    pub is_wanted: bool,
    /// What is older was not asked for in the last 24 hours.
    pub may_be_tried: bool,
}

/// What is known of how far back the API serves interactions; `None` where it was never seen to refuse older ones.
///
/// # Errors
/// The database fails.
pub async fn history(executor: impl PgExecutor<'_>, account_id: &str) -> Result<Option<History>, LoadError> {
    let known: Option<(DateTime<Utc>, bool, bool)> = sqlx::query_as(
        "select served_from, coalesce(wanted_from < served_from, false), \
         coalesce(served_from_tried_at < clock_timestamp() - interval '1 day', true) \
         from smartassist_sync.accounts where account_id = $1 and served_from is not null",
    )
    .bind(account_id)
    .fetch_optional(executor)
    .await?;
    Ok(known.map(|(served_from, is_wanted, may_be_tried)| History {
        served_from,
        is_wanted,
        may_be_tried,
    }))
}

/// Notes from when on the API serves interactions, or that it serves all again, if the lease still holds. Nothing older is
/// waited for, so the watermark may move; returns it.
///
/// # Errors
/// [`LoadError::LeaseLost`] where the lease is lost; or the database fails.
pub async fn note_history(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    served_from: Option<DateTime<Utc>>,
) -> Result<DateTime<Utc>, LoadError> {
    let row = lease
        .query(fenced!(include_str!("note_history.sql")))
        .bind(served_from)
        .fetch_optional(executor)
        .await?;
    Ok(row.ok_or(LoadError::LeaseLost)?.try_get(0)?)
}

/// What was found out about how the account's API behaves, as [`remember_traits`] was given it;
/// an empty object where nothing is known.
///
/// # Errors
/// The database fails.
pub async fn traits(executor: impl PgExecutor<'_>, account_id: &str) -> Result<Value, LoadError> {
    let traits = sqlx::query_scalar("select api_traits from smartassist_sync.accounts where account_id = $1")
        .bind(account_id)
        .fetch_optional(executor)
        .await?;
    Ok(traits.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
}

/// Remembers what was found out about how the API behaves, in place of what was known before. The
/// account must have a row, which it has from its first run on.
///
/// # Errors
/// [`LoadError::LeaseLost`] where the lease is lost, or the account has no row; or
/// the database fails.
pub async fn remember_traits(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    traits: &Value,
) -> Result<(), LoadError> {
    let remembered = lease
        .query(fenced!(
            "update smartassist_sync.accounts as account set api_traits = $4, updated_at = clock_timestamp() \
             from fence where account.account_id = fence.account_id"
        ))
        .bind(traits)
        .execute(executor)
        .await?;
    if remembered.rows_affected() == 1 {
        Ok(())
    } else {
        Err(LoadError::LeaseLost)
    }
}
