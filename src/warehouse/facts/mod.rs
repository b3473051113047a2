//! Facts that reports count, written with the rows in one transaction, so that they never differ.

mod conversations;
mod names;
mod rebuild;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::future::join;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::transform::Rows;
use crate::transform::facts::{AgentOffer, FactBasis, FactRow, Facts, InteractionFact, QueueVisit};

use super::batch::Batch;
use crate::ledger::LoadError;

pub use rebuild::{forget_orphans, forget_unnamed, forget_unseen, left, rebuild_some};

const TABLES: [&str; 3] = [QueueVisit::TABLE, AgentOffer::TABLE, InteractionFact::TABLE];

const MADE_AT_ONCE: usize = 16;

/// Only of interactions that the API still returns.
pub(super) type Counted<'a> = (Uuid, &'a Rows);

/// A contact that came, went or moved.
type Touched = (Uuid, DateTime<Utc>);

/// Replaces the facts of `counted`; `others` lose theirs.
pub(super) async fn write(
    connection: &mut PgConnection,
    account_id: &str,
    counted: &[Counted<'_>],
    others: &[Uuid],
) -> Result<(), LoadError> {
    let keys: BTreeSet<Uuid> = counted
        .iter()
        .map(|(key, _)| *key)
        .chain(others.iter().copied())
        .collect();
    if keys.is_empty() || cfg!(feature = "without-facts") {
        return Ok(());
    }
    let basis = basis(connection, account_id).await?;
    // Made while PostgreSQL is at work.
    let clearing = clear(connection, account_id, counted, others, keys);
    let (cleared, mut facts) = join(clearing, make(counted, &basis)).await;
    let Cleared {
        of_several,
        siblings,
        touched,
    } = cleared?;
    let siblings: Vec<Counted<'_>> = siblings.iter().map(|(key, rows)| (*key, rows)).collect();
    facts.extend(make(&siblings, &basis).await);
    conversations::count_once(&mut facts, &of_several);
    insert(connection, account_id, &facts, touched).await?;
    let all: Vec<Counted<'_>> = counted.iter().copied().chain(siblings).collect();
    names::note(connection, account_id, &all).await
}

/// From the stored rows.
pub(super) async fn rewrite(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[Uuid],
) -> Result<(), LoadError> {
    let read = rebuild::rows(connection, keys).await?;
    let counted: Vec<Counted<'_>> = read.iter().map(|(key, rows)| (*key, rows)).collect();
    write(connection, account_id, &counted, keys).await
}

/// Call before interactions are deleted: what they counted for others counts there again.
pub(super) async fn forget(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[Uuid],
) -> Result<(), LoadError> {
    write(connection, account_id, &[], keys).await
}

async fn make<'a>(counted: &[Counted<'a>], basis: &FactBasis) -> Vec<(Uuid, Facts<'a>)> {
    let mut facts = Vec::new();
    for some in counted.chunks(MADE_AT_ONCE) {
        facts.extend(
            some.iter()
                .filter_map(|(key, rows)| Some((*key, Facts::of(rows, basis)?))),
        );
        tokio::task::yield_now().await;
    }
    facts
}

struct Cleared {
    /// Of conversations of several records.
    of_several: Vec<Uuid>,
    /// Those of them that come besides.
    siblings: Vec<(Uuid, Rows)>,
    touched: Vec<Touched>,
}

async fn clear(
    connection: &mut PgConnection,
    account_id: &str,
    counted: &[Counted<'_>],
    others: &[Uuid],
    mut keys: BTreeSet<Uuid>,
) -> Result<Cleared, LoadError> {
    let of_several = conversations::of_several_records(connection, account_id, counted, others).await?;
    let siblings = of_several.iter().filter(|key| !keys.contains(key));
    let siblings: Vec<Uuid> = siblings.copied().collect();
    keys.extend(&siblings);
    let siblings = rebuild::rows(connection, &siblings).await?;
    let touched = delete(connection, &Vec::from_iter(keys)).await?;
    Ok(Cleared {
        of_several,
        siblings,
        touched,
    })
}

/// Who has facts has one in the table of interactions.
async fn delete(connection: &mut PgConnection, keys: &[Uuid]) -> Result<Vec<Touched>, LoadError> {
    let deleted: Vec<(Uuid, Option<Uuid>, DateTime<Utc>)> = sqlx::query_as(
        "delete from smartassist.fact_interactions where interaction_key = any($1) \
         returning interaction_key, contact_key, session_started_at",
    )
    .bind(keys)
    .fetch_all(&mut *connection)
    .await?;
    if deleted.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<Uuid> = deleted.iter().map(|(key, ..)| *key).collect();
    for table in [QueueVisit::TABLE, AgentOffer::TABLE] {
        sqlx::query(AssertSqlSafe(format!(
            "delete from {table} where interaction_key = any($1)"
        )))
        .bind(&keys)
        .execute(&mut *connection)
        .await?;
    }
    let touched = deleted
        .into_iter()
        .filter_map(|(_, contact, at)| Some((contact?, at)));
    Ok(touched.collect())
}

async fn insert(
    connection: &mut PgConnection,
    account_id: &str,
    facts: &[(Uuid, Facts<'_>)],
    mut touched: Vec<Touched>,
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
    Batch::of_facts(interactions, account_id).copy(connection).await?;
    touched.extend(facts.iter().filter_map(|(_, facts)| facts.interaction.contact()));
    order_contacts(connection, account_id, touched).await
}

/// The account's current settings.
async fn basis(connection: &mut PgConnection, account_id: &str) -> Result<FactBasis, LoadError> {
    let (time_zone, contact_secret): (Option<String>, Vec<u8>) = sqlx::query_as(
        "select (select time_zone from smartassist.reporting where account_id = $1), secret \
         from smartassist_sync.contact_key_secret",
    )
    .bind(account_id)
    .fetch_one(connection)
    .await?;
    let known = time_zone.and_then(|name| name.parse().ok());
    Ok(FactBasis {
        time_zone: known.unwrap_or(Tz::UTC),
        contact_secret,
    })
}

async fn order_contacts(
    connection: &mut PgConnection,
    account_id: &str,
    touched: Vec<Touched>,
) -> Result<(), LoadError> {
    if touched.is_empty() {
        return Ok(());
    }
    let since = touched.iter().map(|(_, started_at)| *started_at).min();
    let contacts: BTreeSet<Uuid> = touched.into_iter().map(|(contact, _)| contact).collect();
    let differing: Vec<(Uuid, Option<DateTime<Utc>>, Option<String>)> =
        sqlx::query_as(include_str!("next_contacts.sql"))
            .bind(account_id)
            .bind(Vec::from_iter(contacts))
            .bind(since)
            .fetch_all(&mut *connection)
            .await?;
    if differing.is_empty() {
        return Ok(());
    }
    let (keys, starts, channels): (Vec<_>, Vec<_>, Vec<_>) = differing.into_iter().collect();
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
