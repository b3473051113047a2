//! Interactions that share an id are about the same contact: the session of a bot and the conversation
//! that it became, several conversations of one session. They are erased together.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use crate::transform::Ids;
use crate::transform::privacy::{Identifier, IdentifierKind, Key};

use super::LoadError;

/// An id of more interactions than this is none of one contact: some constant that a bot sends in its
/// place. It leads to nobody, or erasing one customer would erase all.
const MOST_SIBLINGS: usize = 20;

/// An interaction's own id, and its ids of the API.
type Row = (String, Option<String>, Option<String>);

/// What of one account is a customer's.
#[derive(Debug, Default)]
pub struct Contact {
    /// Their interactions.
    pub interactions: BTreeSet<String>,
    /// The ids of those, and of rejected records of theirs.
    ids: BTreeSet<Ids>,
    sessions: Group,
    conversations: Group,
}

/// The ids of one kind.
#[derive(Debug, Default)]
struct Group {
    /// Of those that were followed, those that lead to siblings.
    of_contact: BTreeSet<String>,
    /// Those of too many interactions.
    of_many: BTreeSet<String>,
}

impl Group {
    fn is_new(&self, id: &str) -> bool {
        !self.of_contact.contains(id) && !self.of_many.contains(id)
    }

    /// Takes these ids in by the number of interactions of each.
    fn follow(&mut self, ids: BTreeSet<String>, numbers: &BTreeMap<&str, usize>) {
        for id in ids {
            let number = numbers.get(id.as_str()).copied().unwrap_or(0);
            let is_of_many = number > MOST_SIBLINGS;
            if is_of_many {
                &mut self.of_many
            } else {
                &mut self.of_contact
            }
            .insert(id);
        }
    }
}

impl Contact {
    /// Everything that belongs together with these interactions, and with records of these ids.
    ///
    /// # Errors
    /// The database fails.
    pub async fn of(
        connection: &mut PgConnection,
        account_id: &str,
        interactions: BTreeSet<String>,
        ids: BTreeSet<Ids>,
    ) -> Result<Self, LoadError> {
        let mut contact = Self {
            ids,
            ..Self::default()
        };
        let named: Vec<Row> = sqlx::query_as(
            "select interaction_id, session_id, conversation_id from smartassist.sessions \
             where account_id = $1 and interaction_id = any($2)",
        )
        .bind(account_id)
        .bind(Vec::from_iter(interactions))
        .fetch_all(&mut *connection)
        .await?;
        named.into_iter().for_each(|row| contact.add(row));
        while contact.add_siblings(&mut *connection, account_id).await? {}
        Ok(contact)
    }

    fn add(&mut self, (interaction_id, session_id, conversation_id): Row) {
        self.interactions.insert(interaction_id);
        self.ids.insert(Ids {
            session_id,
            conversation_id,
        });
    }

    /// Whether ids were followed that had not been.
    async fn add_siblings(
        &mut self,
        connection: &mut PgConnection,
        account_id: &str,
    ) -> Result<bool, LoadError> {
        let new = |group: &Group, id: fn(&Ids) -> Option<&String>| -> BTreeSet<String> {
            let ids = self.ids.iter().filter_map(id);
            ids.filter(|id| group.is_new(id)).cloned().collect()
        };
        let sessions = new(&self.sessions, |ids| ids.session_id.as_ref());
        let conversations = new(&self.conversations, |ids| ids.conversation_id.as_ref());
        if sessions.is_empty() && conversations.is_empty() {
            return Ok(false);
        }
        let rows: Vec<Row> = sqlx::query_as(
            "select interaction_id, session_id, conversation_id from smartassist.sessions \
             where account_id = $1 and (session_id = any($2) or conversation_id = any($3))",
        )
        .bind(account_id)
        .bind(Vec::from_iter(&sessions))
        .bind(Vec::from_iter(&conversations))
        .fetch_all(connection)
        .await?;
        let (mut of_sessions, mut of_conversations) = (BTreeMap::new(), BTreeMap::new());
        for (_, session_id, conversation_id) in &rows {
            for (numbers, id) in [
                (&mut of_sessions, session_id),
                (&mut of_conversations, conversation_id),
            ] {
                if let Some(id) = id {
                    *numbers.entry(id.as_str()).or_insert(0_usize) += 1;
                }
            }
        }
        self.sessions.follow(sessions, &of_sessions);
        self.conversations.follow(conversations, &of_conversations);
        for row in rows {
            if self.has_id(row.1.as_deref(), row.2.as_deref()) {
                self.add(row);
            }
        }
        Ok(true)
    }

    fn has_id(&self, session_id: Option<&str>, conversation_id: Option<&str>) -> bool {
        let has = |group: &Group, id: Option<&str>| id.is_some_and(|id| group.of_contact.contains(id));
        has(&self.sessions, session_id) || has(&self.conversations, conversation_id)
    }

    /// Whether a record with these ids belongs to it.
    pub fn has(&self, ids: &Ids) -> bool {
        self.has_id(ids.session_id.as_deref(), ids.conversation_id.as_deref())
    }

    /// What it is recognized by later, also where nothing says whose it is.
    pub fn identifiers(&self, account_id: &str, key: &Key) -> Vec<Identifier> {
        let of_many =
            |group: &Group, id: &Option<String>| id.as_ref().is_some_and(|id| group.of_many.contains(id));
        let all = self.ids.iter().flat_map(|ids| {
            let identifiers = Identifier::of_ids(account_id, ids, key);
            let is_kept = move |identifier: &Identifier| match identifier.kind {
                IdentifierKind::Session => !of_many(&self.sessions, &ids.session_id),
                IdentifierKind::Conversation => !of_many(&self.conversations, &ids.conversation_id),
                _ => true,
            };
            identifiers.into_iter().filter(is_kept)
        });
        all.collect()
    }
}
