//! Read-only database checks.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

use crate::time::clock::Clock;

use super::{Pool, connect};

/// The server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Like `17.2`.
    pub version: String,
    /// Major version.
    pub major: i32,
    /// Takes no writes.
    pub is_read_only: bool,
}

/// Missing rights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Needed to load.
    pub missing: Vec<String>,
    /// Needed to migrate.
    pub missing_to_migrate: Vec<String>,
}

/// Risks in schema `public`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Everyone may create objects.
    pub public_is_open: bool,
    /// Objects named like built-in ones.
    pub shadows: Vec<String>,
}

/// Connection security.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Our `sslmode`.
    pub ssl_mode: &'static str,
    /// Local server.
    pub is_on_this_machine: bool,
    /// Protocol and cipher; `None`: plain text.
    pub encryption: Option<(String, String)>,
}

/// Version and mode.
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

/// Checked rows.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// All.
    pub rows: u64,
    /// With wrong keys.
    pub wrong: u64,
}

/// Recomputes the first and last 500 keys.
///
/// # Errors
/// The database fails.
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

/// Newest applied migration.
///
/// # Errors
/// The database fails.
pub async fn applied(pool: &Pool) -> Result<Option<i64>, sqlx::Error> {
    // The catalogue needs no rights.
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

/// Our missing rights.
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

/// Risks to others; we look nothing up there.
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

/// Reader roles made by others, with members.
///
/// # Errors
/// The database fails.
pub async fn foreign_readers(pool: &Pool) -> Result<Vec<(String, Vec<String>)>, sqlx::Error> {
    sqlx::query_as(include_str!("readers.sql")).fetch_all(pool).await
}

/// Behind a pooler, `encryption` is the pooler's.
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

/// Server clock minus ours, within half a round trip.
///
/// # Errors
/// The database fails.
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

/// Bytes on disk.
///
/// # Errors
/// The database fails.
pub async fn size(pool: &Pool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select pg_database_size(current_database())")
        .fetch_one(pool)
        .await
}
