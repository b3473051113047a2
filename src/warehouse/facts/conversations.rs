//! Several records of a conversation each have its stays and offers so far: these count once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::transform::facts::Facts;

use super::super::siblings::MOST_SIBLINGS;
use super::Counted;
use crate::ledger::{LoadError, bigint};

/// Id, records, number read of all.
type Conversation = (String, Vec<Uuid>, i64);

/// An id of too many records is a constant and is ignored.
pub(super) async fn of_several_records(
    connection: &mut PgConnection,
    account_id: &str,
    counted: &[Counted<'_>],
    others: &[Uuid],
) -> Result<Vec<Uuid>, LoadError> {
    let ids = counted
        .iter()
        .filter_map(|(_, rows)| rows.session.conversation_id.clone());
    let mut ids: BTreeSet<String> = ids.collect();
    if !others.is_empty() {
        let of_others: Vec<Option<String>> = sqlx::query_scalar(
            "select distinct conversation_id from smartassist.sessions where interaction_key = any($1)",
        )
        .bind(others)
        .fetch_all(&mut *connection)
        .await?;
        ids.extend(of_others.into_iter().flatten());
    }
    let mut ids = Vec::from_iter(ids);
    while !ids.is_empty() {
        let most = ids.len() * MOST_SIBLINGS;
        let several: Vec<Conversation> = sqlx::query_as(include_str!("conversations.sql"))
            .bind(account_id)
            .bind(&ids)
            .bind(bigint(most as u64 + 1))
            .fetch_all(&mut *connection)
            .await?;
        let constant = |(_, keys, _): &&Conversation| keys.len() > MOST_SIBLINGS;
        if several
            .first()
            .is_none_or(|(.., read)| *read <= bigint(most as u64))
        {
            let records = several.iter().filter(|one| !constant(one));
            return Ok(records.flat_map(|(_, keys, _)| keys).copied().collect());
        }
        // Then at least one is a constant.
        let constants: BTreeSet<&String> = several.iter().filter(constant).map(|(id, ..)| id).collect();
        ids.retain(|id| !constants.contains(id));
    }
    Ok(Vec::new())
}

/// Counts in the last record that reached a queue or an agent, else in the last one. In the others, what is
/// counted per conversation is NULL.
pub(super) fn count_once(facts: &mut [(Uuid, Facts<'_>)], of_several: &[Uuid]) {
    let mut conversations: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (key, facts) in facts.iter_mut().filter(|(key, _)| of_several.contains(key)) {
        if let Some(conversation) = facts.interaction.conversation_id {
            conversations.entry(conversation).or_default().push((*key, facts));
        }
    }
    for records in conversations.values_mut() {
        records.sort_by_key(|(key, facts)| {
            let interaction = &facts.interaction;
            std::cmp::Reverse((
                interaction.destination_count > 0,
                interaction.session_started_at,
                *key,
            ))
        });
        let (mut visits, mut offers) = (HashSet::new(), HashSet::new());
        for (place, (_, facts)) in records.iter_mut().enumerate() {
            if place > 0 {
                facts.interaction.count_not();
            }
            facts.visits.retain(|visit| {
                visit
                    .entered_at
                    .is_none_or(|at| visits.insert((visit.queue_key, at)))
            });
            facts.offers.retain(|offer| {
                offer
                    .assigned_at
                    .is_none_or(|at| offers.insert((offer.agent_key, at)))
            });
        }
    }
}
