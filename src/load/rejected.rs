//! Records that could not become rows. They are set aside, never dropped.

use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgRange;
use sqlx::{FromRow, PgConnection};

use crate::transform::{Interaction, Rejected};
use crate::window::Window;

use super::LoadError;
use super::columns::Constants;

/// Sets rejected records aside; one that is there already only counts up.
pub(super) async fn write(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    window: Window,
    rejected: &[Rejected],
) -> Result<(), LoadError> {
    if rejected.is_empty() {
        return Ok(());
    }
    let ids: Vec<Option<&str>> = rejected
        .iter()
        .map(|record| record.interaction_id.as_deref())
        .collect();
    let reasons: Vec<&str> = rejected.iter().map(|record| record.reason).collect();
    let payloads: Vec<&str> = rejected.iter().map(|record| record.payload.as_str()).collect();
    let hashes: Vec<&[u8]> = rejected
        .iter()
        .map(|record| record.payload_hash.as_slice())
        .collect();
    let written = sqlx::query(include_str!("rejected.sql"))
        .bind(constants.account_id)
        .bind(PgRange::from(window))
        .bind(constants.time_zone_offset)
        .bind(constants.written_at)
        .bind(ids)
        .bind(reasons)
        .bind(payloads)
        .bind(hashes)
        .execute(connection)
        .await?
        .rows_affected();
    let expected = rejected.len() as u64;
    if written != expected {
        return Err(LoadError::RowCount {
            table: "smartassist_sync.rejected_records",
            written,
            expected,
        });
    }
    Ok(())
}

/// A rejection that is resolved: its record came well.
#[derive(Debug, FromRow)]
pub(super) struct Resolved {
    last_seen_at: DateTime<Utc>,
    payload_hash: Vec<u8>,
}

impl Resolved {
    /// When it was last seen, unless it is among these: an API that has an interaction twice, in two forms for good, shows
    /// both at once.
    pub(super) fn last_seen_but_in(&self, rejected: &[Rejected]) -> Option<DateTime<Utc>> {
        let is_among = rejected
            .iter()
            .any(|record| record.payload_hash.as_slice() == self.payload_hash);
        (!is_among).then_some(self.last_seen_at)
    }
}

/// Marks the rejections of records that have become rows as resolved.
pub(super) async fn resolve(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    interactions: &[Interaction],
) -> Result<Vec<Resolved>, LoadError> {
    let ids: Vec<&str> = interactions.iter().map(Interaction::id).collect();
    Ok(sqlx::query_as(
        "update smartassist_sync.rejected_records set resolved_at = $2 \
         where account_id = $1 and interaction_id = any($3) and resolved_at is null \
         returning last_seen_at, payload_hash",
    )
    .bind(constants.account_id)
    .bind(constants.written_at)
    .bind(ids)
    .fetch_all(connection)
    .await?)
}
