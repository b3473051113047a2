//! The books of runs: what was done for an account, when, and how it ended.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::types::PgRange;
use sqlx::{PgExecutor, Row};

use crate::config::AccountConfig;
use crate::postgres::Pool;
use crate::time::window::Window;

use super::leases::{Lease, fenced};
use super::{Counters, LoadError, accounts, bigint};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The daemon's regular look for new interactions.
    Poll,
    /// One pass to now, asked for on the command line.
    Sync,
    /// Reads again what may have changed.
    Refresh,
    /// Reads a stretch of the past that an operator asked for.
    Backfill,
    /// Compares what is stored with the API.
    Verify,
}

impl Kind {
    /// As the column `kind` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Sync => "sync",
            Self::Refresh => "refresh",
            Self::Backfill => "backfill",
            Self::Verify => "verify",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was wanted is covered.
    Succeeded,
    /// At least one window failed.
    Failed,
    /// Another worker has the account.
    Skipped,
    /// It was told to stop, or lost its lease, and did.
    Interrupted,
}

impl Outcome {
    /// As the column `status` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A run that is to begin.
#[derive(Debug)]
pub struct NewRun<'a> {
    /// The lease under which it works.
    pub lease: &'a Lease,
    /// What it is for.
    pub kind: Kind,
    /// The account as it is configured.
    pub account: &'a AccountConfig,
    /// From when on interactions are wanted where nobody says.
    pub default_start: DateTime<Utc>,
    /// From when on interactions are kept at all; `None`: however old they are.
    pub kept_from: Option<DateTime<Utc>>,
    /// When it begins.
    pub at: DateTime<Utc>,
    /// The stretch of time that it is about; `None` for all up to now.
    pub range: Option<Window>,
    /// Windows drained since then need not be read again; `None` where only what is not covered
    /// is read.
    pub read_since: Option<DateTime<Utc>>,
}

/// An account that is ready for a run.
#[derive(Debug, Clone, Copy)]
pub struct ReadyAccount {
    /// Its watermark.
    pub watermark: DateTime<Utc>,
    /// The filters differ from those of the last time, so coverage began anew.
    pub coverage_began_anew: bool,
}

/// A run whose books are open.
#[derive(Debug, Clone, Copy)]
pub struct OpenRun {
    /// Its number.
    pub id: i64,
    /// The watermark before it.
    pub watermark: DateTime<Utc>,
}

/// Makes the account known as it is configured, if the lease still holds. Runs of the account that are
/// still open under other leases belong to workers that died: they are closed as interrupted. Under
/// this one there may be several at a time.
///
/// # Errors
/// [`LoadError::LeaseLost`] where the lease is lost; or the database fails.
pub async fn prepare(pool: &Pool, run: &NewRun<'_>) -> Result<ReadyAccount, LoadError> {
    pool.transact(async |transaction| {
        run.lease.prove(&mut *transaction).await?;
        let prepared = accounts::prepare(&mut *transaction, run).await?;
        sqlx::query(
            "update smartassist_sync.runs set status = 'interrupted', finished_at = $2, \
             error = 'process ended without closing the run (crash or kill)' \
             where account_id = $1 and status = 'running' and (token, holder) is distinct from ($3, $4) \
             and kind <> 'replay'",
        )
        .bind(&run.lease.account_id)
        .bind(run.at)
        .bind(run.lease.token)
        .bind(&run.lease.holder)
        .execute(&mut *transaction)
        .await?;
        Ok(prepared)
    })
    .await
}

/// Opens the books for a run of an account that is ready, if the lease still holds.
///
/// # Errors
/// [`LoadError::LeaseLost`] where the lease is lost; or the database fails.
pub async fn open(pool: &Pool, run: &NewRun<'_>, account: ReadyAccount) -> Result<OpenRun, LoadError> {
    let opened = run
        .lease
        .query(fenced!(
            "insert into smartassist_sync.runs (account_id, holder, token, kind, status, started_at, watermark_before, \
             range, read_since) select account_id, $2, token, $4, 'running', $5, $6, $7, $8 from fence returning id"
        ))
        .bind(run.kind.as_str())
        .bind(run.at)
        .bind(account.watermark)
        .bind(run.range.map(PgRange::from))
        .bind(run.read_since)
        .fetch_optional(pool)
        .await?;
    Ok(OpenRun {
        id: opened.ok_or(LoadError::LeaseLost)?.try_get(0)?,
        watermark: account.watermark,
    })
}

/// Whether the newest run of this kind did not succeed; of refreshes the newest that looked as far back, of
/// backfills the newest over this very range. Then it has to be said that nothing is left to read.
///
/// # Errors
/// The database fails.
pub async fn newest_did_not_succeed(
    executor: impl PgExecutor<'_>,
    run: &NewRun<'_>,
) -> Result<bool, LoadError> {
    let did_not_succeed: Option<bool> = sqlx::query_scalar(include_str!("newest_did_not_succeed.sql"))
        .bind(&run.lease.account_id)
        .bind(run.kind.as_str())
        .bind(run.range.map(PgRange::from))
        .bind(run.at)
        .fetch_optional(executor)
        .await?;
    Ok(did_not_succeed.unwrap_or(false))
}

