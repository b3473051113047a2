use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::transform::privacy::{Identifier, PrivacyKey};
use crate::transform::{Interaction, Rejected};

use super::interactions::delete_interactions;
use super::siblings::MOST_SIBLINGS;
use crate::ledger::{LoadError, bigint};

#[derive(Debug, Clone, Copy, Default)]
pub struct StoreLimits<'a> {
    pub account_id: &'a str,
    pub key: Option<&'a PrivacyKey>,
    pub kept_from: Option<DateTime<Utc>>,
}

/// Returns whether anyone was erased.
///
/// # Errors
/// [`LoadError::ErasureKey`].
pub async fn check_key(executor: impl PgExecutor<'_>, key: Option<&PrivacyKey>) -> Result<bool, LoadError> {
    let key_id = key.map(PrivacyKey::id);
    // This form uses an index.
    let (is_other, is_any): (bool, bool) = sqlx::query_as(
        "select case when $1::bytea is null then exists (select from smartassist_sync.erasures) \
         else exists (select from smartassist_sync.erasures where key_id < $1) \
         or exists (select from smartassist_sync.erasures where key_id > $1) end, \
         exists (select from smartassist_sync.erasures)",
    )
    .bind(key_id.as_ref().map(<[u8; 32]>::as_slice))
    .fetch_one(executor)
    .await?;
    if is_other {
        Err(LoadError::ErasureKey)
    } else {
        Ok(is_any)
    }
}

#[derive(Debug)]
pub(super) struct Kept<'a> {
    pub(super) interactions: Vec<&'a Interaction>,
    pub(super) rejected: Vec<&'a Rejected>,
    pub(super) erased: Vec<Uuid>,
}

/// Writers lock first, so they see finished erasures. Deletes what was stored before the API named its customer.
pub(super) async fn leave_out<'a>(
    connection: &mut PgConnection,
    limits: &StoreLimits<'_>,
    interactions: &[&'a Interaction],
    rejected: &[&'a Rejected],
) -> Result<Kept<'a>, LoadError> {
    let kept = without(connection, limits, interactions, rejected).await?;
    if !kept.erased.is_empty() {
        delete_stored(connection, limits.account_id, &kept.erased).await?;
    }
    Ok(kept)
}

/// The newest version counts: of an erased customer, nothing. An id that many rejected records share says nothing of them.
async fn delete_stored(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[Uuid],
) -> Result<(), LoadError> {
    let stored: Vec<Uuid> = sqlx::query_scalar(
        "select interaction_key from smartassist.sessions where interaction_key = any($1)",
    )
    .bind(keys)
    .fetch_all(&mut *connection)
    .await?;
    let mut which = " and resolved_at is null";
    if !stored.is_empty() {
        delete_interactions(connection, account_id, &stored).await?;
        // Those that became rows have no index.
        which = "";
    }
    sqlx::query(AssertSqlSafe(format!(
        "delete from smartassist_sync.rejected_records where id in (select id from ( \
         select id, count(*) over (partition by interaction_key) as sharing from smartassist_sync.rejected_records \
         where account_id = $1 and interaction_key = any($2){which}) as found where sharing <= $3)"
    )))
    .bind(account_id)
    .bind(keys)
    .bind(bigint(MOST_SIBLINGS as u64))
    .execute(connection)
    .await?;
    Ok(())
}

async fn without<'a>(
    connection: &mut PgConnection,
    limits: &StoreLimits<'_>,
    interactions: &[&'a Interaction],
    rejected: &[&'a Rejected],
) -> Result<Kept<'a>, LoadError> {
    let is_any_erased = check_key(&mut *connection, limits.key).await?;
    let key = limits.key.filter(|_| is_any_erased);
    let of_interactions = identifiers_of(interactions, |interaction| {
        let own = Identifier::of_ids(limits.account_id, &interaction.rows.session.ids(), key?);
        Some([own, interaction.identifiers.clone()].concat())
    });
    let of_rejected = identifiers_of(rejected, |record| {
        let key = key?;
        let own = record
            .ids
            .iter()
            .flat_map(|ids| Identifier::of_ids(limits.account_id, ids, key));
        let text = Identifier::of_rejected(limits.account_id, &record.payload_hash, key);
        Some(
            own.chain([text])
                .chain(record.identifiers.iter().copied())
                .collect(),
        )
    });
    let all: Vec<Identifier> = of_interactions
        .iter()
        .chain(&of_rejected)
        .flatten()
        .copied()
        .collect();
    let erased = erased(connection, &all).await?;
    let is_erased = |of: &[Identifier]| of.iter().any(|identifier| erased.contains(identifier));
    let mut kept = Kept {
        interactions: Vec::new(),
        rejected: Vec::new(),
        erased: Vec::new(),
    };
    for (interaction, of) in interactions.iter().zip(&of_interactions) {
        let started_at = interaction.rows.session.session_started_at;
        if is_erased(of) {
            kept.erased.push(interaction.key);
        } else if limits.kept_from.is_none_or(|from| started_at >= from) {
            kept.interactions.push(interaction);
        }
    }
    for (record, of) in rejected.iter().zip(&of_rejected) {
        if is_erased(of) {
            kept.erased.extend(record.key);
        } else {
            kept.rejected.push(record);
        }
    }
    Ok(kept)
}

pub async fn take_out(
    pool: &Pool,
    limits: &StoreLimits<'_>,
    interactions: &mut BTreeMap<Uuid, Interaction>,
) -> Result<(), LoadError> {
    let read: Vec<&Interaction> = interactions.values().collect();
    let kept = pool.transact(async |transaction| {
        let kept = without(transaction, limits, &read, &[]).await?;
        let keys = kept.interactions.iter().map(|interaction| interaction.key);
        Ok::<HashSet<Uuid>, LoadError>(keys.collect())
    });
    let kept = kept.await?;
    interactions.retain(|key, _| kept.contains(key));
    Ok(())
}

fn identifiers_of<T>(all: &[&T], of: impl Fn(&T) -> Option<Vec<Identifier>>) -> Vec<Vec<Identifier>> {
    all.iter().map(|one| of(one).unwrap_or_default()).collect()
}

async fn erased(
    connection: &mut PgConnection,
    identifiers: &[Identifier],
) -> Result<HashSet<Identifier>, LoadError> {
    if identifiers.is_empty() {
        return Ok(HashSet::new());
    }
    let (kinds, hashes): (Vec<&str>, Vec<&[u8]>) = identifiers
        .iter()
        .map(|identifier| (identifier.kind.as_str(), identifier.hash.as_slice()))
        .unzip();
    let places: Vec<i64> = sqlx::query_scalar(
        "select read.place from unnest($1::text[], $2::bytea[]) with ordinality as read (kind, value_hash, place) \
         join smartassist_sync.erasures using (kind, value_hash)",
    )
    .bind(kinds)
    .bind(hashes)
    .fetch_all(connection)
    .await?;
    let at = |place: i64| identifiers.get(usize::try_from(place - 1).ok()?).copied();
    Ok(places.into_iter().filter_map(at).collect())
}
