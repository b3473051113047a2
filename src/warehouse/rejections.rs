//! Rejected records: kept up to daily limits, and tried again.

use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgRange;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::telemetry::{plural, second};
use crate::transform::{Interaction, Rejected};

use super::batch::Constants;
use super::commit::WindowCommit;
use super::compare::{self, Change};
use super::interactions::{InteractionWriter, RawRecords};
use super::left_out::{self, StoreLimits};
use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::windows::Status;
use crate::ledger::{LoadError, bigint, conflict, from_bigint};

const PORTION: i64 = 100;

#[derive(Debug, Clone, FromRow)]
pub struct Rejection {
    pub id: i64,
    pub payload: String,
    pub time_zone_offset: i32,
    pub last_seen_at: DateTime<Utc>,
    pub has_only_ids: bool,
    pub reason: String,
    pub has_id: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    Stored,
    WasStored,
    LeftOut,
}

/// Newest version first.
pub async fn next(
    pool: &Pool,
    account_id: &str,
    after: Option<&Rejection>,
    unresolved: bool,
) -> Result<Vec<Rejection>, LoadError> {
    Ok(sqlx::query_as(
        "select id, payload, time_zone_offset, last_seen_at, record_bytes is not null as has_only_ids, reason, interaction_key is not null as has_id \
         from smartassist_sync.rejected_records \
         where account_id = $1 and ($2::timestamptz is null or (last_seen_at, id) < ($2, $3)) \
         and (not $4 or resolved_at is null) order by last_seen_at desc, id desc limit $5",
    )
    .bind(account_id)
    .bind(after.map(|rejection| rejection.last_seen_at))
    .bind(after.map(|rejection| rejection.id))
    .bind(unresolved)
    .bind(PORTION)
    .fetch_all(pool)
    .await?)
}

/// When the stored version was seen. Replays and marks change `last_changed_at`, not the raw `fetched_at`.
async fn stored_version_at(
    connection: &mut PgConnection,
    account_id: &str,
    key: Uuid,
) -> Result<Option<DateTime<Utc>>, LoadError> {
    let stored_at: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select coalesce(raw.fetched_at, session.last_changed_at) from smartassist.sessions as session \
         left join smartassist.raw_interactions as raw using (interaction_key) where session.interaction_key = $1",
    )
    .bind(key)
    .fetch_optional(&mut *connection)
    .await?;
    // Stored by `retry-rejected`, a version is as old as its rejected record.
    let seen_at: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select max(last_seen_at) from smartassist_sync.rejected_records \
         where account_id = $1 and interaction_key = $2 and resolved_at = $3",
    )
    .bind(account_id)
    .bind(key)
    .bind(stored_at)
    .fetch_one(connection)
    .await?;
    Ok(seen_at.or(stored_at))
}

async fn is_newer(
    connection: &mut PgConnection,
    account_id: &str,
    rejection: &Rejection,
    key: Uuid,
) -> Result<bool, LoadError> {
    if !rejection.has_id {
        return Ok(false);
    }
    let stored_at = stored_version_at(connection, account_id, key).await?;
    Ok(stored_at.is_some_and(|stored_at| stored_at < rejection.last_seen_at))
}

