//! Looking at a database without changing it: its server, its schema, our rights.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

use crate::time::clock::Clock;

use super::{Pool, connect};

/// What kind of server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// As it calls itself, like `17.2`.
    pub version: String,
    /// The number before the point.
    pub major: i32,
    /// It takes no writes: a standby, or set to read only.
    pub is_read_only: bool,
}

/// What we may not do, in words; empty where nothing is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Rights that loading needs.
    pub missing: Vec<String>,
    /// Rights that only migrating needs.
    pub missing_to_migrate: Vec<String>,
}

/// What others may do, or have done, to names that somebody looks up in this database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Everybody may make things in schema `public`.
    pub public_is_open: bool,
    /// Functions and operators in `public` that are named as ones of `PostgreSQL`, and of no extension.
    pub shadows: Vec<String>,
}

/// What keeps others from reading and changing what we and the server say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// What we ask of the server, as `PostgreSQL` names it.
    pub ssl_mode: &'static str,
    /// Nobody is in between: the server is on this machine.
    pub is_on_this_machine: bool,
    /// Protocol and cipher, as the server sees them; `None`: plain text.
    pub encryption: Option<(String, String)>,
}

/// Asks the server what it is.
///
/// # Errors
/// The database fails.
pub async fn server(pool: &Pool) -> Result<Server, sqlx::Error> {
    let row = sqlx::query(
        "select current_setting('server_version') as version, \
         current_setting('server_version_num')::integer / 10000 as major, \
         pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as is_read_only",
    )
    .fetch_one(pool)
    .await?;
    let version: String = row.try_get("version")?;
    Ok(Server {
        version: version.split(' ').next().unwrap_or_default().to_owned(),
        major: row.try_get("major")?,
        is_read_only: row.try_get("is_read_only")?,
    })
}

/// Rows that were looked at, and how many of them are not as they should be.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// All that were looked at.
    pub rows: u64,
    /// Those whose key is not that of their ids.
    pub wrong: u64,
}

/// Computes the keys of a thousand interactions at most, the first and the last in the order of keys, from their ids.
///
/// # Errors
/// The database fails, or does not let us look.
pub async fn keys(pool: &Pool) -> Result<Sample, sqlx::Error> {
    let (rows, wrong): (i64, i64) = sqlx::query_as(
        "select count(*), count(*) filter (where interaction_key <> \
         smartassist.interaction_key(account_id, conversation_id, session_id)) from ( \
         (select interaction_key, account_id, conversation_id, session_id from smartassist.sessions \
         order by interaction_key limit 500) \
         union (select interaction_key, account_id, conversation_id, session_id from smartassist.sessions \
         order by interaction_key desc limit 500)) as sample",
    )
    .fetch_one(pool)
    .await?;
    let [rows, wrong] = [rows, wrong].map(|count| u64::try_from(count).unwrap_or(0));
    Ok(Sample { rows, wrong })
}

/// The newest migration that was applied; `None` where none was.
///
/// # Errors
/// The database fails, or does not let us look.
pub async fn applied(pool: &Pool) -> Result<Option<i64>, sqlx::Error> {
    // The catalogue can be asked without a right to the schema, and without the table.
    let is_there: bool = sqlx::query_scalar(
        "select exists (select from pg_class as list join pg_namespace as schema on schema.oid = list.relnamespace \
         where schema.nspname = 'smartassist_sync' and list.relname = 'schema_migrations')",
    )
    .fetch_one(pool)
    .await?;
    if !is_there {
        return Ok(None);
    }
    sqlx::query_scalar("select max(version) from smartassist_sync.schema_migrations where success")
        .fetch_one(pool)
        .await
}

/// What of our three schemas we may not use as loading and migrating need it. What is not there yet
/// needs the right to make it.
///
/// # Errors
/// The database fails.
pub async fn rights(pool: &Pool) -> Result<Rights, sqlx::Error> {
    let rows: Vec<(String, bool)> = sqlx::query_as(include_str!("missing_rights.sql"))
        .fetch_all(pool)
        .await?;
    let (to_migrate, missing): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, to_migrate)| *to_migrate);
    let words = |rows: Vec<(String, bool)>| rows.into_iter().map(|(word, _)| word).collect();
    Ok(Rights {
        missing: words(missing),
        missing_to_migrate: words(to_migrate),
    })
}

/// Who may put something before `PostgreSQL`'s own functions, and who has. It does us no harm, as we look
/// nothing up there; it does to others.
///
/// # Errors
/// The database fails.
pub async fn names(pool: &Pool) -> Result<Names, sqlx::Error> {
    let (public_is_open, shadows) = sqlx::query_as(include_str!("names.sql")).fetch_one(pool).await?;
    Ok(Names {
        public_is_open,
        shadows,
    })
}

/// Roles named like ours for readers that somebody else has made, each with its members.
///
/// # Errors
/// The database fails.
pub async fn foreign_readers(pool: &Pool) -> Result<Vec<(String, Vec<String>)>, sqlx::Error> {
    sqlx::query_as(include_str!("readers.sql")).fetch_all(pool).await
}

/// How this connection to the server is protected. Behind a pooler, what the server sees is the pooler's.
///
/// # Errors
/// The database fails.
pub async fn protection(pool: &Pool) -> Result<Protection, sqlx::Error> {
    let encryption =
        sqlx::query_as("select version, cipher from pg_stat_ssl where pid = pg_backend_pid() and ssl")
            .fetch_optional(pool)
            .await?;
    let options = pool.options();
    Ok(Protection {
        ssl_mode: connect::ssl_mode(&options),
        is_on_this_machine: connect::is_on_this_machine(&options),
        encryption,
    })
}

/// By how much the server's clock is ahead of ours, give or take half of what the question takes.
///
/// # Errors
/// The database fails.
pub async fn clock_ahead(pool: &Pool, clock: &dyn Clock) -> Result<TimeDelta, sqlx::Error> {
    // In a transaction that is there before, so that only the question itself lies between the two readings.
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

/// Bytes that the database takes on its server's disk.
///
/// # Errors
/// The database fails.
pub async fn size(pool: &Pool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select pg_database_size(current_database())")
        .fetch_one(pool)
        .await
}
