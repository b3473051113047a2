//! Customers whom the API names only after their erasure, in records that were stored without their identifier.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::transform::privacy::{Identifier, PrivacyKey, names_another, value_of};
use crate::transform::{Interaction, Rejected};

use super::erase::{delete_rejected, records_of};
use super::interactions::delete_interactions;
use super::siblings::MOST_SIBLINGS;
use crate::ledger::{LoadError, bigint};

/// A version that names an erased customer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recognized<'a> {
    pub(super) key: Uuid,
    identifiers: &'a [Identifier],
    payload: &'a str,
}

impl<'a> Recognized<'a> {
    pub(super) fn of(interaction: &'a Interaction) -> Self {
        Self {
            key: interaction.key,
            identifiers: &interaction.identifiers,
            payload: &interaction.payload,
        }
    }

    pub(super) fn of_rejected(record: &'a Rejected) -> Option<Self> {
        Some(Self {
            key: record.key?,
            identifiers: &record.identifiers,
            payload: &record.payload,
        })
    }
}

/// As `erase` would have, had the records named the customer then: what names somebody else stays, as does what many
/// rejected records share the ids of.
pub(super) async fn erase_stored(
    connection: &mut PgConnection,
    account_id: &str,
    versions: &[Recognized<'_>],
    key: &PrivacyKey,
) -> Result<(), LoadError> {
    let keys: Vec<Uuid> = versions.iter().map(|version| version.key).collect();
    let constants: Vec<Uuid> = sqlx::query_scalar(
        "select interaction_key from smartassist_sync.rejected_records \
         where account_id = $1 and interaction_key = any($2) and resolved_at is null \
         group by interaction_key having count(*) > $3",
    )
    .bind(account_id)
    .bind(&keys)
    .bind(bigint(MOST_SIBLINGS as u64))
    .fetch_all(&mut *connection)
    .await?;
    let is_theirs = |of: Uuid, record: &str| {
        let stored = value_of(record);
        let mut versions = versions.iter().filter(|version| version.key == of);
        !constants.contains(&of)
            && versions.any(|version| !names_another(&stored, (version.identifiers, version.payload), key))
    };
    let texts: Vec<String> = keys.iter().map(Uuid::to_string).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut theirs = Vec::new();
    let mut records = records_of(&mut *connection, account_id, &texts);
    while let Some(record) = records.try_next().await? {
        let of = record.id.parse().unwrap_or_default();
        if is_theirs(of, &record.record) {
            theirs.push(of);
        }
    }
    drop(records);
    if !theirs.is_empty() {
        delete_interactions(connection, account_id, &theirs).await?;
    }
    // Those that are resolved became rows, and have no index.
    let waiting = if theirs.is_empty() {
        " and resolved_at is null"
    } else {
        ""
    };
    let rejected: Vec<(String, Uuid, String)> = sqlx::query_as(AssertSqlSafe(format!(
        "select id::text, interaction_key, payload from smartassist_sync.rejected_records \
         where account_id = $1 and interaction_key = any($2){waiting}"
    )))
    .bind(account_id)
    .bind(keys)
    .fetch_all(&mut *connection)
    .await?;
    let rejected = rejected.iter().filter(|(_, of, record)| is_theirs(*of, record));
    let rejected: Vec<&str> = rejected.map(|(id, ..)| id.as_str()).collect();
    delete_rejected(connection, &rejected).await?;
    Ok(())
}
