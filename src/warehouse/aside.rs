//! Going through the records that were set aside: trying them again, and ruling them anew.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::transform::{Interaction, Rejected};

use super::columns::Constants;
use super::interactions;
use super::left_out::{self, StoreLimits};
use super::stored::{self, Change};
use crate::ledger::{LoadError, bigint, turn};

/// Entries of one portion: their text is held in memory.
const PORTION: i64 = 100;

/// A record that was set aside.
#[derive(Debug, Clone, FromRow)]
pub struct Aside {
    /// Number of its entry.
    pub id: i64,
    /// Its text.
    pub payload: String,
    /// Minutes, negative east of Greenwich, that it was asked with.
    pub time_zone_offset: i32,
    /// When it was last received.
    pub last_seen_at: DateTime<Utc>,
    /// Its size, where it was too large: its text is a part of it.
    pub record_bytes: Option<i64>,
    /// Why it was rejected.
    pub reason: String,
    /// Whether its id could be read. Then it is newer than what is stored under that id: else it would have been
    /// resolved.
    pub has_id: bool,
}

/// What became of a record that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is a row now.
    Stored,
    /// There was a row already, of this version or a newer one.
    WasStored,
    /// It must not be stored: its customer was erased, or it is too old.
    LeftOut,
}

/// The next records of an account after this one, newest first: of several versions the newest counts. Only unresolved
/// ones where that is wanted.
///
/// # Errors
/// The database fails.
pub async fn next(
    pool: &Pool,
    account_id: &str,
    after: Option<&Aside>,
    unresolved: bool,
) -> Result<Vec<Aside>, LoadError> {
    Ok(sqlx::query_as(
        "select id, payload, time_zone_offset, last_seen_at, record_bytes, reason, interaction_key is not null as has_id \
         from smartassist_sync.rejected_records \
         where account_id = $1 and ($2::timestamptz is null or (last_seen_at, id) < ($2, $3)) \
         and (not $4 or resolved_at is null) order by last_seen_at desc, id desc limit $5",
    )
    .bind(account_id)
    .bind(after.map(|aside| aside.last_seen_at))
    .bind(after.map(|aside| aside.id))
    .bind(unresolved)
    .bind(PORTION)
    .fetch_all(pool)
    .await?)
}

/// Whether the entry is newer than what is stored: it was received after that was fetched. What a replay or a mark has
/// written anew since is as old as it was.
async fn is_newer(connection: &mut PgConnection, aside: &Aside, key: Uuid) -> Result<bool, LoadError> {
    if !aside.has_id {
        return Ok(false);
    }
    let fetched_at: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select coalesce(raw.fetched_at, session.last_changed_at) from smartassist.sessions as session \
         left join smartassist.raw_interactions as raw using (interaction_key) where session.interaction_key = $1",
    )
    .bind(key)
    .fetch_optional(connection)
    .await?;
    Ok(fetched_at.is_some_and(|fetched_at| fetched_at < aside.last_seen_at))
}

/// Stores what a record that was set aside has become, and resolves its entry. A row that is there is replaced by a newer
/// version only where it may be.
///
/// # Errors
/// [`LoadError::ErasureKey`]; or the database fails. Nothing is stored then.
pub async fn store(
    pool: &Pool,
    constants: (&str, DateTime<Utc>),
    limits: &StoreLimits<'_>,
    aside: &Aside,
    interaction: &Interaction,
    (may_replace, keep_raw): (bool, bool),
) -> Result<Retried, LoadError> {
    let constants = Constants {
        account_id: constants.0,
        written_at: constants.1,
        time_zone_offset: aside.time_zone_offset,
    };
    pool.transact(async |transaction| {
        turn::take(transaction, constants.account_id).await?;
        let one = std::slice::from_ref(interaction);
        let (kept, _) = left_out::without(transaction, limits, one, &[]).await?;
        if kept.is_empty() {
            return Ok(Retried::LeftOut);
        }
        let stored = stored::read(transaction, one, &[]).await?;
        let is_wanted = match stored.change_of(interaction) {
            Change::New => true,
            Change::Content => may_replace && is_newer(transaction, aside, interaction.key).await?,
            Change::None => false,
        };
        if is_wanted {
            interactions::write(transaction, constants, one, &stored, keep_raw).await?;
        }
        sqlx::query("update smartassist_sync.rejected_records set resolved_at = $2 where id = $1")
            .bind(aside.id)
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

/// Gives an entry the text and the reason that it has by today's rules; one that says the same as
/// another then becomes one with it.
///
/// # Errors
/// The database fails.
pub async fn rule(pool: &Pool, aside: &Aside, ruled: &Rejected) -> Result<(), LoadError> {
    sqlx::query(include_str!("rule_aside.sql"))
        .bind(aside.id)
        .bind(ruled.payload_hash.as_slice())
        .bind(&ruled.payload)
        .bind(&*ruled.reason)
        .bind(ruled.record_bytes.map(bigint))
        .execute(pool)
        .await?;
    Ok(())
}
