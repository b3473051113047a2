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
use crate::ledger::{Counters, LoadError, bigint, conflict, from_bigint};

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
    /// Perhaps counted before.
    pub is_again: bool,
    pub records: u64,
    pub rejected: u64,
    pub rebuilt: Vec<Rebuilt>,
}

pub async fn next(
    pool: &Pool,
    account_id: &str,
    after: Uuid,
    fetched_since: Option<DateTime<Utc>>,
) -> Result<Vec<Raw>, LoadError> {
    Ok(sqlx::query_as(include_str!("replay_next.sql"))
        .bind(account_id)
        .bind(after)
        .bind(BATCH)
        .bind(BATCH_BYTES)
        .bind(fetched_since)
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
    replay: &OpenReplay,
    portion: &Portion,
    at: DateTime<Utc>,
) -> Result<Rewritten, LoadError> {
    pool.transact(async |transaction| {
        let mut rewritten = Rewritten::default();
        conflict::lock_for_rows(transaction, account_id).await?;
        if !portion.rebuilt.is_empty() {
            rewritten = write_current(transaction, account_id, &portion.rebuilt, at).await?;
        }
        let moved = sqlx::query(
            "update smartassist_sync.replays set position = greatest(position, $2), rejected = rejected + $3, \
             records = records + $5, updated_at = clock_timestamp() \
             where account_id = $1 and exists (select from smartassist_sync.runs where id = $4 and status = 'running')",
        )
        .bind(account_id)
        .bind(portion.last)
        .bind(bigint(portion.rejected + rewritten.refused.len() as u64))
        .bind(replay.run_id)
        .bind(bigint(if portion.is_again { 0 } else { portion.records }))
        .execute(&mut *transaction)
        .await?;
        if moved.rows_affected() == 0 {
            return Err(LoadError::TakenOver);
        }
        Ok(rewritten)
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

/// Interactions with and without a raw record; also stores how many the replay has to read.
pub async fn extent(pool: &Pool, account_id: &str) -> Result<(u64, u64), LoadError> {
    let counted = pool.transact_without_timeout::<(i64, i64), LoadError>(async |transaction| {
        let (with, without) = sqlx::query_as(
            "select count(raw.interaction_key), count(*) filter (where raw.interaction_key is null) \
             from smartassist.sessions as session \
             left join smartassist.raw_interactions as raw on raw.interaction_key = session.interaction_key \
             where session.account_id = $1",
        )
        .bind(account_id)
        .fetch_one(&mut *transaction)
        .await?;
        sqlx::query("update smartassist_sync.replays set total = $2 where account_id = $1")
            .bind(account_id)
            .bind(with)
            .execute(transaction)
            .await?;
        Ok((with, without))
    });
    let (with, without) = counted.await?;
    Ok((from_bigint(with), from_bigint(without)))
}

#[derive(Debug)]
pub struct OpenReplay {
    pub run_id: i64,
    pub position: Uuid,
    /// The first attempt, by the database's clock.
    pub started_at: DateTime<Utc>,
    pub rejected: u64,
    /// Up to `position`.
    pub records: u64,
}

/// `None`: never loaded. `former`: the run of an earlier attempt.
///
/// # Errors
/// Another replay has begun since.
pub async fn open(
    pool: &Pool,
    account_id: &str,
    rules: &str,
    former: Option<i64>,
    at: DateTime<Utc>,
) -> Result<Option<OpenReplay>, LoadError> {
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
        let run: Option<i64> = sqlx::query_scalar(
            "insert into smartassist_sync.runs (account_id, kind, status, started_at, watermark_before) \
         select account_id, 'replay', 'running', $2, watermark from smartassist_sync.accounts \
         where account_id = $1 returning id",
        )
        .bind(account_id)
        .bind(at)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(run_id) = run else {
            return Ok(None);
        };
        let (position, started_at, rejected, records): (Uuid, DateTime<Utc>, i64, i64) = sqlx::query_as(
            "insert into smartassist_sync.replays as replay (account_id, rules) values ($1, $2) \
         on conflict (account_id, stream) do update set rules = excluded.rules, \
         position = case when replay.rules = excluded.rules then replay.position else excluded.position end, \
         rejected = case when replay.rules = excluded.rules then replay.rejected else 0 end, \
         records = case when replay.rules = excluded.rules then replay.records else 0 end, \
         total = case when replay.rules = excluded.rules then replay.total end, \
         updated_at = now(), \
         started_at = case when replay.rules = excluded.rules then replay.started_at else now() end \
         returning position, started_at, rejected, records",
        )
        .bind(account_id)
        .bind(rules)
        .fetch_one(&mut *transaction)
        .await?;
        Ok(Some(OpenReplay {
            run_id,
            position,
            started_at,
            rejected: from_bigint(rejected),
            records: from_bigint(records),
        }))
    })
    .await
}

pub async fn close(
    pool: &Pool,
    account_id: &str,
    replay: &OpenReplay,
    counters: Counters,
    outcome: Outcome,
    at: DateTime<Utc>,
) -> Result<(), LoadError> {
    let finished = Finished {
        run_id: replay.run_id,
        outcome,
        counters,
        at,
        problem: None,
        api_clock_ahead: None,
        time_zone_disagreement_minutes: None,
    };
    pool.transact(async |transaction| {
        match finish(&mut *transaction, &finished).await {
            Err(LoadError::LeaseLost) => return Err(LoadError::TakenOver),
            finished => finished?,
        };
        if outcome != Outcome::Interrupted {
            sqlx::query("delete from smartassist_sync.replays where account_id = $1")
                .bind(account_id)
                .execute(transaction)
                .await?;
        }
        Ok(())
    })
    .await
}
