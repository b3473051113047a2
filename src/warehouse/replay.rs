use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::transform::Interaction;

use super::batch::Constants;
use super::compare;
use super::interactions::{InteractionWriter, RawRecords, write_accepted};
use crate::ledger::runs::{Finished, Outcome, finish};
use crate::ledger::{Counters, LoadError, conflict, from_bigint};

const BATCH: i64 = 500;
const BATCH_BYTES: i64 = 2 << 20;

#[derive(Debug, FromRow)]
pub struct Raw {
    pub interaction_key: Uuid,
    pub payload: String,
    pub time_zone_offset: i32,
    fetched_at: DateTime<Utc>,
    pub content_hash: Vec<u8>,
}

#[derive(Debug)]
pub struct Rebuilt {
    pub raw: Raw,
    /// `None`: it no longer becomes rows, and only the privacy rules apply.
    pub interaction: Option<Interaction>,
    /// If it differs.
    pub payload: Option<String>,
}

#[derive(Debug, Default)]
pub struct Portion {
    pub last: Uuid,
    pub records: u64,
    pub rejected: u64,
    pub rebuilt: Vec<Rebuilt>,
}

pub async fn next(pool: &Pool, account_id: &str, after: Uuid) -> Result<Vec<Raw>, LoadError> {
    Ok(sqlx::query_as(include_str!("replay_next.sql"))
        .bind(account_id)
        .bind(after)
        .bind(BATCH)
        .bind(BATCH_BYTES)
        .fetch_all(pool)
        .await?)
}

#[derive(Debug, Default)]
pub struct Rewritten {
    pub updated: u64,
    /// Why the others stay as they are.
    pub refused: Vec<String>,
}

/// Skips what changed meanwhile; what PostgreSQL refuses is rejected.
///
/// # Errors
/// Another replay has begun.
pub async fn write(
    pool: &Pool,
    account_id: &str,
    run_id: i64,
    rebuilt: &[Rebuilt],
    at: DateTime<Utc>,
) -> Result<Rewritten, LoadError> {
    pool.transact(async |transaction| {
        conflict::lock_for_rows(transaction, account_id).await?;
        let proof = sqlx::query(
            "update smartassist_sync.runs set progress_at = clock_timestamp() where id = $1 and status = 'running'",
        )
        .bind(run_id)
        .execute(&mut *transaction)
        .await?;
        if proof.rows_affected() == 0 {
            return Err(LoadError::TakenOver);
        }
        if rebuilt.is_empty() {
            return Ok(Rewritten::default());
        }
        write_current(transaction, account_id, rebuilt, at).await
    })
    .await
}

async fn write_current(
    connection: &mut PgConnection,
    account_id: &str,
    rebuilt: &[Rebuilt],
    at: DateTime<Utc>,
) -> Result<Rewritten, LoadError> {
    let rebuilt = current(connection, rebuilt).await?;
    let interactions = rebuilt.iter().filter_map(|one| one.interaction.as_ref());
    let interactions: Vec<&Interaction> = interactions.collect();
    let writer = InteractionWriter {
        constants: Constants {
            account_id,
            written_at: at,
            // Of raw records, which are left.
            time_zone_offset: 0,
        },
        stored: &compare::stored(connection, &interactions, &[]).await?,
        raw: RawRecords::Leave,
    };
    let (written, refused) = write_accepted(connection, &interactions, &writer).await?;
    // Also of refused rows, which stay.
    rewrite_raw(connection, &rebuilt).await?;
    Ok(Rewritten {
        // Of the unchanged, only the raw record changes.
        updated: written.updated + written.unchanged,
        refused: refused.iter().map(|(_, error)| error.to_string()).collect(),
    })
}

