//! One conversation may have several records, of which each holds the stays and offers so far: they count once.

use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::transform::facts::Facts;

use super::super::siblings::MOST_SIBLINGS;
use crate::ledger::LoadError;

/// The records of these interactions' conversations, where there are several. An id of too many is a constant.
pub(super) async fn of_several_records(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[Uuid],
) -> Result<Vec<Uuid>, LoadError> {
    // Planned each time: a plan of empty tables reads all of the account's rows for each conversation.
    Ok(sqlx::query_scalar(include_str!("siblings.sql"))
        .persistent(false)
        .bind(account_id)
        .bind(keys)
        .bind(i64::try_from(MOST_SIBLINGS).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?)
}

/// In the last record that came to a queue or an agent, or else the last one. What is counted of a conversation as a whole is NULL in the others.
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
