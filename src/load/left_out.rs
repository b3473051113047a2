//! What was read and is not to be stored: records of erased customers, and what has grown too old.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::database::Pool;
use crate::transform::privacy::Identifier;
use crate::transform::{Interaction, Rejected};

use super::LoadError;

/// Who must not come back, and from when on interactions are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreLimits {
    /// The id of the key that identifiers are hashed with; `None` where there is no key.
    pub key_id: Option<[u8; 32]>,
    /// Interactions that started before it are not kept; `None`: all are.
    pub kept_from: Option<DateTime<Utc>>,
}

/// Fails where erased customers could not be recognized.
///
/// # Errors
/// [`LoadError::ErasureKey`] where an erasure was made with another key, or there is none; or the
/// database fails.
pub async fn check_key(executor: impl PgExecutor<'_>, limits: &StoreLimits) -> Result<(), LoadError> {
    let is_other: bool = sqlx::query_scalar(
        "select exists (select from smartassist_sync.erasures where key_id is distinct from $1)",
    )
    .bind(limits.key_id.as_ref().map(<[u8; 32]>::as_slice))
    .fetch_one(executor)
    .await?;
    if is_other {
        Err(LoadError::ErasureKey)
    } else {
        Ok(())
    }
}

/// What of the records may be stored. Within a transaction, after its turn was taken: an erasure
/// waits for the turns of all, so what it erased cannot come back by what was read before it.
pub(super) async fn without<'a>(
    connection: &mut PgConnection,
    limits: &StoreLimits,
    interactions: &'a [Interaction],
    rejected: &'a [Rejected],
) -> Result<(Cow<'a, [Interaction]>, Cow<'a, [Rejected]>), LoadError> {
    check_key(&mut *connection, limits).await?;
    let identifiers = interactions
        .iter()
        .flat_map(|interaction| &interaction.identifiers)
        .chain(rejected.iter().flat_map(|record| &record.identifiers));
    let erased = erased(connection, identifiers).await?;
    let is_erased = |of: &[Identifier]| of.iter().any(|identifier| erased.contains(&identifier.hash));
    let is_kept = |interaction: &&Interaction| {
        let started_at = interaction.rows.session.session_started_at;
        limits.kept_from.is_none_or(|from| started_at >= from) && !is_erased(&interaction.identifiers)
    };
    let is_known = |record: &&Rejected| !is_erased(&record.identifiers);
    Ok((chosen(interactions, is_kept), chosen(rejected, is_known)))
}

/// Takes out of what was read whatever is not stored, to compare the rest with what is.
///
/// # Errors
/// As [`check_key`].
pub async fn take_out(
    pool: &Pool,
    limits: &StoreLimits,
    interactions: &mut BTreeMap<String, Interaction>,
) -> Result<(), LoadError> {
    let read: Vec<Interaction> = std::mem::take(interactions).into_values().collect();
    let kept = pool.transact(async |transaction| {
        let (kept, _) = without(transaction, limits, &read, &[]).await?;
        Ok::<_, LoadError>(kept.into_owned())
    });
    let by_id = |interaction: Interaction| (interaction.id().to_owned(), interaction);
    *interactions = kept.await?.into_iter().map(by_id).collect();
    Ok(())
}

/// Borrowed where nothing is left out, which is nearly always.
fn chosen<T: Clone>(all: &[T], is_chosen: impl Fn(&&T) -> bool) -> Cow<'_, [T]> {
    if all.iter().all(|one| is_chosen(&one)) {
        Cow::Borrowed(all)
    } else {
        Cow::Owned(all.iter().filter(is_chosen).cloned().collect())
    }
}

/// Which of the identifiers were erased.
pub(super) async fn erased<'a>(
    connection: &mut PgConnection,
    identifiers: impl Iterator<Item = &'a Identifier>,
) -> Result<HashSet<[u8; 32]>, LoadError> {
    let (kinds, hashes): (Vec<&str>, Vec<&[u8]>) = identifiers
        .map(|identifier| (identifier.kind.as_str(), identifier.hash.as_slice()))
        .unzip();
    if kinds.is_empty() {
        return Ok(HashSet::new());
    }
    let erased: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct erasure.value_hash from smartassist_sync.erasures as erasure \
         join unnest($1::text[], $2::bytea[]) as read (kind, value_hash) using (kind, value_hash)",
    )
    .bind(kinds)
    .bind(hashes)
    .fetch_all(connection)
    .await?;
    Ok(erased
        .into_iter()
        .filter_map(|hash| hash.try_into().ok())
        .collect())
}
