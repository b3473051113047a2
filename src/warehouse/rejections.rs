use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::transform::{Interaction, Rejected};

use super::batch::Constants;
use super::interactions::InteractionWriter;
use super::left_out::{self, StoreLimits};
use super::refused::write_others;
use super::stored::{self, Change};
use crate::ledger::{LoadError, bigint, conflict};

const PORTION: i64 = 100;

#[derive(Debug, Clone, FromRow)]
pub struct Rejection {
    pub id: i64,
    pub payload: String,
    /// Minutes, negative east of Greenwich.
    pub time_zone_offset: i32,
    pub last_seen_at: DateTime<Utc>,
    /// Full size, if the payload is cut.
    pub record_bytes: Option<i64>,
    pub reason: String,
    pub has_id: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    Stored,
    WasStored,
    /// Erased or too old.
    LeftOut,
}

/// Newest version first.
pub async fn next(
    pool: &Pool,
    account_id: &str,
    after: Option<&Rejection>,
    unresolved: bool,
) -> Result<Vec<Rejection>, LoadError> {
    Ok(sqlx::query_as(
        "select id, payload, time_zone_offset, last_seen_at, record_bytes, reason, interaction_key is not null as has_id \
         from smartassist_sync.rejected_records \
         where account_id = $1 and ($2::timestamptz is null or (last_seen_at, id) < ($2, $3)) \
         and (not $4 or resolved_at is null) order by last_seen_at desc, id desc limit $5",
    )
    .bind(account_id)
    .bind(after.map(|rejection| rejection.last_seen_at))
    .bind(after.map(|rejection| rejection.id))
    .bind(unresolved)
    .bind(PORTION)
    .fetch_all(pool)
    .await?)
}

/// Replays and marks change `last_changed_at`, not the raw `fetched_at`.
async fn is_newer(
    connection: &mut PgConnection,
    rejection: &Rejection,
    key: Uuid,
) -> Result<bool, LoadError> {
    if !rejection.has_id {
        return Ok(false);
    }
    let fetched_at: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select coalesce(raw.fetched_at, session.last_changed_at) from smartassist.sessions as session \
         left join smartassist.raw_interactions as raw using (interaction_key) where session.interaction_key = $1",
    )
    .bind(key)
    .fetch_optional(connection)
    .await?;
    Ok(fetched_at.is_some_and(|fetched_at| fetched_at < rejection.last_seen_at))
}

/// Replaces an older version only with `may_replace`.
///
/// # Errors
/// [`LoadError::ErasureKey`].
pub async fn store(
    pool: &Pool,
    constants: (&str, DateTime<Utc>),
    limits: &StoreLimits<'_>,
    rejection: &Rejection,
    interaction: &Interaction,
    (may_replace, keep_raw): (bool, bool),
) -> Result<Retried, LoadError> {
    let constants = Constants {
        account_id: constants.0,
        written_at: constants.1,
        time_zone_offset: rejection.time_zone_offset,
    };
    pool.transact(async |transaction| {
        conflict::take_turn(transaction, constants.account_id).await?;
        let one = std::slice::from_ref(interaction);
        let (kept, _) = left_out::without(transaction, limits, one, &[]).await?;
        if kept.is_empty() {
            return Ok(Retried::LeftOut);
        }
        let stored = stored::read(transaction, one, &[]).await?;
        let is_wanted = match stored.change_of(interaction) {
            Change::New => true,
            Change::Content => may_replace && is_newer(transaction, rejection, interaction.key).await?,
            Change::None => false,
        };
        if is_wanted {
            let writer = InteractionWriter {
                constants,
                stored: &stored,
                keep_raw,
            };
            let (_, mut refused) = write_others(transaction, one, &writer).await?;
            if let Some((_, error)) = refused.pop() {
                return Err(error);
            }
        }
        sqlx::query("update smartassist_sync.rejected_records set resolved_at = $2 where id = $1")
            .bind(rejection.id)
            .bind(constants.written_at)
            .execute(&mut *transaction)
            .await?;
        Ok(if is_wanted {
            Retried::Stored
        } else {
            Retried::WasStored
        })
    })
    .await
}

/// Applies today's privacy rules; merges entries that become equal.
pub async fn rule(pool: &Pool, rejection: &Rejection, ruled: &Rejected) -> Result<(), LoadError> {
    sqlx::query(include_str!("rule_rejection.sql"))
        .bind(rejection.id)
        .bind(ruled.payload_hash.as_slice())
        .bind(&ruled.payload)
        .bind(&*ruled.reason)
        .bind(ruled.record_bytes.map(bigint))
        .execute(pool)
        .await?;
    Ok(())
}
