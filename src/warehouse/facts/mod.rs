//! Facts that reports count, written with their rows.

mod rebuild;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::future::join;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::transform::facts::{
    self, AgentOffer, FactBasis, Facts, InteractionFact, QueueVisit, dimension_key,
};
use crate::transform::{Rows, TableRow};

use super::batch::Batch;
use super::siblings::MOST_SIBLINGS;
use crate::ledger::{LoadError, bigint};

pub use rebuild::{forget_orphans, forget_unnamed, forget_unseen, rebuild_some};

const TABLES: [&str; 3] = [QueueVisit::NAME, AgentOffer::NAME, InteractionFact::NAME];

const MADE_AT_ONCE: usize = 16;

/// Only of interactions that the API still returns.
pub(super) type Counted<'a> = (Uuid, &'a Rows);

/// Customer, start.
type DeletedContact = (Uuid, DateTime<Utc>);

/// Replaces the facts of `counted`; `others` lose theirs. Writes rows once siblings are known: until then, an index alone
/// tells that a conversation is new.
pub(super) async fn replace(
    connection: &mut PgConnection,
    account_id: &str,
    counted: &[Counted<'_>],
    (others, are_deleted): (&[Uuid], bool),
    write_rows: impl AsyncFnOnce(&mut PgConnection) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let own = counted.iter().map(|(key, _)| *key);
    let keys: BTreeSet<Uuid> = own.chain(others.iter().copied()).collect();
    if keys.is_empty() || cfg!(feature = "without-facts") {
        return write_rows(connection).await;
    }
    let basis = basis(connection, account_id).await?;
    let clearing_and_writing = async {
        let cleared = clear(connection, account_id, (counted, others), keys, are_deleted).await?;
        write_rows(connection).await?;
        Ok::<_, LoadError>(cleared)
    };
    // Made while PostgreSQL is at work.
    let (cleared, mut facts) = join(clearing_and_writing, make(counted, &basis)).await;
    let (of_several, siblings, deleted) = cleared?;
    let siblings: Vec<Counted<'_>> = siblings.iter().map(|(key, rows)| (*key, rows)).collect();
    facts.extend(make(&siblings, &basis).await);
    count_once(&mut facts, &of_several);
    order_contacts(connection, account_id, &mut facts, &deleted).await?;
    insert(connection, account_id, &facts).await?;
    let all: Vec<Counted<'_>> = counted.iter().copied().chain(siblings).collect();
    note_names(connection, account_id, &all).await
}

pub(super) async fn rewrite(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[Uuid],
) -> Result<(), LoadError> {
    let read = rebuild::rows(connection, keys).await?;
    let counted: Vec<Counted<'_>> = read.iter().map(|(key, rows)| (*key, rows)).collect();
    replace(connection, account_id, &counted, (keys, false), nothing).await
}

/// Call before interactions are deleted: what repeats in other records counts there again.
pub(super) async fn forget(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[Uuid],
) -> Result<(), LoadError> {
    replace(connection, account_id, &[], (keys, true), nothing).await
}

async fn nothing(_: &mut PgConnection) -> Result<(), LoadError> {
    Ok(())
}

async fn make<'a>(counted: &[Counted<'a>], basis: &FactBasis) -> Vec<(Uuid, Facts<'a>)> {
    let mut facts = Vec::with_capacity(counted.len());
    for some in counted.chunks(MADE_AT_ONCE) {
        facts.extend(
            some.iter()
                .filter_map(|(key, rows)| Some((*key, Facts::of(rows, basis)?))),
        );
        tokio::task::yield_now().await;
    }
    facts
}

