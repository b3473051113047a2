//! Rebuilding stored rows from their raw records: what is read of them, and writing what differs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgExecutor};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::transform::Interaction;

use super::columns::Constants;
use super::{days, interactions, renamed, tables};
use crate::ledger::runs::{Finished, finish};
use crate::ledger::{Counters, LoadError, bigint, turn};

/// Records of one batch, and bytes of them as they are stored: memory is bounded by both.
const BATCH: i64 = 500;
const BATCH_BYTES: i64 = 2 << 20;

/// A raw record, and which version of it is stored.
#[derive(Debug, FromRow)]
pub struct Raw {
    /// Its interaction.
    pub interaction_key: Uuid,
    /// The record as JSON text.
    pub payload: String,
    /// Minutes, negative east of Greenwich, that it was asked with.
    pub time_zone_offset: i32,
    pub(super) fetched_at: DateTime<Utc>,
    session_started_at: DateTime<Utc>,
    /// The warnings that are stored.
    pub warnings: Vec<String>,
    /// Hash of the rows that are stored.
    pub content_hash: Vec<u8>,
}

/// A raw record of which no rows can be made, after today's privacy rules.
#[derive(Debug)]
pub struct Ruled {
    /// The record as it is stored.
    pub raw: Raw,
    /// Its text after the rules, which differs.
    pub payload: String,
}

/// What a raw record has become, and differs from what is stored.
#[derive(Debug)]
pub struct Rebuilt {
    /// From what it was made.
    pub raw: Raw,
    /// Its rows.
    pub interaction: Interaction,
    /// Whether the raw record itself is another one after the privacy rules.
    pub payload_differs: bool,
}

impl Rebuilt {
    /// Whether it has another key by today's transform.
    fn is_renamed(&self) -> bool {
        self.interaction.key != self.raw.interaction_key
    }
}

/// The next batch of an account's raw records after the interaction `after`, by key.
///
/// # Errors
/// The database fails.
pub async fn next(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    after: Uuid,
) -> Result<Vec<Raw>, LoadError> {
    Ok(sqlx::query_as(include_str!("replay_next.sql"))
        .bind(account_id)
        .bind(after)
        .bind(BATCH)
        .bind(BATCH_BYTES)
        .fetch_all(executor)
        .await?)
}

/// A part of a replay that is done.
#[derive(Debug, Clone, Copy)]
pub struct Portion<'a> {
    /// What differs from what is stored.
    pub rebuilt: &'a [Rebuilt],
    /// What cannot be rebuilt, and is ruled.
    pub ruled: &'a [Ruled],
    /// The last interaction in it.
    pub last: Uuid,
    /// Raw records in it that could not be rebuilt.
    pub rejected: u64,
}

/// Writes what differs, unless something newer is stored meanwhile, and moves the position to the
/// portion's end. Returns how many interactions were written. What is as it was takes no lock.
///
/// # Errors
/// The database fails; nothing is written then.
pub async fn write(
    pool: &Pool,
    account_id: &str,
    portion: Portion<'_>,
    at: DateTime<Utc>,
) -> Result<u64, LoadError> {
    let Portion {
        rebuilt,
        ruled,
        last,
        rejected,
    } = portion;
    pool.transact(async |transaction| {
    let mut written = 0;
    if !rebuilt.is_empty() || !ruled.is_empty() {
        turn::take(transaction, account_id).await?;
        sqlx::query("set local enable_seqscan = off")
            .execute(&mut *transaction)
            .await?;
        let raw = rebuilt.iter().map(|one| &one.raw).chain(ruled.iter().map(|one| &one.raw));
        let current = current(transaction, raw).await?;
        let rebuilt = rebuilt.iter().filter(|one| current.contains(&one.raw.interaction_key));
        let (same, renamed): (Vec<_>, Vec<_>) = rebuilt.partition(|one| !one.is_renamed());
        written = (same.len() + renamed.len()) as u64;
        rewrite(transaction, account_id, &same, at).await?;
        renamed::write(transaction, account_id, renamed, at).await?;
        let ruled = ruled.iter().filter(|one| current.contains(&one.raw.interaction_key));
        let ruled = ruled.map(|one| (one.raw.interaction_key, one.payload.as_str()));
        rewrite_raw(transaction, ruled.unzip()).await?;
    }
    sqlx::query(
        "update smartassist_sync.replays set position = $2, rejected = rejected + $3, updated_at = clock_timestamp() \
         where account_id = $1",
    )
    .bind(account_id)
    .bind(last)
    .bind(bigint(rejected))
    .execute(&mut *transaction)
    .await?;
    Ok(written)
    })
    .await
}

/// Those of which the version that was read is still the one that is stored.
async fn current<'a>(
    connection: &mut PgConnection,
    raw: impl Iterator<Item = &'a Raw>,
) -> Result<BTreeSet<Uuid>, LoadError> {
    let raw: BTreeMap<Uuid, &Raw> = raw.map(|raw| (raw.interaction_key, raw)).collect();
    let stored: Vec<(Uuid, Vec<u8>, DateTime<Utc>)> = sqlx::query_as(
        "select interaction_key, session.content_hash, raw.fetched_at \
         from smartassist.raw_interactions as raw \
         join smartassist.sessions as session using (interaction_key) where interaction_key = any($1)",
    )
    .bind(raw.keys().copied().collect::<Vec<Uuid>>())
    .fetch_all(connection)
    .await?;
    let is_current = |(key, hash, fetched_at): &(Uuid, Vec<u8>, DateTime<Utc>)| {
        let read = raw.get(key)?;
        (*hash == read.content_hash && *fetched_at == read.fetched_at).then_some(*key)
    };
    Ok(stored.iter().filter_map(is_current).collect())
}

