//! Finds, deletes and remembers the records of a customer.

use futures_util::{Stream, TryStreamExt};
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::transform::normal_form;
use crate::transform::privacy::Identifier;

use super::interactions::delete_interactions;
use crate::ledger::{LoadError, bigint};

#[derive(Debug, FromRow)]
pub struct StoredRecord {
    pub account_id: String,
    pub id: String,
    /// JSON; rejected text perhaps not.
    pub record: String,
}

impl StoredRecord {
    pub fn key(&self) -> RecordKey {
        RecordKey {
            account_id: self.account_id.clone(),
            id: self.id.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, FromRow)]
pub struct RecordKey {
    pub account_id: String,
    /// Interaction key, or id of the rejected record.
    pub id: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    pub sessions: u64,
    pub destinations: u64,
    pub agent_segments: u64,
    pub consultations: u64,
    pub joined_users: u64,
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
        self.joined_users += other.joined_users;
        self.tags += other.tags;
        self.raw_interactions += other.raw_interactions;
        self.rejected_records += other.rejected_records;
    }
}

/// Blocks writers until commit.
pub async fn begin(connection: &mut PgConnection) -> Result<(), LoadError> {
    sqlx::query("lock table smartassist_sync.accounts in exclusive mode")
        .execute(connection)
        .await?;
    Ok(())
}

/// Interactions that may be the customer's.
pub async fn candidates(connection: &mut PgConnection, hints: &[i32]) -> Result<Vec<RecordKey>, LoadError> {
    let statement = "select account_id, interaction_key::text as id from smartassist.sessions \
                     where customer_hints && $1 order by 1, 2";
    Ok(sqlx::query_as(statement)
        .bind(hints)
        .fetch_all(connection)
        .await?)
}

pub fn records(connection: &mut PgConnection) -> impl Stream<Item = Result<StoredRecord, LoadError>> {
    let all = sqlx::query_as(include_str!("erase_records.sql"));
    all.fetch(connection).map_err(LoadError::from)
}

pub fn records_of<'c>(
    connection: &'c mut PgConnection,
    account_id: &'c str,
    keys: &'c [&'c str],
) -> impl Stream<Item = Result<StoredRecord, LoadError>> {
    let of_keys = sqlx::query_as(concat!(
        include_str!("erase_records.sql"),
        " where session.account_id = $1 and session.interaction_key = any($2::text[]::uuid[])"
    ));
    of_keys
        .bind(account_id)
        .bind(keys)
        .fetch(connection)
        .map_err(LoadError::from)
}

pub fn rejected_records(
    connection: &mut PgConnection,
) -> impl Stream<Item = Result<StoredRecord, LoadError>> {
    let all = sqlx::query_as(
        "select account_id, id::text as id, payload as record from smartassist_sync.rejected_records",
    );
    all.fetch(connection).map_err(LoadError::from)
}

pub async fn delete_sessions(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[&str],
    only_count: bool,
) -> Result<Erased, LoadError> {
    let counted: (i64, i64, i64, i64, i64, i64, i64) = sqlx::query_as(include_str!("count_rows.sql"))
        .bind(keys)
        .fetch_one(&mut *connection)
        .await?;
    if !only_count {
        let keys: Vec<Uuid> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        delete_interactions(connection, account_id, &keys).await?;
    }
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(Erased {
        sessions: count(counted.0),
        destinations: count(counted.1),
        agent_segments: count(counted.2),
        consultations: count(counted.3),
        joined_users: count(counted.4),
        tags: count(counted.5),
        raw_interactions: count(counted.6),
        rejected_records: 0,
    })
}

/// Returns text hashes by account.
pub async fn delete_rejected(
    connection: &mut PgConnection,
    ids: &[&str],
) -> Result<Vec<(String, Vec<u8>)>, LoadError> {
    Ok(sqlx::query_as(
        "delete from smartassist_sync.rejected_records where id = any($1::bigint[]) \
         returning account_id, payload_hash",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?)
}

pub async fn record(
    connection: &mut PgConnection,
    customer: &Identifier,
    theirs: &[Identifier],
    key_id: [u8; 32],
    erased: &Erased,
) -> Result<(), LoadError> {
    sqlx::query(
        "insert into smartassist_sync.erasures as erasure \
         (kind, value_hash, key_id, form, sessions_deleted, rejected_records_deleted) values ($1, $2, $3, $4, $5, $6) \
         on conflict (kind, value_hash) do update set \
         sessions_deleted = erasure.sessions_deleted + excluded.sessions_deleted, \
         rejected_records_deleted = erasure.rejected_records_deleted + excluded.rejected_records_deleted",
    )
    .bind(customer.kind.as_str())
    .bind(customer.hash.as_slice())
    .bind(key_id.as_slice())
    .bind(normal_form::VERSION)
    .bind(bigint(erased.sessions))
    .bind(bigint(erased.rejected_records))
    .execute(&mut *connection)
    .await?;
    let (kinds, hashes): (Vec<&str>, Vec<&[u8]>) = theirs
        .iter()
        .map(|identifier| (identifier.kind.as_str(), identifier.hash.as_slice()))
        .unzip();
    sqlx::query(
        "insert into smartassist_sync.erasures (kind, value_hash, key_id, form) \
         select kind, value_hash, $3, $4 from unnest($1::text[], $2::bytea[]) as theirs (kind, value_hash) \
         on conflict (kind, value_hash) do nothing",
    )
    .bind(kinds)
    .bind(hashes)
    .bind(key_id.as_slice())
    .bind(normal_form::VERSION)
    .execute(connection)
    .await?;
    Ok(())
}