async fn current<'r>(
    connection: &mut PgConnection,
    rebuilt: &'r [Rebuilt],
) -> Result<Vec<&'r Rebuilt>, LoadError> {
    let keys: Vec<Uuid> = rebuilt.iter().map(|one| one.raw.interaction_key).collect();
    let stored: Vec<(Uuid, Vec<u8>, DateTime<Utc>)> = sqlx::query_as(
        "select interaction_key, session.content_hash, raw.fetched_at \
         from smartassist.raw_interactions as raw \
         join smartassist.sessions as session using (interaction_key) where interaction_key = any($1)",
    )
    .bind(keys)
    .fetch_all(connection)
    .await?;
    let stored: BTreeSet<_> = stored.into_iter().collect();
    let is_current =
        |raw: &Raw| stored.contains(&(raw.interaction_key, raw.content_hash.clone(), raw.fetched_at));
    Ok(rebuilt.iter().filter(|one| is_current(&one.raw)).collect())
}

async fn rewrite_raw(connection: &mut PgConnection, rebuilt: &[&Rebuilt]) -> Result<(), LoadError> {
    let differing = rebuilt
        .iter()
        .filter_map(|one| Some((one.raw.interaction_key, one.payload.as_deref()?)));
    let (keys, payloads): (Vec<Uuid>, Vec<&str>) = differing.unzip();
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

/// Interactions with and without a raw record.
pub async fn extent(pool: &Pool, account_id: &str) -> Result<(u64, u64), LoadError> {
    let counted = pool.transact_without_timeout::<(i64, i64), LoadError>(async |transaction| {
        let counted = sqlx::query_as(
            "select count(raw.interaction_key), count(*) filter (where raw.interaction_key is null) \
             from smartassist.sessions as session \
             left join smartassist.raw_interactions as raw on raw.interaction_key = session.interaction_key \
             where session.account_id = $1",
        );
        Ok(counted.bind(account_id).fetch_one(transaction).await?)
    });
    let (with, without) = counted.await?;
    Ok((from_bigint(with), from_bigint(without)))
}

/// Returns the new run, or `None` for an account that was never loaded. `former`: the run of an earlier attempt.
///
/// # Errors
/// Another replay has begun since.
pub async fn open(
    pool: &Pool,
    account_id: &str,
    former: Option<i64>,
    at: DateTime<Utc>,
) -> Result<Option<i64>, LoadError> {
    pool.transact(async |transaction| {
        conflict::lock_for_writing(transaction, account_id).await?;
        let is_taken_over: bool = sqlx::query_scalar(
            "select exists (select from smartassist_sync.runs where account_id = $1 and kind = 'replay' and id > $2)",
        )
        .bind(account_id)
        .bind(former.unwrap_or(i64::MAX))
        .fetch_one(&mut *transaction)
        .await?;
        if is_taken_over {
            return Err(LoadError::TakenOver);
        }
        sqlx::query(
            "update smartassist_sync.runs set status = 'interrupted', finished_at = $2, \
             error_code = 'process_ended', error = 'its process ended without closing the run, or another replay began' \
             where account_id = $1 and status = 'running' and kind = 'replay'",
        )
        .bind(account_id)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        let run = sqlx::query_scalar(
            "insert into smartassist_sync.runs (account_id, kind, status, started_at, watermark_before) \
             select account_id, 'replay', 'running', $2, watermark from smartassist_sync.accounts \
             where account_id = $1 returning id",
        );
        Ok(run.bind(account_id).bind(at).fetch_optional(transaction).await?)
    })
    .await
}

pub async fn close(
    pool: &Pool,
    run_id: i64,
    counters: Counters,
    outcome: Outcome,
    at: DateTime<Utc>,
) -> Result<(), LoadError> {
    let finished = Finished {
        run_id,
        outcome,
        counters,
        at,
        problem: None,
        api_clock_ahead: None,
        time_zone_disagreement_minutes: None,
    };
    match finish(pool, &finished).await {
        Err(LoadError::LeaseLost) => Err(LoadError::TakenOver),
        finished => finished.map(drop),
    }
}