/// Returns records of conversations of several records, rows of siblings, and deleted contacts.
async fn clear(
    connection: &mut PgConnection,
    account_id: &str,
    (counted, others): (&[Counted<'_>], &[Uuid]),
    mut keys: BTreeSet<Uuid>,
    are_deleted: bool,
) -> Result<(Vec<Uuid>, Vec<(Uuid, Rows)>, Vec<DeletedContact>), LoadError> {
    let conversations = conversations_of(connection, counted, others).await?;
    let Siblings {
        of_several,
        of_constants,
    } = siblings(connection, account_id, conversations, &keys, are_deleted).await?;
    let siblings = of_several.iter().chain(&of_constants).copied();
    let siblings: Vec<Uuid> = siblings.filter(|key| !keys.contains(key)).collect();
    keys.extend(&siblings);
    let siblings = rebuild::rows(connection, &siblings).await?;
    let deleted = delete(connection, &Vec::from_iter(keys)).await?;
    Ok((of_several, siblings, deleted))
}

/// In each table: somebody may have deleted in one of them.
async fn delete(connection: &mut PgConnection, keys: &[Uuid]) -> Result<Vec<DeletedContact>, LoadError> {
    let deleted: Vec<(Option<Uuid>, DateTime<Utc>)> = sqlx::query_as(
        "delete from smartassist.fact_interactions where interaction_key = any($1) \
         returning contact_key, session_started_at",
    )
    .bind(keys)
    .fetch_all(&mut *connection)
    .await?;
    for table in [QueueVisit::NAME, AgentOffer::NAME] {
        sqlx::query(AssertSqlSafe(format!(
            "delete from {table} where interaction_key = any($1)"
        )))
        .bind(keys)
        .execute(&mut *connection)
        .await?;
    }
    let contacts = deleted
        .into_iter()
        .filter_map(|(customer, at)| Some((customer?, at)));
    Ok(contacts.collect())
}

async fn insert(
    connection: &mut PgConnection,
    account_id: &str,
    facts: &[(Uuid, Facts<'_>)],
) -> Result<(), LoadError> {
    let visits = facts
        .iter()
        .flat_map(|(key, facts)| facts.visits.iter().map(|visit| (*key, visit)));
    Batch::of_facts(visits, account_id).copy(connection).await?;
    let offers = facts
        .iter()
        .flat_map(|(key, facts)| facts.offers.iter().map(|offer| (*key, offer)));
    Batch::of_facts(offers, account_id).copy(connection).await?;
    let interactions = facts.iter().map(|(key, facts)| (*key, &facts.interaction));
    Batch::of_facts(interactions, account_id).copy(connection).await
}

async fn basis(connection: &mut PgConnection, account_id: &str) -> Result<FactBasis, LoadError> {
    let (time_zone, shown_tags, contact_secret): (Option<String>, Option<Vec<String>>, Vec<u8>) =
        sqlx::query_as(
            "select reporting.time_zone, reporting.shown_tags, contact.secret \
         from smartassist_sync.contact_key_secret as contact \
         left join smartassist.reporting as reporting on reporting.account_id = $1",
        )
        .bind(account_id)
        .fetch_one(connection)
        .await?;
    let known = time_zone.and_then(|name| name.parse().ok());
    Ok(FactBasis {
        time_zone: known.unwrap_or(Tz::UTC),
        contact_secret,
        shown_tags: shown_tags.unwrap_or_default(),
    })
}

/// Links new contacts, which are not stored yet, and stored ones with the customer's next one.
async fn order_contacts(
    connection: &mut PgConnection,
    account_id: &str,
    facts: &mut [(Uuid, Facts<'_>)],
    deleted: &[DeletedContact],
) -> Result<(), LoadError> {
    let new = facts.iter().filter_map(|(key, facts)| {
        let (customer, started_at) = facts.interaction.contact()?;
        Some(((*key, &*facts.interaction.channel), (customer, started_at)))
    });
    type Columns<A, B> = (Vec<A>, Vec<B>);
    let ((keys, channels), (customers, starts)): (Columns<_, _>, Columns<_, _>) = new.unzip();
    let deleted_starts = deleted.iter().map(|(_, started_at)| started_at);
    let Some(since) = starts.iter().chain(deleted_starts).min() else {
        return Ok(());
    };
    let of_deleted = deleted.iter().map(|(customer, _)| customer);
    let touched: BTreeSet<Uuid> = customers.iter().chain(of_deleted).copied().collect();
    let differing: Vec<(Uuid, Option<DateTime<Utc>>, Option<String>)> =
        sqlx::query_as(include_str!("contacts.sql"))
            .bind(account_id)
            .bind(Vec::from_iter(touched))
            .bind(since)
            .bind(&keys)
            .bind(&customers)
            .bind(&starts)
            .bind(&channels)
            .fetch_all(&mut *connection)
            .await?;
    let mut next: HashMap<Uuid, _> = differing
        .into_iter()
        .map(|(key, at, channel)| (key, (at, channel)))
        .collect();
    for (key, facts) in facts {
        let known = next.remove(key).unwrap_or_default();
        (facts.interaction.next_at, facts.interaction.next_channel) = known;
    }
    if next.is_empty() {
        return Ok(());
    }
    let (keys, (starts, channels)): (Vec<_>, Columns<_, _>) = next.into_iter().unzip();
    sqlx::query(
        "update smartassist.fact_interactions as contact set next_at = following.at, next_channel = following.channel \
         from unnest($1::uuid[], $2::timestamptz[], $3::text[]) as following (interaction_key, at, channel) \
         where contact.interaction_key = following.interaction_key",
    )
    .bind(keys)
    .bind(starts)
    .bind(channels)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ids, with records of `counted`.
async fn conversations_of(
    connection: &mut PgConnection,
    counted: &[Counted<'_>],
    others: &[Uuid],
) -> Result<BTreeMap<String, BTreeSet<Uuid>>, LoadError> {
    let mut conversations: BTreeMap<String, BTreeSet<Uuid>> = BTreeMap::new();
    for (key, rows) in counted {
        if let Some(id) = &rows.session.conversation_id {
            conversations.entry(id.clone()).or_default().insert(*key);
        }
    }
    if !others.is_empty() {
        let of_others: Vec<Option<String>> = sqlx::query_scalar(
            "select distinct conversation_id from smartassist.sessions where interaction_key = any($1)",
        )
        .bind(others)
        .fetch_all(connection)
        .await?;
        for id in of_others.into_iter().flatten() {
            conversations.entry(id).or_default();
        }
    }
    Ok(conversations)
}

#[derive(Default)]
struct Siblings {
    /// Each record has the conversation's stays and offers so far: these count once.
    of_several: Vec<Uuid>,
    /// An id of too many records is a constant and is ignored. Others of one that may just have become so.
    of_constants: Vec<Uuid>,
}

async fn siblings(
    connection: &mut PgConnection,
    account_id: &str,
    mut conversations: BTreeMap<String, BTreeSet<Uuid>>,
    keys: &BTreeSet<Uuid>,
    are_deleted: bool,
) -> Result<Siblings, LoadError> {
    while !conversations.is_empty() {
        let ids: Vec<&str> = conversations.keys().map(String::as_str).collect();
        let most = bigint((ids.len() * MOST_SIBLINGS + keys.len()) as u64);
        let stored: Vec<(String, Vec<Uuid>, i64)> = sqlx::query_as(include_str!("conversations.sql"))
            .bind(account_id)
            .bind(&ids)
            .bind(most + 1)
            .fetch_all(&mut *connection)
            .await?;
        let are_all_read = stored.first().is_none_or(|(.., read)| *read <= most);
        let of_others = |records: &[Uuid]| records.iter().filter(|key| !keys.contains(key)).count();
        // Constants before and after, of which at least one is there if not all were read.
        for (id, records, _) in stored {
            if of_others(&records) > MOST_SIBLINGS {
                conversations.remove(&id);
            } else if are_all_read && let Some(all) = conversations.get_mut(&id) {
                all.extend(records);
            }
        }
        if are_all_read {
            break;
        }
    }
    let mut siblings = Siblings::default();
    for records in conversations.into_values().filter(|records| records.len() > 1) {
        let others: Vec<Uuid> = records.difference(keys).copied().collect();
        let left = if are_deleted { others.len() } else { records.len() };
        if left > MOST_SIBLINGS {
            siblings.of_constants.extend(others);
        } else {
            siblings.of_several.extend(records);
        }
    }
    Ok(siblings)
}

fn count_once(facts: &mut [(Uuid, Facts<'_>)], of_several: &[Uuid]) {
    let mut conversations: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (key, facts) in facts.iter_mut().filter(|(key, _)| of_several.contains(key)) {
        if let Some(conversation) = facts.interaction.conversation_id {
            conversations.entry(conversation).or_default().push((*key, facts));
        }
    }
    conversations.into_values().for_each(facts::count_once);
}

/// Queues and agents with their last names, and labels that tell namesakes apart.
async fn note_names(
    connection: &mut PgConnection,
    account_id: &str,
    counted: &[Counted<'_>],
) -> Result<(), LoadError> {
    let rows = counted.iter().map(|(_, rows)| *rows);
    let (mut queues, mut agents) = (Seen::default(), Seen::default());
    for rows in rows.filter(|rows| !rows.session.is_shadow) {
        let started_at = rows.session.session_started_at;
        for queue in rows.destinations.iter().filter(|one| one.is_queue()) {
            let at = queue.entered_at.unwrap_or(started_at);
            queues.see(queue.queue_id.as_deref(), queue.queue_name.as_deref(), at);
        }
        for agent in &rows.agent_segments {
            let at = agent.assigned_at.or(agent.accepted_at).unwrap_or(started_at);
            agents.see(agent.agent_id.as_deref(), agent.agent_name.as_deref(), at);
        }
    }
    queues.store(connection, account_id, "queue").await?;
    agents.store(connection, account_id, "agent").await
}

/// By key: id, last name, last instant.
#[derive(Default)]
struct Seen<'a>(BTreeMap<&'a str, (Option<&'a str>, LastName<'a>, DateTime<Utc>)>);

type LastName<'a> = Option<(DateTime<Utc>, &'a str)>;

impl<'a> Seen<'a> {
    fn see(&mut self, id: Option<&'a str>, name: Option<&'a str>, at: DateTime<Utc>) {
        let key = dimension_key(id, name);
        let name = name.map(|name| (at, name));
        let seen = self.0.entry(key).or_insert((id, name, at));
        *seen = (seen.0.max(id), seen.1.max(name), seen.2.max(at));
    }

    async fn store(
        self,
        connection: &mut PgConnection,
        account_id: &str,
        noun: &str,
    ) -> Result<(), LoadError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let of_noun = |statement: &str| AssertSqlSafe(statement.replace("{noun}", noun));
        let keys: Vec<&str> = self.0.keys().copied().collect();
        let seen = self.0.into_values();
        let (ids, names, times): (Vec<_>, Vec<_>, Vec<_>) = seen
            .map(|(id, name, at)| (id, name.map(|(_, name)| name), at))
            .collect();
        let named = sqlx::query(of_noun(include_str!("name.sql")))
            .bind(account_id)
            .bind(keys)
            .bind(ids)
            .bind(names)
            .bind(times)
            .execute(&mut *connection)
            .await?;
        if named.rows_affected() > 0 {
            let label = sqlx::query(of_noun(include_str!("label.sql")));
            label.bind(account_id).execute(connection).await?;
        }
        Ok(())
    }
}
