//! A conversation may have several records, each with its stays and offers so far: they count once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::transform::facts::Facts;

use super::super::siblings::MOST_SIBLINGS;
use super::Counted;
use crate::ledger::{LoadError, bigint};

/// Records of conversations that have several. An id of too many records is a constant and is ignored.
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
        let records = records_of(connection, account_id, &ids, most + 1).await?;
        let is_all = records.values().map(Vec::len).sum::<usize>() <= most;
        let is_constant = |id: &String| records.get(id).is_some_and(|keys| keys.len() > MOST_SIBLINGS);
        if is_all {
            let several = records
                .into_values()
                .filter(|keys| (2..=MOST_SIBLINGS).contains(&keys.len()));
            return Ok(several.flatten().collect());
        }
        // Then at least one is a constant.
        ids.retain(|id| !is_constant(id));
    }
    Ok(Vec::new())
}

/// At most `limit`, as a constant may be in every row.
async fn records_of(
    connection: &mut PgConnection,
    account_id: &str,
    ids: &[String],
    limit: usize,
) -> Result<BTreeMap<String, Vec<Uuid>>, LoadError> {
    let found: Vec<(String, Uuid)> = sqlx::query_as(
        "select conversation_id, interaction_key from smartassist.sessions \
         where account_id = $1 and conversation_id = any($2) limit $3",
    )
    .bind(account_id)
    .bind(ids)
    .bind(bigint(limit as u64))
    .fetch_all(connection)
    .await?;
    let mut records: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    for (id, key) in found {
        records.entry(id).or_default().push(key);
    }
    Ok(records)
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
