//! Records that share an id belong to one contact.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Row};

use crate::transform::Ids;
use crate::transform::privacy::{Identifier, IdentifierKind, PrivacyKey};

use super::erase::{StoredRecord, records_of};
use crate::ledger::{LoadError, bigint};

/// An id of more records is a constant: following it would erase everyone.
pub(super) const MOST_SIBLINGS: usize = 20;

struct SiblingRow {
    key: String,
    ids: Ids,
}

impl FromRow<'_, PgRow> for SiblingRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let ids = Ids {
            session_id: row.try_get("session_id")?,
            conversation_id: row.try_get("conversation_id")?,
        };
        let key = row.try_get("key")?;
        Ok(Self { key, ids })
    }
}

pub struct Surroundings<'a> {
    /// With whether each is another person's.
    pub rejected: &'a [(&'a Ids, bool)],
    pub is_of_another: &'a (dyn Fn(&StoredRecord) -> bool + Sync),
}

#[derive(Debug)]
pub struct Contact {
    pub interactions: BTreeSet<String>,
    /// Perhaps of others.
    pub doubtful: BTreeSet<String>,
    ids: BTreeSet<Ids>,
    owners: BTreeMap<OneId, Ownership>,
}

/// Column and id.
type OneId = (&'static str, String);

const SESSION: &str = "session_id";
const CONVERSATION: &str = "conversation_id";

fn each(ids: &Ids) -> impl Iterator<Item = OneId> {
    let session = ids.session_id.clone().map(|id| (SESSION, id));
    let conversation = ids.conversation_id.clone().map(|id| (CONVERSATION, id));
    session.into_iter().chain(conversation)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ownership {
    Followed,
    Shared,
    Constant,
}

impl Contact {
    pub async fn of(
        connection: &mut PgConnection,
        account_id: &str,
        (interactions, ids): (BTreeSet<String>, BTreeSet<Ids>),
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, LoadError> {
        let mut contact = Self {
            interactions: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            ids,
            owners: BTreeMap::new(),
        };
        let named: Vec<SiblingRow> = sqlx::query_as(
            "select interaction_key::text as key, session_id, conversation_id from smartassist.sessions \
             where account_id = $1 and interaction_key = any($2::text[]::uuid[])",
        )
        .bind(account_id)
        .bind(Vec::from_iter(interactions))
        .fetch_all(&mut *connection)
        .await?;
        named.into_iter().for_each(|row| contact.add(row));
        while contact
            .add_siblings(&mut *connection, account_id, surroundings)
            .await?
        {}
        Ok(contact)
    }

    fn add(&mut self, row: SiblingRow) {
        self.interactions.insert(row.key);
        self.ids.insert(row.ids);
    }

    async fn add_siblings(
        &mut self,
        connection: &mut PgConnection,
        account_id: &str,
        surroundings: &Surroundings<'_>,
    ) -> Result<bool, LoadError> {
        let rejected = surroundings.rejected;
        let sessions = self.follow(connection, account_id, SESSION, rejected).await?;
        let conversations = self
            .follow(connection, account_id, CONVERSATION, rejected)
            .await?;
        if sessions.is_empty() && conversations.is_empty() {
            return Ok(false);
        }
        let rows: Vec<SiblingRow> = sqlx::query_as(
            "select interaction_key::text as key, session_id, conversation_id from smartassist.sessions \
             where account_id = $1 and (session_id = any($2) or conversation_id = any($3))",
        )
        .bind(account_id)
        .bind(sessions)
        .bind(conversations)
        .fetch_all(&mut *connection)
        .await?;
        let of_others = self
            .of_others(connection, account_id, &rows, surroundings)
            .await?;
        let of_rows = rows.iter().filter(|row| of_others.contains(&row.key));
        let of_rejected = rejected.iter().filter(|(_, is_other)| *is_other);
        let shared = of_rows
            .map(|row| &row.ids)
            .chain(of_rejected.map(|(ids, _)| *ids));
        for id in shared.flat_map(each) {
            if let Some(ownership @ Ownership::Followed) = self.owners.get_mut(&id) {
                *ownership = Ownership::Shared;
            }
        }
        for row in rows {
            if !of_others.contains(&row.key) && self.has(&row.ids) {
                self.add(row);
            } else if !self.interactions.contains(&row.key) {
                self.doubtful.insert(row.key);
            }
        }
        Ok(true)
    }

    async fn follow(
        &mut self,
        connection: &mut PgConnection,
        account_id: &str,
        column: &'static str,
        rejected: &[(&Ids, bool)],
    ) -> Result<Vec<String>, LoadError> {
        let is_new = |id: &OneId| id.0 == column && !self.owners.contains_key(id);
        let new = self.ids.iter().flat_map(each).filter(is_new);
        let new: BTreeSet<String> = new.map(|(_, id)| id).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        // PostgreSQL counts: a constant id may be in every row.
        let statement = format!(
            "select {column}, count(*) from smartassist.sessions \
             where account_id = $1 and {column} = any($2) group by {column}"
        );
        let stored: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(statement))
            .bind(account_id)
            .bind(Vec::from_iter(&new))
            .fetch_all(connection)
            .await?;
        let mut records: BTreeMap<String, i64> = stored.into_iter().collect();
        let of_rejected = rejected.iter().flat_map(|(ids, _)| each(ids));
        for (_, id) in of_rejected.filter(|id| id.0 == column) {
            *records.entry(id).or_default() += 1;
        }
        let most = bigint(MOST_SIBLINGS as u64);
        let (of_many, followed): (Vec<String>, Vec<String>) = new
            .into_iter()
            .partition(|id| records.get(id).is_some_and(|records| *records > most));
        let of_many = of_many.into_iter().map(|id| ((column, id), Ownership::Constant));
        let of_contact = followed.iter().cloned();
        let of_contact = of_contact.map(|id| ((column, id), Ownership::Followed));
        self.owners.extend(of_many.chain(of_contact));
        Ok(followed)
    }

    async fn of_others(
        &self,
        connection: &mut PgConnection,
        account_id: &str,
        rows: &[SiblingRow],
        surroundings: &Surroundings<'_>,
    ) -> Result<BTreeSet<String>, LoadError> {
        let ids = rows.iter().map(|row| row.key.as_str());
        let ids: Vec<&str> = ids.filter(|id| !self.interactions.contains(*id)).collect();
        let mut of_others = BTreeSet::new();
        let mut records = records_of(connection, account_id, &ids);
        while let Some(record) = records.try_next().await? {
            if (surroundings.is_of_another)(&record) {
                of_others.insert(record.id);
            }
        }
        Ok(of_others)
    }

    fn is_any(&self, ids: &Ids, ownership: Ownership) -> bool {
        each(ids).any(|id| self.owners.get(&id) == Some(&ownership))
    }

    pub fn has(&self, ids: &Ids) -> bool {
        self.is_any(ids, Ownership::Followed)
    }

    pub fn may_have(&self, ids: &Ids) -> bool {
        self.is_any(ids, Ownership::Shared)
    }

    /// Of ids that nobody else shares.
    pub fn identifiers(&self, account_id: &str, key: &PrivacyKey) -> Vec<Identifier> {
        let is_followed = |id: &OneId| self.owners.get(id) == Some(&Ownership::Followed);
        let all = self.ids.iter().flat_map(|ids| {
            let followed = each(ids).filter(is_followed);
            let followed: Vec<&str> = followed.map(|(column, _)| column).collect();
            let is_kept = move |identifier: &Identifier| match identifier.kind {
                IdentifierKind::Session => followed.contains(&SESSION),
                IdentifierKind::Conversation => followed.contains(&CONVERSATION),
                _ => !followed.is_empty(),
            };
            let identifiers = Identifier::of_ids(account_id, ids, key);
            identifiers.into_iter().filter(is_kept)
        });
        all.collect()
    }
}
