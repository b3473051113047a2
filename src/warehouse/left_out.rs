use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::transform::privacy::{Identifier, PrivacyKey};
use crate::transform::{Interaction, Rejected};

use crate::ledger::LoadError;

#[derive(Debug, Clone, Copy, Default)]
pub struct StoreLimits<'a> {
    pub account_id: &'a str,
    /// Hashes identifiers.
    pub key: Option<&'a PrivacyKey>,
    /// Older starts are not kept.
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

/// Writers lock first, so they see finished erasures.
pub(super) async fn without<'a>(
    connection: &mut PgConnection,
    limits: &StoreLimits<'_>,
    interactions: &[&'a Interaction],
    rejected: &[&'a Rejected],
) -> Result<(Vec<&'a Interaction>, Vec<&'a Rejected>), LoadError> {
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
    let interactions = interactions.iter().zip(&of_interactions);
    let interactions = interactions.filter(|(interaction, of)| {
        let started_at = interaction.rows.session.session_started_at;
        limits.kept_from.is_none_or(|from| started_at >= from) && !is_erased(of)
    });
    let rejected = rejected.iter().zip(&of_rejected);
    let rejected = rejected.filter(|(_, of)| !is_erased(of));
    Ok((
        interactions.map(|(interaction, _)| *interaction).collect(),
        rejected.map(|(record, _)| *record).collect(),
    ))
}

pub async fn take_out(
    pool: &Pool,
    limits: &StoreLimits<'_>,
    interactions: &mut BTreeMap<Uuid, Interaction>,
) -> Result<(), LoadError> {
    let read: Vec<&Interaction> = interactions.values().collect();
    let kept = pool.transact(async |transaction| {
        let (kept, _) = without(transaction, limits, &read, &[]).await?;
        Ok::<HashSet<Uuid>, LoadError>(kept.iter().map(|interaction| interaction.key).collect())
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
