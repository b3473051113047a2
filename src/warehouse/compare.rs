//! What is stored of a stretch of time, to be compared with what the API has.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::postgres::Pool;
use crate::time::window::Window;

use crate::ledger::LoadError;

/// What a window's range may be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The start of the session.
    Start,
    /// Its end; a session without one is in no window.
    End,
    /// Any moment of it; a session without an end goes on.
    Overlap,
}

/// One reading of which sessions belong to a window: the vendor's page leaves it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// What the range is compared with.
    pub basis: Basis,
    /// Whether a session exactly at the window's end belongs to it.
    pub end_is_inclusive: bool,
}

impl Membership {
    /// All readings, in the order of the columns that count them.
    pub const ALL: [Self; 6] = [
        Self::new(Basis::Start, true),
        Self::new(Basis::Start, false),
        Self::new(Basis::End, true),
        Self::new(Basis::End, false),
        Self::new(Basis::Overlap, true),
        Self::new(Basis::Overlap, false),
    ];

    const fn new(basis: Basis, end_is_inclusive: bool) -> Self {
        Self {
            basis,
            end_is_inclusive,
        }
    }
}

/// Up to which instant anything of the account is loaded; `None` where nothing is.
///
/// # Errors
/// The database fails.
pub async fn loaded_until(
    executor: impl PgExecutor<'_>,
    account_id: &str,
) -> Result<Option<DateTime<Utc>>, LoadError> {
    let until: Option<Option<DateTime<Utc>>> =
        sqlx::query_scalar("select upper(coverage) from smartassist_sync.accounts where account_id = $1")
            .bind(account_id)
            .fetch_optional(executor)
            .await?;
    Ok(until.flatten())
}

/// How many stored interactions belong to a window, under each of [`Membership::ALL`]. Those that
/// are marked as missing do not count.
///
/// # Errors
/// The database fails.
pub async fn counts(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    window: Window,
) -> Result<[u64; 6], LoadError> {
    let (a, b, c, d, e, f): (i64, i64, i64, i64, i64, i64) =
        sqlx::query_as(include_str!("counts_by_membership.sql"))
            .bind(account_id)
            .bind(window.start)
            .bind(window.end)
            .fetch_one(executor)
            .await?;
    Ok([a, b, c, d, e, f].map(|count| u64::try_from(count).unwrap_or(0)))
}

/// A stored interaction, as far as comparing needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// What it says.
    pub content_hash: Vec<u8>,
    /// Whether it is marked as missing.
    pub is_missing: bool,
}

/// The stored versions of these interactions, by key.
///
/// # Errors
/// The database fails.
pub async fn versions(
    executor: impl PgExecutor<'_>,
    keys: &[Uuid],
) -> Result<HashMap<Uuid, StoredVersion>, LoadError> {
    let rows: Vec<(Uuid, Vec<u8>, Option<DateTime<Utc>>)> = sqlx::query_as(
        "select interaction_key, content_hash, missing_since from smartassist.sessions where interaction_key = any($1)",
    )
    .bind(keys)
    .fetch_all(executor)
    .await?;
    let version = |(key, content_hash, missing): (Uuid, _, Option<_>)| {
        (
            key,
            StoredVersion {
                content_hash,
                is_missing: missing.is_some(),
            },
        )
    };
    Ok(rows.into_iter().map(version).collect())
}

/// Which sessions that lie only partly in a window are known to be returned with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crossing {
    /// Those that began before it.
    pub into: bool,
    /// Those that go on after it.
    pub out_of: bool,
}

/// The keys of stored interactions that a read of the window must return: they lie wholly inside
/// it, or reach out of it as `crossing` says, are not marked as missing, and were stored under
/// today's filters.
///
/// # Errors
/// The database fails.
pub async fn must_return(
    pool: &Pool,
    account_id: &str,
    window: Window,
    crossing: Crossing,
) -> Result<Vec<Uuid>, LoadError> {
    let filters_changed_at: Option<Option<DateTime<Utc>>> =
        sqlx::query_scalar("select filters_changed_at from smartassist_sync.accounts where account_id = $1")
            .bind(account_id)
            .fetch_optional(pool)
            .await?;
    Ok(sqlx::query_scalar(include_str!("must_return.sql"))
        .bind(account_id)
        .bind(window.start)
        .bind(window.end)
        .bind(crossing.into)
        .bind(crossing.out_of)
        .bind(filters_changed_at.flatten())
        .fetch_all(pool)
        .await?)
}
