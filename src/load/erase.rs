//! Forgetting a customer: who could be meant, and deleting what is found.
//!
//! All of it is one transaction of the caller's, which begins with [`begin`].

use sqlx::{FromRow, PgConnection};

use crate::transform::privacy::{Identifier, IdentifierKind, Wanted};

use super::{LoadError, bigint};

/// Candidates of one portion: their payloads are held in memory.
const PORTION: i64 = 200;

/// A stored record in which the customer may be found.
#[derive(Debug, FromRow)]
pub struct Candidate {
    /// Its account. With the next one its key.
    pub account_id: String,
    /// Its id: that of the interaction, or of the entry in `rejected_records`.
    pub id: String,
    /// The record as JSON text, as received or put together from its columns; of a rejected one
    /// perhaps no JSON.
    pub record: String,
}

/// What was deleted, and what of it lived in which table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the table of that name")]
pub struct Erased {
    pub sessions: u64,
    pub destinations: u64,
    pub agent_segments: u64,
    pub consultations: u64,
    pub tags: u64,
    pub raw_interactions: u64,
    pub rejected_records: u64,
}

impl std::ops::AddAssign for Erased {
    fn add_assign(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.destinations += other.destinations;
        self.agent_segments += other.agent_segments;
        self.consultations += other.consultations;
        self.tags += other.tags;
        self.raw_interactions += other.raw_interactions;
        self.rejected_records += other.rejected_records;
    }
}

/// Keeps every writer of rows out until the transaction ends: each begins with the turn of its
/// account, which waits for this lock, and sees the erasure once it goes on.
///
/// # Errors
/// The database fails.
pub async fn begin(connection: &mut PgConnection) -> Result<(), LoadError> {
    sqlx::query("lock table smartassist_sync.accounts in exclusive mode")
        .execute(connection)
        .await?;
    Ok(())
}

/// Where the customer may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Among the interactions.
    Sessions,
    /// Among the records that were set aside.
    RejectedRecords,
}

/// The next records that may be the customer's, after the one with this key (account and id; empty
/// for the first).
///
/// # Errors
/// The database fails.
pub async fn candidates(
    connection: &mut PgConnection,
    place: Place,
    wanted: &Wanted,
    after: (&str, &str),
) -> Result<Vec<Candidate>, LoadError> {
    let statement = match place {
        Place::Sessions => include_str!("erase_candidates.sql"),
        Place::RejectedRecords => include_str!("erase_rejected.sql"),
    };
    let (fragment, token) = wanted.traces();
    Ok(sqlx::query_as(statement)
        .bind(fragment)
        .bind(token)
        .bind(wanted.kind() == IdentifierKind::Phone)
        .bind(after.0)
        .bind(after.1)
        .bind(PORTION)
        .fetch_all(connection)
        .await?)
}

/// Deletes these interactions with all that belongs to them, and the bot-only sessions that became
/// one of them.
///
/// # Errors
/// The database fails.
pub async fn delete_sessions(
    connection: &mut PgConnection,
    account_id: &str,
    ids: &[String],
) -> Result<Erased, LoadError> {
    let (sessions, destinations, agent_segments, consultations, tags, raw_interactions): (
        i64,
        i64,
        i64,
        i64,
        i64,
        i64,
    ) = sqlx::query_as(include_str!("erase_sessions.sql"))
        .bind(account_id)
        .bind(ids)
        .fetch_one(connection)
        .await?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(Erased {
        sessions: count(sessions),
        destinations: count(destinations),
        agent_segments: count(agent_segments),
        consultations: count(consultations),
        tags: count(tags),
        raw_interactions: count(raw_interactions),
        rejected_records: 0,
    })
}

/// Deletes these rejected records.
///
/// # Errors
/// The database fails.
pub async fn delete_rejected(connection: &mut PgConnection, ids: &[String]) -> Result<u64, LoadError> {
    let deleted = sqlx::query("delete from smartassist_sync.rejected_records where id = any($1::bigint[])")
        .bind(ids)
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected())
}

/// Takes the erasure into the books, by which later windows leave the customer out. One who was
/// erased before keeps the entry of then; counts add up.
///
/// # Errors
/// The database fails.
pub async fn record(
    connection: &mut PgConnection,
    identifier: &Identifier,
    key_id: [u8; 32],
    erased: &Erased,
) -> Result<(), LoadError> {
    sqlx::query(
        "insert into smartassist_sync.erasures as erasure \
         (kind, value_hash, key_id, sessions_deleted, rejected_records_deleted) values ($1, $2, $3, $4, $5) \
         on conflict (kind, value_hash) do update set \
         sessions_deleted = erasure.sessions_deleted + excluded.sessions_deleted, \
         rejected_records_deleted = erasure.rejected_records_deleted + excluded.rejected_records_deleted",
    )
    .bind(identifier.kind.as_str())
    .bind(identifier.hash.as_slice())
    .bind(key_id.as_slice())
    .bind(bigint(erased.sessions))
    .bind(bigint(erased.rejected_records))
    .execute(connection)
    .await?;
    Ok(())
}
