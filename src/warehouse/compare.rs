use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, PgExecutor, Row};
use uuid::Uuid;

use super::missing;
use crate::ledger::{LoadError, from_bigint};
use crate::postgres::Pool;
use crate::time::Window;
use crate::transform::{Ids, Interaction, Rejected, RowGroup};

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

/// From when the API serves interactions, and until when all are loaded.
pub async fn loaded(pool: &Pool, account_id: &str) -> Result<[Option<DateTime<Utc>>; 2], LoadError> {
    let edges = sqlx::query(
        "select served_from, upper(coverage) from smartassist_sync.accounts where account_id = $1",
    )
    .bind(account_id)
    .fetch_optional(pool)
    .await?;
    let Some(edges) = edges else {
        return Ok([None, None]);
    };
    Ok([edges.try_get(0)?, edges.try_get(1)?])
}

/// By start, by end, by overlap, without missing ones.
pub async fn counts(pool: &Pool, account_id: &str, window: Window) -> Result<[u64; 3], LoadError> {
    let (start, end, overlap): (i64, i64, i64) = sqlx::query_as(include_str!("counts_by_basis.sql"))
        .bind(account_id)
        .bind(window.start)
        .bind(window.end)
        .fetch_one(pool)
        .await?;
    Ok([start, end, overlap].map(from_bigint))
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredVersion {
    interaction_key: Uuid,
    pub content_hash: Vec<u8>,
    pub is_missing: bool,
    pub last_changed_at: DateTime<Utc>,
    session_started_at: DateTime<Utc>,
}

pub async fn versions(
    executor: impl PgExecutor<'_>,
    keys: &[Uuid],
) -> Result<HashMap<Uuid, StoredVersion>, LoadError> {
    let stored: Vec<StoredVersion> = sqlx::query_as(include_str!("stored.sql"))
        .bind(keys)
        .fetch_all(executor)
        .await?;
    Ok(stored.into_iter().map(|one| (one.interaction_key, one)).collect())
}

/// Sessions that the API had to return beyond these.
pub async fn count_absent(
    pool: &Pool,
    account_id: &str,
    (window, basis): (Window, Option<Basis>),
    keys: &[Uuid],
    rejected: &[Ids],
) -> Result<usize, LoadError> {
    let filters_changed_at: Option<Option<DateTime<Utc>>> =
        sqlx::query_scalar("select filters_changed_at from smartassist_sync.accounts where account_id = $1")
            .bind(account_id)
            .fetch_optional(pool)
            .await?;
    let asked = (window, basis);
    let candidates = missing::candidates(pool, account_id, asked, filters_changed_at.flatten()).await?;
    let returned = missing::Returned::of(keys.iter().copied(), rejected.iter());
    let is_absent = |session: &&missing::Candidate| session.is_owed && !returned.has(session);
    Ok(candidates.iter().filter(is_absent).count())
}

#[derive(Debug)]
pub(super) struct Stored {
    rows: HashMap<Uuid, StoredVersion>,
    pub(super) missed: HashSet<Uuid>,
    pub(super) kept: HashSet<Uuid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    New,
    Content,
    None,
}

pub(super) async fn stored(
    connection: &mut PgConnection,
    interactions: &[&Interaction],
    rejected: &[&Rejected],
) -> Result<Stored, LoadError> {
    let keys = interactions.iter().map(|interaction| interaction.key);
    let keys: Vec<Uuid> = keys
        .chain(rejected.iter().filter_map(|record| record.key))
        .collect();
    let rows = versions(&mut *connection, &keys).await?;
    let missed: Vec<Uuid> = sqlx::query_scalar(
        "select interaction_key from smartassist_sync.absences where interaction_key = any($1)",
    )
    .bind(keys)
    .fetch_all(connection)
    .await?;
    Ok(Stored {
        rows,
        missed: missed.into_iter().collect(),
        kept: HashSet::new(),
    })
}

impl Stored {
    pub(super) fn change_of(&self, interaction: &Interaction) -> Change {
        match self.rows.get(&interaction.key) {
            None => Change::New,
            Some(_) if self.kept.contains(&interaction.key) => Change::None,
            Some(row) if row.content_hash == interaction.content_hash => Change::None,
            Some(_) => Change::Content,
        }
    }

    pub(super) fn is_same(&self, group: RowGroup, interaction: &Interaction) -> bool {
        let stored = self.rows.get(&interaction.key);
        stored.is_some_and(|row| group.is_same(&row.content_hash, &interaction.content_hash))
    }

    pub(super) fn started_at(&self, key: Uuid) -> Option<DateTime<Utc>> {
        self.rows.get(&key).map(|row| row.session_started_at)
    }

    pub(super) fn last_changed_at(&self, key: Uuid) -> Option<DateTime<Utc>> {
        self.rows.get(&key).map(|row| row.last_changed_at)
    }

    /// Another window may have read a later version.
    pub(super) fn others_stored_at(
        &self,
        interactions: &[&Interaction],
        rejected: &[&Rejected],
    ) -> impl Iterator<Item = DateTime<Utc>> {
        let is_other = |interaction: &&&Interaction| {
            self.change_of(interaction) == Change::Content || self.is_missing(interaction.key)
        };
        let others = interactions.iter().filter(is_other);
        others
            .map(|interaction| interaction.key)
            .chain(rejected.iter().filter_map(|record| record.key))
            .filter_map(|key| self.last_changed_at(key))
    }

    pub(super) fn is_missing(&self, key: Uuid) -> bool {
        self.rows.get(&key).is_some_and(|row| row.is_missing)
    }
}
