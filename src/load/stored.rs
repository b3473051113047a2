//! What is stored already of what a window returned: read once, before anything is written.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use crate::transform::{Interaction, Rejected};
use crate::window::Window;

use super::LoadError;

/// The stored rows that a window's interactions concern, by interaction id.
#[derive(Debug)]
pub(super) struct Stored {
    rows: HashMap<String, Row>,
    /// Those that stay as they are, whatever came.
    kept: HashSet<String>,
}

#[derive(Debug, FromRow)]
struct Row {
    interaction_id: String,
    content_hash: Vec<u8>,
    last_changed_at: DateTime<Utc>,
    session_started_at: DateTime<Utc>,
    is_missing: bool,
    is_bot_only: bool,
    was_missed: bool,
}

/// How an interaction differs from what is stored of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing is stored of it.
    New,
    /// Another version of it is stored.
    Content,
    /// This very version is stored.
    None,
}

/// Reads what is stored under the ids of the interactions and rejected records, and under the session ids of those
/// that are conversations: a bot-only session bears that id until it becomes one.
pub(super) async fn read(
    connection: &mut PgConnection,
    account_id: &str,
    interactions: &[Interaction],
    rejected: &[Rejected],
) -> Result<Stored, LoadError> {
    let ids = interactions.iter().map(Interaction::id);
    let ids: Vec<&str> = ids
        .chain(interactions.iter().filter_map(session_of_conversation))
        .chain(rejected.iter().filter_map(id_of))
        .collect();
    let rows: Vec<Row> = sqlx::query_as(include_str!("stored.sql"))
        .bind(account_id)
        .bind(ids)
        .fetch_all(connection)
        .await?;
    let by_id = |row: Row| (row.interaction_id.clone(), row);
    Ok(Stored {
        rows: rows.into_iter().map(by_id).collect(),
        kept: HashSet::new(),
    })
}

fn session_of_conversation(interaction: &Interaction) -> Option<&str> {
    let session = &interaction.rows.session;
    session
        .conversation_id
        .as_ref()
        .and(session.session_id.as_deref())
}

fn id_of(rejected: &Rejected) -> Option<&str> {
    rejected.interaction_id.as_deref()
}

/// Instants between which a window was read and written: after the first, up to the second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meanwhile {
    pub(super) started_at: DateTime<Utc>,
    pub(super) written_at: DateTime<Utc>,
}

impl Meanwhile {
    /// Whether another window was written then. A clock that was ahead proves nothing.
    pub(super) fn has(self, at: DateTime<Utc>) -> bool {
        self.started_at < at && at <= self.written_at
    }
}

impl Stored {
    pub(super) fn change_of(&self, interaction: &Interaction) -> Change {
        match self.rows.get(interaction.id()) {
            None => Change::New,
            Some(row) if self.kept.contains(&row.interaction_id) => Change::None,
            Some(row) if row.content_hash == interaction.content_hash => Change::None,
            Some(_) => Change::Content,
        }
    }

    /// Has these stay as they are.
    pub(super) fn keep(&mut self, interaction_ids: &[String]) {
        self.kept.extend(interaction_ids.iter().cloned());
    }

    /// The start that is stored of it.
    pub(super) fn started_at(&self, interaction_id: &str) -> Option<DateTime<Utc>> {
        self.rows.get(interaction_id).map(|row| row.session_started_at)
    }

    /// When the row of it was last written, if there is one.
    pub(super) fn last_changed_at(&self, interaction_id: &str) -> Option<DateTime<Utc>> {
        self.rows.get(interaction_id).map(|row| row.last_changed_at)
    }

    /// Whether one of these was stored otherwise, or marked as missing, by another window meanwhile: that may have been
    /// read later than this version of it.
    pub(super) fn overtaken(
        &self,
        interactions: &[Interaction],
        rejected: &[Rejected],
        meanwhile: Meanwhile,
    ) -> bool {
        let is_other = |interaction: &&Interaction| {
            self.change_of(interaction) == Change::Content || self.is_missing(interaction.id())
        };
        let others = interactions.iter().filter(is_other).map(Interaction::id);
        others
            .chain(rejected.iter().filter_map(id_of))
            .filter_map(|id| self.last_changed_at(id))
            .any(|at| meanwhile.has(at))
    }

    /// Whether the row says that the API no longer returns it.
    pub(super) fn is_missing(&self, interaction_id: &str) -> bool {
        self.rows.get(interaction_id).is_some_and(|row| row.is_missing)
    }

    /// Whether an earlier window missed it.
    pub(super) fn was_missed(&self, interaction_id: &str) -> bool {
        self.rows.get(interaction_id).is_some_and(|row| row.was_missed)
    }

    /// Ids of bot-only sessions that live on as one of these conversations, and that the API no
    /// longer returned beside it, although these are all interactions of the window and they
    /// started in it.
    pub(super) fn superseded<'a>(&self, window: Window, interactions: &'a [Interaction]) -> Vec<&'a str> {
        let is_returned = |id: &str| interactions.iter().any(|interaction| interaction.id() == id);
        let is_live_bot_row = |id: &str| {
            self.rows.get(id).is_some_and(|row| {
                let start = row.session_started_at;
                row.is_bot_only && !row.is_missing && window.start <= start && start < window.end
            })
        };
        let mut superseded: Vec<&str> = interactions
            .iter()
            .filter_map(session_of_conversation)
            .filter(|id| is_live_bot_row(id) && !is_returned(id))
            .collect();
        // Several conversations can have grown out of one session.
        superseded.sort_unstable();
        superseded.dedup();
        superseded
    }
}
