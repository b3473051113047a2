use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::postgres::Pool;
use crate::time::window::Window;

use crate::ledger::LoadError;

/// By which time the API selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    Start,
    /// Open sessions never match.
    End,
    /// Any moment; open sessions continue.
    Overlap,
}

impl Basis {
    /// In the order of the counts.
    pub const ALL: [Self; 3] = [Self::Start, Self::End, Self::Overlap];
}

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

/// By [`Basis::ALL`], without missing ones.
pub async fn counts(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    window: Window,
) -> Result<[u64; 3], LoadError> {
    let (start, end, overlap): (i64, i64, i64) = sqlx::query_as(include_str!("counts_by_basis.sql"))
        .bind(account_id)
        .bind(window.start)
        .bind(window.end)
        .fetch_one(executor)
        .await?;
    Ok([start, end, overlap].map(|count| u64::try_from(count).unwrap_or(0)))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    pub content_hash: Vec<u8>,
    pub is_missing: bool,
}

/// By key.
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

/// Sessions across an edge that a window returns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crossing {
    /// Begun before the window.
    pub into: bool,
    /// Continued after it.
    pub out_of: bool,
}

impl Crossing {
    /// By start, an API returns sessions that reach out of the window; by end, those that reach into it.
    pub(super) fn of(basis: Option<Basis>) -> Self {
        Self {
            into: matches!(basis, Some(Basis::End | Basis::Overlap)),
            out_of: matches!(basis, Some(Basis::Start | Basis::Overlap)),
        }
    }
}

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