/// How a run ended, for the books.
#[derive(Debug, Clone)]
pub struct Finished<'a> {
    /// The run.
    pub run_id: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether everything that was wanted was read or tried.
    pub tried_all: bool,
    /// All of its windows together.
    pub counters: Counters,
    /// The watermark at its end.
    pub watermark: DateTime<Utc>,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// What was wrong first, without bodies, values or secrets.
    pub error: Option<&'a str>,
    /// What can be done about it.
    pub remedy: Option<&'static str>,
    /// By how much the API's clock is ahead of ours, where it told.
    pub api_clock_ahead: Option<TimeDelta>,
    /// Minutes by which what is certain (session ids, time stamps with a zone) is later than stamps without one, where they tell.
    pub time_zone_disagreement_minutes: Option<i64>,
}

/// Closes the books of a run.
///
/// # Errors
/// [`LoadError::LeaseLost`] where another worker has closed them already; or the database fails.
pub async fn finish(executor: impl PgExecutor<'_>, finished: &Finished<'_>) -> Result<(), LoadError> {
    let counters = &finished.counters;
    let closed = sqlx::query(
        "update smartassist_sync.runs set status = $2, finished_at = $3, watermark_after = $4, error = $5, \
         windows = $6, pages = $7, requests = $8, records = $9, distinct_records = $10, inserted = $11, \
         updated = $12, unchanged = $13, rejected = $14, missing = $15, tried_all = $16, left_out = $17, \
         retries = $18, rate_limited = $19, remedy = $20, api_clock_ahead_seconds = $21, \
         time_zone_disagreement_minutes = $22, requests_left = null \
         where id = $1 and status = 'running'",
    )
    .bind(finished.run_id)
    .bind(finished.outcome.as_str())
    .bind(finished.at)
    .bind(finished.watermark)
    .bind(finished.error)
    .bind(bigint(counters.windows))
    .bind(bigint(counters.pages))
    .bind(bigint(counters.requests))
    .bind(bigint(counters.records))
    .bind(bigint(counters.distinct_records))
    .bind(bigint(counters.inserted))
    .bind(bigint(counters.updated))
    .bind(bigint(counters.unchanged))
    .bind(bigint(counters.rejected))
    .bind(bigint(counters.missing))
    .bind(finished.tried_all)
    .bind(bigint(counters.left_out))
    .bind(bigint(counters.retries))
    .bind(bigint(counters.rate_limited))
    .bind(finished.remedy)
    .bind(finished.api_clock_ahead.map(|ahead| ahead.num_seconds()))
    .bind(finished.time_zone_disagreement_minutes)
    .execute(executor)
    .await?;
    if closed.rows_affected() == 1 {
        Ok(())
    } else {
        Err(LoadError::LeaseLost)
    }
}

/// Notes how far a run has come, for those who look meanwhile. One that has ended is left as it is.
///
/// # Errors
/// The database fails.
pub async fn note_progress(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    counters: &Counters,
    requests_left: u64,
) -> Result<(), LoadError> {
    sqlx::query(
        "update smartassist_sync.runs set requests_left = $2, \
         progress_at = case when windows <> $3 then clock_timestamp() else progress_at end, \
         windows = $3, pages = $4, requests = $5, records = $6, inserted = $7, updated = $8, unchanged = $9, \
         retries = $10, rate_limited = $11 where id = $1 and status = 'running'",
    )
    .bind(run_id)
    .bind(bigint(requests_left))
    .bind(bigint(counters.windows))
    .bind(bigint(counters.pages))
    .bind(bigint(counters.requests))
    .bind(bigint(counters.records))
    .bind(bigint(counters.inserted))
    .bind(bigint(counters.updated))
    .bind(bigint(counters.unchanged))
    .bind(bigint(counters.retries))
    .bind(bigint(counters.rate_limited))
    .execute(executor)
    .await?;
    Ok(())
}

/// Since when the newest run of this kind over exactly this stretch has been reading, if it did
/// not succeed: whoever goes on with it need not read again what was drained since. `None` where
/// there is nothing to go on with, or the last window of that attempt is older than seven days.
///
/// # Errors
/// The database fails.
pub async fn unfinished_since(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    kind: Kind,
    range: Window,
) -> Result<Option<DateTime<Utc>>, LoadError> {
    Ok(sqlx::query_scalar(include_str!("unfinished_since.sql"))
        .bind(account_id)
        .bind(kind.as_str())
        .bind(PgRange::from(range))
        .fetch_optional(executor)
        .await?)
}
