//! Records that share an id belong to one contact.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Row};

use crate::transform::Ids;
use crate::transform::privacy::{Identifier, IdentifierKind, PrivacyKey};

use super::erase::{StoredRecord, records_of};
use crate::ledger::LoadError;

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
    /// Whether it is another person's.
    pub is_of_another: &'a (dyn Fn(&StoredRecord) -> bool + Sync),
}

/// All records of one customer.
#[derive(Debug)]
pub struct Contact {
    pub interactions: BTreeSet<String>,
    /// Perhaps of others.
    pub doubtful: BTreeSet<String>,
    ids: BTreeSet<Ids>,
    sessions: Group,
    conversations: Group,
}

#[derive(Debug)]
struct Group {
    column: &'static str,
    id: fn(&Ids) -> Option<&String>,
    of_contact: BTreeSet<String>,
    of_several: BTreeSet<String>,
    of_many: BTreeSet<String>,
}

impl Group {
    fn new(column: &'static str, id: fn(&Ids) -> Option<&String>) -> Self {
        Self {
            column,
            id,
            of_contact: BTreeSet::new(),
            of_several: BTreeSet::new(),
            of_many: BTreeSet::new(),
        }
    }

    /// Returns the new ones.
    async fn follow(
        &mut self,
        connection: &mut PgConnection,
        account_id: &str,
        ids: &BTreeSet<Ids>,
        rejected: &[(&Ids, bool)],
    ) -> Result<Vec<String>, LoadError> {
        let is_new = |id: &&String| {
            let known = [&self.of_contact, &self.of_several, &self.of_many];
            known.iter().all(|ids| !ids.contains(*id))
        };
        let new: BTreeSet<&String> = ids.iter().filter_map(self.id).filter(is_new).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        // PostgreSQL counts: a constant id may be in every row.
        let statement = format!(
            "select {0}, count(*) from smartassist.sessions where account_id = $1 and {0} = any($2) group by {0}",
            self.column
        );
        let stored: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(statement))
            .bind(account_id)
            .bind(Vec::from_iter(&new))
            .fetch_all(connection)
            .await?;
        let stored: BTreeMap<String, i64> = stored.into_iter().collect();
        let is_of_many = |id: &String| {
            let rejected = rejected.iter().filter(|(ids, _)| (self.id)(ids) == Some(id));
            let stored = usize::try_from(stored.get(id).copied().unwrap_or(0));
            stored.unwrap_or(usize::MAX).saturating_add(rejected.count()) > MOST_SIBLINGS
        };
        let (of_many, followed): (Vec<String>, Vec<String>) = new.into_iter().cloned().partition(is_of_many);
        self.of_many.extend(of_many);
        self.of_contact.extend(followed.iter().cloned());
        Ok(followed)
    }

    fn is_followed(&self, ids: &Ids) -> bool {
        (self.id)(ids).is_some_and(|id| self.of_contact.contains(id))
    }

    fn is_shared(&self, ids: &Ids) -> bool {
        (self.id)(ids).is_some_and(|id| self.of_several.contains(id))
    }

    fn share(&mut self, ids: &Ids) {
        if let Some(id) = (self.id)(ids).and_then(|id| self.of_contact.take(id)) {
            self.of_several.insert(id);
        }
    }
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
            sessions: Group::new("session_id", |ids| ids.session_id.as_ref()),
            conversations: Group::new("conversation_id", |ids| ids.conversation_id.as_ref()),
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
        let (ids, sessions) = (&self.ids, &mut self.sessions);
        let sessions = sessions.follow(connection, account_id, ids, rejected).await?;
        let conversations = &mut self.conversations;
        let conversations = conversations
            .follow(connection, account_id, ids, rejected)
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
        for ids in of_rows
            .map(|row| &row.ids)
            .chain(of_rejected.map(|(ids, _)| *ids))
        {
            self.sessions.share(ids);
            self.conversations.share(ids);
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

    pub fn has(&self, ids: &Ids) -> bool {
        self.sessions.is_followed(ids) || self.conversations.is_followed(ids)
    }

    pub fn may_have(&self, ids: &Ids) -> bool {
        self.sessions.is_shared(ids) || self.conversations.is_shared(ids)
    }

    /// Of ids that nobody else shares.
    pub fn identifiers(&self, account_id: &str, key: &PrivacyKey) -> Vec<Identifier> {
        let all = self.ids.iter().flat_map(|ids| {
            let is_by_session = self.sessions.is_followed(ids);
            let is_by_conversation = self.conversations.is_followed(ids);
            let identifiers = Identifier::of_ids(account_id, ids, key);
            let is_kept = move |identifier: &Identifier| match identifier.kind {
                IdentifierKind::Session => is_by_session,
                IdentifierKind::Conversation => is_by_conversation,
                _ => is_by_session || is_by_conversation,
            };
            identifiers.into_iter().filter(is_kept)
        });
        all.collect()
    }
}