/// Replaces an older version only with `may_replace`.
pub async fn store(
    pool: &Pool,
    (account_id, at): (&str, DateTime<Utc>),
    limits: &StoreLimits<'_>,
    rejection: &Rejection,
    interaction: &Interaction,
    (may_replace, keep_raw): (bool, bool),
) -> Result<Retried, LoadError> {
    let constants = Constants {
        account_id,
        written_at: at,
        time_zone_offset: rejection.time_zone_offset,
    };
    pool.transact(async |transaction| {
        conflict::lock_for_rows(transaction, account_id).await?;
        if let Some(settled) = settled_since(transaction, rejection).await? {
            return Ok(settled);
        }
        let one = [interaction];
        if is_left_out(transaction, limits, rejection, &one).await? {
            return Ok(Retried::LeftOut);
        }
        let stored = compare::stored(transaction, &one, &[]).await?;
        let is_wanted = match stored.change_of(interaction) {
            Change::New => true,
            Change::Content => {
                may_replace && is_newer(transaction, account_id, rejection, interaction.key).await?
            }
            Change::None => false,
        };
        if is_wanted {
            let writer = InteractionWriter {
                constants,
                stored: &stored,
                raw: RawRecords::of(keep_raw),
            };
            writer.write(transaction, &one).await?;
        }
        sqlx::query("update smartassist_sync.rejected_records set resolved_at = $2, interaction_key = $3 where id = $1")
            .bind(rejection.id)
            .bind(at)
            .bind(interaction.key)
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

/// Windows, erasures and retention may have settled it since it was listed.
async fn settled_since(
    connection: &mut PgConnection,
    rejection: &Rejection,
) -> Result<Option<Retried>, LoadError> {
    let waits: Option<bool> =
        sqlx::query_scalar("select resolved_at is null from smartassist_sync.rejected_records where id = $1")
            .bind(rejection.id)
            .fetch_optional(connection)
            .await?;
    Ok(match waits {
        Some(true) => None,
        Some(false) => Some(Retried::WasStored),
        None => Some(Retried::LeftOut),
    })
}

async fn is_left_out(
    connection: &mut PgConnection,
    limits: &StoreLimits<'_>,
    rejection: &Rejection,
    interaction: &[&Interaction],
) -> Result<bool, LoadError> {
    let kept = left_out::leave_out(connection, limits, interaction, &[]).await?;
    if !kept.erased.is_empty() {
        // It may have no key.
        sqlx::query("delete from smartassist_sync.rejected_records where id = $1")
            .bind(rejection.id)
            .execute(connection)
            .await?;
    }
    Ok(kept.interactions.is_empty())
}

/// Applies today's privacy rules; merges entries that become equal.
pub async fn rule(pool: &Pool, rejection: &Rejection, ruled: &Rejected) -> Result<(), LoadError> {
    sqlx::query(include_str!("rule_rejection.sql"))
        .bind(rejection.id)
        .bind(ruled.payload_hash.as_slice())
        .bind(&ruled.payload)
        .bind(&*ruled.reason)
        .bind(&rejection.payload)
        .execute(pool)
        .await?;
    Ok(())
}

const MOST_PER_DAY: i64 = 1_000;
const MOST_BYTES_PER_DAY: i64 = 16 << 20;

pub(super) async fn write(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
) -> Result<u64, LoadError> {
    let (constants, rejected) = (commit.constants(), &commit.rejected);
    if rejected.is_empty() {
        note_whether_kept(connection, constants, 0).await?;
        return Ok(0);
    }
    let column = |of: fn(&Rejected) -> &str| rejected.iter().copied().map(of).collect::<Vec<&str>>();
    let keys: Vec<Option<Uuid>> = rejected.iter().map(|record| record.key).collect();
    let hashes: Vec<&[u8]> = rejected
        .iter()
        .map(|record| record.payload_hash.as_slice())
        .collect();
    let sizes: Vec<Option<i64>> = rejected
        .iter()
        .map(|record| record.record_bytes.map(bigint))
        .collect();
    let (written, counted_alone): (i64, i64) = sqlx::query_as(include_str!("rejected.sql"))
        .bind(constants.account_id)
        .bind(PgRange::from(commit.entry.window))
        .bind(constants.time_zone_offset)
        .bind(constants.written_at)
        .bind(keys)
        .bind(column(|record| &record.reason))
        .bind(column(|record| &record.payload))
        .bind(hashes)
        .bind(sizes)
        .bind(MOST_PER_DAY)
        .bind(MOST_BYTES_PER_DAY)
        .fetch_one(&mut *connection)
        .await?;
    let [written, counted_alone] = [written, counted_alone].map(from_bigint);
    let expected = rejected.len() as u64 - counted_alone.min(rejected.len() as u64);
    if written != expected {
        return Err(LoadError::RowCount {
            table: "smartassist_sync.rejected_records",
            written,
            expected,
        });
    }
    note_whether_kept(connection, constants, counted_alone).await?;
    Ok(counted_alone)
}

pub(super) async fn note_whether_all(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
    left_out: usize,
) -> Result<(), LoadError> {
    let (account_id, code) = (&commit.entry.lease.account_id, ProblemCode::AllRecordsRejected);
    if commit.interactions.len() + left_out > 0 {
        problems::clear(connection, account_id, code).await?;
    } else if let Some(first) = commit.rejected.first() {
        let detail = format!(
            "{} in the window from {} to {}, one because: {}",
            plural(bigint(commit.rejected.len() as u64), "record", "records"),
            second(commit.entry.window.start),
            second(commit.entry.window.end),
            first.reason
        );
        problems::raise(connection, account_id, code, &detail).await?;
    }
    Ok(())
}

async fn note_whether_kept(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    counted_alone: u64,
) -> Result<(), LoadError> {
    let code = ProblemCode::RejectedRecordsNotKept;
    let (stands, of_today): (bool, i64) = sqlx::query_as(
        "select exists (select from smartassist_sync.problems where account_id = $1 and code = $3), coalesce(( \
         select counted_alone from smartassist_sync.rejections_by_day \
         where account_id = $1 and day = ($2 at time zone 'UTC')::date), 0)",
    )
    .bind(constants.account_id)
    .bind(constants.written_at)
    .bind(code.as_str())
    .fetch_one(&mut *connection)
    .await?;
    if of_today == 0 && stands {
        problems::clear(connection, constants.account_id, code).await?;
    } else if counted_alone > 0 {
        let detail = format!(
            "{of_today} rejections of today, beyond {MOST_PER_DAY} records or {} MiB",
            MOST_BYTES_PER_DAY >> 20
        );
        problems::raise(connection, constants.account_id, code, &detail).await?;
    }
    Ok(())
}

/// With whether each is rejected again.
pub(super) async fn resolve(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
) -> Result<Vec<(DateTime<Utc>, bool)>, LoadError> {
    let interactions = commit.interactions.iter();
    let keys: Vec<Uuid> = interactions.map(|interaction| interaction.key).collect();
    let rejected = commit.rejected.iter();
    let hashes: Vec<&[u8]> = rejected.map(|record| record.payload_hash.as_slice()).collect();
    Ok(sqlx::query_as(include_str!("resolve.sql"))
        .bind(&commit.entry.lease.account_id)
        .bind(commit.written_at)
        .bind(keys)
        .bind(commit.entry.status == Status::Drained)
        .bind(PgRange::from(commit.entry.window))
        .bind(commit.entry.started_at)
        .bind(hashes)
        .fetch_all(connection)
        .await?)
}
