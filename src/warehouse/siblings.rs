//! Records that share an id belong to one contact.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};

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
#[derive(Debug, Default)]
pub struct Contact {
    pub interactions: BTreeSet<String>,
    /// Perhaps of others.
    pub doubtful: BTreeSet<String>,
    ids: BTreeSet<Ids>,
    sessions: Group,
    conversations: Group,
}

#[derive(Debug, Default)]
struct Group {
    of_contact: BTreeSet<String>,
    of_several: BTreeSet<String>,
    of_many: BTreeSet<String>,
}

impl Group {
    fn is_new(&self, id: &str) -> bool {
        [&self.of_contact, &self.of_several, &self.of_many]
            .iter()
            .all(|ids| !ids.contains(id))
    }

    fn is_followed(&self, id: Option<&String>) -> bool {
        id.is_some_and(|id| self.of_contact.contains(id))
    }

    fn is_shared(&self, id: Option<&String>) -> bool {
        id.is_some_and(|id| self.of_several.contains(id))
    }

    fn follow<'a>(
        &mut self,
        mut numbers: BTreeMap<String, usize>,
        rejected: impl Iterator<Item = Option<&'a String>>,
    ) {
        for id in rejected.flatten() {
            if let Some(number) = numbers.get_mut(id) {
                *number += 1;
            }
        }
        for (id, number) in numbers {
            match number > MOST_SIBLINGS {
                true => self.of_many.insert(id),
                false => self.of_contact.insert(id),
            };
        }
    }

    fn share(&mut self, id: Option<&String>) {
        if let Some(id) = id.and_then(|id| self.of_contact.take(id)) {
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
            ids,
            ..Self::default()
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
        let new = |group: &Group, id: fn(&Ids) -> Option<&String>| -> Vec<String> {
            let ids: BTreeSet<&String> = self.ids.iter().filter_map(id).collect();
            ids.into_iter().filter(|id| group.is_new(id)).cloned().collect()
        };
        let sessions = new(&self.sessions, |ids| ids.session_id.as_ref());
        let conversations = new(&self.conversations, |ids| ids.conversation_id.as_ref());
        if sessions.is_empty() && conversations.is_empty() {
            return Ok(false);
        }
        let (of_sessions, of_conversations) =
            numbers(&mut *connection, account_id, &sessions, &conversations).await?;
        let rejected = || surroundings.rejected.iter().map(|(ids, _)| *ids);
        self.sessions
            .follow(of_sessions, rejected().map(|ids| ids.session_id.as_ref()));
        self.conversations.follow(
            of_conversations,
            rejected().map(|ids| ids.conversation_id.as_ref()),
        );
        let followed = |new: Vec<String>, group: &Group| -> Vec<String> {
            new.into_iter()
                .filter(|id| group.of_contact.contains(id))
                .collect()
        };
        let rows: Vec<SiblingRow> = sqlx::query_as(
            "select interaction_key::text as key, session_id, conversation_id from smartassist.sessions \
             where account_id = $1 and (session_id = any($2) or conversation_id = any($3))",
        )
        .bind(account_id)
        .bind(followed(sessions, &self.sessions))
        .bind(followed(conversations, &self.conversations))
        .fetch_all(&mut *connection)
        .await?;
        let of_others = self
            .of_others(connection, account_id, &rows, surroundings)
            .await?;
        for row in &rows {
            if of_others.contains(&row.key) {
                self.share(&row.ids);
            }
        }
        for (ids, _) in surroundings.rejected.iter().filter(|(_, is_other)| *is_other) {
            self.share(ids);
        }
        for row in rows {
            let is_of_another = of_others.contains(&row.key);
            if !is_of_another && self.has(&row.ids) {
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

    fn share(&mut self, ids: &Ids) {
        self.sessions.share(ids.session_id.as_ref());
        self.conversations.share(ids.conversation_id.as_ref());
    }

    pub fn has(&self, ids: &Ids) -> bool {
        self.sessions.is_followed(ids.session_id.as_ref())
            || self.conversations.is_followed(ids.conversation_id.as_ref())
    }

    pub fn may_have(&self, ids: &Ids) -> bool {
        self.sessions.is_shared(ids.session_id.as_ref())
            || self.conversations.is_shared(ids.conversation_id.as_ref())
    }

    /// Of ids that nobody else shares.
    pub fn identifiers(&self, account_id: &str, key: &PrivacyKey) -> Vec<Identifier> {
        let all = self.ids.iter().flat_map(|ids| {
            let is_by_session = self.sessions.is_followed(ids.session_id.as_ref());
            let is_by_conversation = self.conversations.is_followed(ids.conversation_id.as_ref());
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

async fn numbers(
    connection: &mut PgConnection,
    account_id: &str,
    sessions: &[String],
    conversations: &[String],
) -> Result<(BTreeMap<String, usize>, BTreeMap<String, usize>), LoadError> {
    // PostgreSQL counts: a constant id may be in every row.
    let counted: Vec<(bool, String, i64)> = sqlx::query_as(
        "select true, session_id, count(*) from smartassist.sessions \
         where account_id = $1 and session_id = any($2) group by session_id \
         union all \
         select false, conversation_id, count(*) from smartassist.sessions \
         where account_id = $1 and conversation_id = any($3) group by conversation_id",
    )
    .bind(account_id)
    .bind(sessions)
    .bind(conversations)
    .fetch_all(connection)
    .await?;
    let none = |ids: &[String]| -> BTreeMap<String, usize> { ids.iter().map(|id| (id.clone(), 0)).collect() };
    let (mut of_sessions, mut of_conversations) = (none(sessions), none(conversations));
    for (is_session, id, number) in counted {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        match is_session {
            true => of_sessions.insert(id, number),
            false => of_conversations.insert(id, number),
        };
    }
    Ok((of_sessions, of_conversations))
}
