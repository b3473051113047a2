//! What is stored of a stretch of time, to be compared with what the API has.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::window::Window;

use super::LoadError;

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

/// The stored versions of these interactions, by id.
///
/// # Errors
/// The database fails.
pub async fn versions(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    interaction_ids: &[&str],
) -> Result<HashMap<String, StoredVersion>, LoadError> {
    let rows: Vec<(String, Vec<u8>, Option<DateTime<Utc>>)> = sqlx::query_as(
        "select interaction_id, content_hash, missing_since from smartassist.sessions \
         where account_id = $1 and interaction_id = any($2)",
    )
    .bind(account_id)
    .bind(interaction_ids)
    .fetch_all(executor)
    .await?;
    let version = |(id, content_hash, missing): (String, _, Option<_>)| {
        (
            id,
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

/// The ids of stored interactions that a read of the window must return: they lie wholly inside
/// it, or reach out of it as `crossing` says, are not marked as missing, and were stored under
/// today's filters.
///
/// # Errors
/// The database fails.
pub async fn must_return(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    window: Window,
    crossing: Crossing,
) -> Result<Vec<String>, LoadError> {
    Ok(sqlx::query_scalar(include_str!("must_return.sql"))
        .bind(account_id)
        .bind(window.start)
        .bind(window.end)
        .bind(crossing.into)
        .bind(crossing.out_of)
        .fetch_all(executor)
        .await?)
}
