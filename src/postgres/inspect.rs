use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;

use crate::time::clock::Clock;

use super::{Pool, connect};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Server {
    pub version: String,
    pub major: i32,
    pub is_read_only: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct Rights {
    pub missing: Vec<String>,
    pub missing_to_migrate: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct Names {
    /// Everyone may create objects.
    pub public_is_open: bool,
    /// Named like built-in ones.
    pub shadows: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    pub ssl_mode: &'static str,
    pub is_on_this_machine: bool,
    /// Protocol and cipher; `None`: plain text.
    pub encryption: Option<(String, String)>,
}

#[derive(Debug, Clone, Copy, FromRow)]
pub struct Sample {
    pub rows: i64,
    pub wrong: i64,
}

pub async fn server(pool: &Pool) -> Result<Server, sqlx::Error> {
    let server = "select split_part(current_setting('server_version'), ' ', 1) as version, \
        current_setting('server_version_num')::integer / 10000 as major, \
        pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as is_read_only";
    sqlx::query_as(server).fetch_one(pool).await
}

/// Recomputes the first and last 500 keys.
pub async fn keys(pool: &Pool) -> Result<Sample, sqlx::Error> {
    let sample = "select count(*) as rows, count(*) filter (where interaction_key <> \
        smartassist.interaction_key(account_id, conversation_id, session_id)) as wrong from ( \
        (select interaction_key, account_id, conversation_id, session_id from smartassist.sessions \
        order by interaction_key limit 500) \
        union (select interaction_key, account_id, conversation_id, session_id from smartassist.sessions \
        order by interaction_key desc limit 500)) as sample";
    sqlx::query_as(sample).fetch_one(pool).await
}

pub async fn applied(pool: &Pool) -> Result<Option<i64>, sqlx::Error> {
    // The catalogue needs no rights.
    let is_there = "select exists (select from pg_class as list \
        join pg_namespace as schema on schema.oid = list.relnamespace \
        where schema.nspname = 'smartassist_sync' and list.relname = 'schema_migrations')";
    if !sqlx::query_scalar(is_there).fetch_one(pool).await? {
        return Ok(None);
    }
    let newest = "select max(version) from smartassist_sync.schema_migrations where success";
    sqlx::query_scalar(newest).fetch_one(pool).await
}

pub async fn rights(pool: &Pool) -> Result<Rights, sqlx::Error> {
    sqlx::query_as(include_str!("missing_rights.sql"))
        .fetch_one(pool)
        .await
}

/// What may harm others; we look nothing up in `public`.
pub async fn names(pool: &Pool) -> Result<Names, sqlx::Error> {
    sqlx::query_as(include_str!("names.sql")).fetch_one(pool).await
}

/// Made by others; with their members.
pub async fn foreign_readers(pool: &Pool) -> Result<Vec<(String, Vec<String>)>, sqlx::Error> {
    sqlx::query_as(include_str!("readers.sql")).fetch_all(pool).await
}

/// With the statements that let them read.
pub async fn blind_readers(pool: &Pool) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(include_str!("blind_readers.sql"))
        .fetch_all(pool)
        .await
}

/// Behind a pooler, `encryption` is the pooler's.
pub async fn protection(pool: &Pool) -> Result<Protection, sqlx::Error> {
    let encryption = "select version, cipher from pg_stat_ssl where pid = pg_backend_pid() and ssl";
    let encryption = sqlx::query_as(encryption).fetch_optional(pool).await?;
    let options = pool.options();
    Ok(Protection {
        ssl_mode: connect::ssl_mode(&options),
        is_on_this_machine: connect::is_on_this_machine(&options),
        encryption,
    })
}

/// Server clock minus ours, within half a round trip.
pub async fn clock_ahead(pool: &Pool, clock: &dyn Clock) -> Result<TimeDelta, sqlx::Error> {
    // Excludes the time to connect.
    pool.transact(async |transaction| {
        let asked = clock.now();
        let theirs: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(transaction)
            .await?;
        let answered = clock.now();
        Ok(theirs - (asked + (answered - asked) / 2))
    })
    .await
}

pub async fn size(pool: &Pool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select pg_database_size(current_database())")
        .fetch_one(pool)
        .await
}