async fn rewrite(
    connection: &mut PgConnection,
    account_id: &str,
    rebuilt: &[&Rebuilt],
    at: DateTime<Utc>,
) -> Result<(), LoadError> {
    let constants = Constants {
        account_id,
        written_at: at,
        time_zone_offset: 0,
    };
    let differs = |one: &&&Rebuilt| one.raw.content_hash != one.interaction.content_hash;
    let rewritten = || rebuilt.iter().filter(differs);
    let changed: Vec<&Interaction> = rewritten().map(|one| &one.interaction).collect();
    let keys: Vec<Uuid> = changed.iter().map(|interaction| interaction.key).collect();
    interactions::delete_children(connection, &keys).await?;
    interactions::write_sessions(connection, &tables::REBUILT_SESSIONS, constants, &changed).await?;
    interactions::write_children(connection, constants, &changed).await?;
    let moves = rewritten().flat_map(|one| {
        let start = one.interaction.rows.session.session_started_at;
        [(one.raw.session_started_at, -1), (start, 1)]
    });
    days::count(connection, account_id, moves).await?;

    let reduced = rebuilt.iter().filter(|one| one.payload_differs);
    let reduced = reduced.map(|one| (one.raw.interaction_key, one.interaction.payload.as_str()));
    rewrite_raw(connection, reduced.unzip()).await
}

async fn rewrite_raw(
    connection: &mut PgConnection,
    (keys, payloads): (Vec<Uuid>, Vec<&str>),
) -> Result<(), LoadError> {
    if !keys.is_empty() {
        sqlx::query(
            "update smartassist.raw_interactions as raw set payload = rebuilt.payload::jsonb \
             from unnest($1::uuid[], $2::text[]) as rebuilt (interaction_key, payload) \
             where raw.interaction_key = rebuilt.interaction_key",
        )
        .bind(keys)
        .bind(payloads)
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// How many of an account's interactions have a raw record, and how many have none.
///
/// # Errors
/// The database fails.
pub async fn extent(pool: &Pool, account_id: &str) -> Result<(u64, u64), LoadError> {
    let counted = pool.transact_patiently::<(i64, i64), LoadError>(async |transaction| {
        sqlx::query_as(
            "select count(raw.interaction_key), count(*) filter (where raw.interaction_key is null) \
             from smartassist.sessions as session \
             left join smartassist.raw_interactions as raw on raw.interaction_key = session.interaction_key \
             where session.account_id = $1",
        )
        .bind(account_id)
        .fetch_one(transaction)
        .await
        .map_err(LoadError::from)
    });
    let (with, without) = counted.await?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok((count(with), count(without)))
}

/// A replay whose books are open.
#[derive(Debug)]
pub struct OpenReplay {
    /// Its run.
    pub run_id: i64,
    /// The last interaction that an earlier one, which did not come to its end, has rebuilt under the
    /// same rules; nil for none.
    pub position: Uuid,
    /// Raw records up to there that could not be rebuilt.
    pub rejected: u64,
    watermark: DateTime<Utc>,
}

/// Opens the books of a replay; `None` where the account has never been loaded.
///
/// # Errors
/// The database fails.
pub async fn open(
    pool: &Pool,
    account_id: &str,
    rules: &str,
    at: DateTime<Utc>,
) -> Result<Option<OpenReplay>, LoadError> {
    pool.transact(async |transaction| {
        sqlx::query(
            "update smartassist_sync.runs set status = 'interrupted', finished_at = $2, \
         error = 'process ended without closing the run (crash or kill)' \
         where account_id = $1 and status = 'running' and kind = 'replay'",
        )
        .bind(account_id)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        let run: Option<(i64, DateTime<Utc>)> = sqlx::query_as(
            "insert into smartassist_sync.runs (account_id, kind, status, started_at, watermark_before) \
         select account_id, 'replay', 'running', $2, watermark from smartassist_sync.accounts \
         where account_id = $1 returning id, watermark_before",
        )
        .bind(account_id)
        .bind(at)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((run_id, watermark)) = run else {
            return Ok(None);
        };
        let (position, rejected): (Uuid, i64) = sqlx::query_as(
            "insert into smartassist_sync.replays as replay (account_id, rules) values ($1, $2) \
         on conflict (account_id, stream) do update set rules = excluded.rules, \
         position = case when replay.rules = excluded.rules then replay.position else excluded.position end, \
         rejected = case when replay.rules = excluded.rules then replay.rejected else 0 end, \
         started_at = case when replay.rules = excluded.rules then replay.started_at else now() end \
         returning position, rejected",
        )
        .bind(account_id)
        .bind(rules)
        .fetch_one(&mut *transaction)
        .await?;
        Ok(Some(OpenReplay {
            run_id,
            position,
            rejected: u64::try_from(rejected).unwrap_or(0),
            watermark,
        }))
    })
    .await
}

/// Closes the books; one that came to its end leaves no position behind.
///
/// # Errors
/// The database fails.
pub async fn close(
    pool: &Pool,
    account_id: &str,
    replay: &OpenReplay,
    counters: Counters,
    outcome: crate::ledger::runs::Outcome,
    at: DateTime<Utc>,
) -> Result<(), LoadError> {
    let finished = Finished {
        run_id: replay.run_id,
        outcome,
        tried_all: outcome != crate::ledger::runs::Outcome::Interrupted,
        counters,
        watermark: replay.watermark,
        at,
        error: None,
        remedy: None,
        api_clock_ahead: None,
        time_zone_disagreement_minutes: None,
    };
    if finished.tried_all {
        sqlx::query("delete from smartassist_sync.replays where account_id = $1")
            .bind(account_id)
            .execute(pool)
            .await?;
    }
    finish(pool, &finished).await
}
