use futures_util::{Stream, TryStreamExt};
use serde::Serialize;
use sqlx::{FromRow, PgConnection};

use crate::transform::normal_form;
use crate::transform::privacy::Identifier;

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
    pub rejected_records: u64,
}

/// Blocks writers until commit.
pub async fn begin(connection: &mut PgConnection) -> Result<(), LoadError> {
    sqlx::query("lock table smartassist_sync.accounts in exclusive mode")
        .execute(connection)
        .await?;
    Ok(())
}

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
