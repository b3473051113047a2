use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::transform::{Interaction, Rejected, RowGroup};

use crate::ledger::LoadError;

#[derive(Debug)]
pub(super) struct Stored {
    rows: HashMap<Uuid, StoredRow>,
    missed: HashSet<Uuid>,
    kept: HashSet<Uuid>,
}

#[derive(Debug, FromRow)]
struct StoredRow {
    interaction_key: Uuid,
    content_hash: Vec<u8>,
    last_changed_at: DateTime<Utc>,
    session_started_at: DateTime<Utc>,
    is_missing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    New,
    Content,
    None,
}

pub(super) async fn read(
    connection: &mut PgConnection,
    interactions: &[Interaction],
    rejected: &[Rejected],
) -> Result<Stored, LoadError> {
    let keys = interactions.iter().map(|interaction| interaction.key);
    let keys: Vec<Uuid> = keys
        .chain(rejected.iter().filter_map(|record| record.key))
        .collect();
    let rows: Vec<StoredRow> = sqlx::query_as(include_str!("stored.sql"))
        .bind(&keys)
        .fetch_all(&mut *connection)
        .await?;
    let missed: Vec<Uuid> = sqlx::query_scalar(
        "select interaction_key from smartassist_sync.absences where interaction_key = any($1)",
    )
    .bind(keys)
    .fetch_all(connection)
    .await?;
    Ok(Stored {
        rows: rows.into_iter().map(|row| (row.interaction_key, row)).collect(),
        missed: missed.into_iter().collect(),
        kept: HashSet::new(),
    })
}

/// From the first request for a window to its transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadSpan {
    pub(super) started_at: DateTime<Utc>,
    pub(super) written_at: DateTime<Utc>,
}

impl ReadSpan {
    /// A later instant only proves a fast clock.
    pub(super) fn contains(self, at: DateTime<Utc>) -> bool {
        self.started_at < at && at <= self.written_at
    }
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

    pub(super) fn keep(&mut self, keys: &[Uuid]) {
        self.kept.extend(keys);
    }

    pub(super) fn started_at(&self, key: Uuid) -> Option<DateTime<Utc>> {
        self.rows.get(&key).map(|row| row.session_started_at)
    }

    pub(super) fn last_changed_at(&self, key: Uuid) -> Option<DateTime<Utc>> {
        self.rows.get(&key).map(|row| row.last_changed_at)
    }

    /// Another window may have read a later version.
    pub(super) fn stored_since(
        &self,
        interactions: &[Interaction],
        rejected: &[Rejected],
        span: ReadSpan,
    ) -> bool {
        let is_other = |interaction: &&Interaction| {
            self.change_of(interaction) == Change::Content || self.is_missing(interaction.key)
        };
        let others = interactions.iter().filter(is_other);
        others
            .map(|interaction| interaction.key)
            .chain(rejected.iter().filter_map(|record| record.key))
            .filter_map(|key| self.last_changed_at(key))
            .any(|at| span.contains(at))
    }

    pub(super) fn is_missing(&self, key: Uuid) -> bool {
        self.rows.get(&key).is_some_and(|row| row.is_missing)
    }

    pub(super) fn was_missed(&self, key: Uuid) -> bool {
        self.missed.contains(&key)
    }
}
