//! Runs and their results.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::types::PgRange;
use sqlx::{AssertSqlSafe, PgExecutor, Row};

use crate::config::AccountConfig;
use crate::postgres::Pool;
use crate::time::window::Window;

use super::leases::{Lease, fenced};
use super::problems::Problem;
use super::{Counters, LoadError, accounts, bigint, counters};

/// Run purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Regular poll.
    Poll,
    /// One pass.
    Sync,
    /// Rereads recent interactions.
    Refresh,
    /// Reads the past.
    Backfill,
    /// API comparison.
    Verify,
}

impl Kind {
    /// Stored spelling.
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

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is covered.
    Succeeded,
    /// Failure or open gaps.
    Failed,
    /// Another worker is active.
    Skipped,
    /// Stopped, yielded or lease lost.
    Interrupted,
}

impl Outcome {
    /// Stored spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
        }
    }
}

/// New run.
#[derive(Debug)]
pub struct NewRun<'a> {
    /// Lease.
    pub lease: &'a Lease,
    /// Purpose.
    pub kind: Kind,
    /// The refresh policy served.
    pub policy: Option<&'a str>,
    /// Account.
    pub account: &'a AccountConfig,
    /// Default start.
    pub default_start: DateTime<Utc>,
    /// Oldest kept start.
    pub kept_from: Option<DateTime<Utc>>,
    /// Start time.
    pub at: DateTime<Utc>,
    /// Range; `None`: until now.
    pub range: Option<Window>,
    /// Not reread if drained since.
    pub read_since: Option<DateTime<Utc>>,
}

/// Prepared account.
#[derive(Debug, Clone, Copy)]
pub struct ReadyAccount {
    /// Watermark.
    pub watermark: DateTime<Utc>,
    /// Filters restarted coverage.
    pub coverage_began_anew: bool,
}

/// Open run.
#[derive(Debug, Clone, Copy)]
pub struct OpenRun {
    /// Id.
    pub id: i64,
    /// Watermark before.
    pub watermark: DateTime<Utc>,
}

/// Prepares the account; closes runs of ended processes.
///
/// # Errors
/// [`LoadError::LeaseLost`] or database failure.
pub async fn prepare(pool: &Pool, run: &NewRun<'_>) -> Result<ReadyAccount, LoadError> {
    pool.transact(async |transaction| {
        run.lease.prove(&mut *transaction).await?;
        let prepared = accounts::prepare(&mut *transaction, run).await?;
        sqlx::query(
            "update smartassist_sync.runs set status = 'interrupted', finished_at = $2, \
             error_code = 'process_ended', error = 'process ended without closing the run (crash or kill)' \
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

/// Opens a run.
///
/// # Errors
/// [`LoadError::LeaseLost`] or database failure.
pub async fn open(pool: &Pool, run: &NewRun<'_>, account: ReadyAccount) -> Result<OpenRun, LoadError> {
    let opened = run
        .lease
        .query(fenced!(
            "insert into smartassist_sync.runs (account_id, holder, token, kind, status, started_at, watermark_before, \
             range, read_since, policy) select account_id, $2, token, $4, 'running', $5, $6, $7, $8, $9 from fence returning id"
        ))
        .bind(run.kind.as_str())
        .bind(run.at)
        .bind(account.watermark)
        .bind(run.range.map(PgRange::from))
        .bind(run.read_since)
        .bind(run.policy)
        .fetch_optional(pool)
        .await?;
    Ok(OpenRun {
        id: opened.ok_or(LoadError::LeaseLost)?.try_get(0)?,
        watermark: account.watermark,
    })
}

/// Last run of this kind and policy, or range, did not succeed.
///
/// # Errors
/// Database failure.
pub async fn newest_did_not_succeed(
    executor: impl PgExecutor<'_>,
    run: &NewRun<'_>,
) -> Result<bool, LoadError> {
    let did_not_succeed: Option<bool> = sqlx::query_scalar(include_str!("newest_did_not_succeed.sql"))
        .bind(&run.lease.account_id)
        .bind(run.kind.as_str())
        .bind(run.policy)
        .bind(run.range.map(PgRange::from))
        .bind(run.at)
        .fetch_optional(executor)
        .await?;
    Ok(did_not_succeed.unwrap_or(false))
}

/// Run result.
#[derive(Debug, Clone)]
pub struct Finished<'a> {
    /// Id.
    pub run_id: i64,
    /// Outcome.
    pub outcome: Outcome,
    /// Everything was tried.
    pub tried_all: bool,
    /// Sums over windows.
    pub counters: Counters,
    /// Final watermark.
    pub watermark: DateTime<Utc>,
    /// End time.
    pub at: DateTime<Utc>,
    /// The worst problem.
    pub problem: Option<&'a Problem>,
    /// API clock lead.
    pub api_clock_ahead: Option<TimeDelta>,
    /// Minutes that zoned stamps are later.
    pub time_zone_disagreement_minutes: Option<i64>,
}

/// Closes a run.
///
/// # Errors
/// [`LoadError::LeaseLost`] or database failure.
pub async fn finish(executor: impl PgExecutor<'_>, finished: &Finished<'_>) -> Result<(), LoadError> {
    let query = sqlx::query(AssertSqlSafe(FINISH.as_str()))
        .bind(finished.run_id)
        .bind(finished.outcome.as_str())
        .bind(finished.at)
        .bind(finished.watermark)
        .bind(finished.problem.map(|problem| &problem.text))
        .bind(finished.tried_all)
        .bind(
            finished
                .problem
                .map(|problem| &problem.remedy)
                .filter(|remedy| !remedy.is_empty()),
        )
        .bind(finished.problem.map(|problem| &problem.code))
        .bind(finished.api_clock_ahead.map(|ahead| ahead.num_seconds()))
        .bind(finished.time_zone_disagreement_minutes)
        .bind(bigint(finished.counters.windows));
    let closed = finished.counters.bind(query).execute(executor).await?;
    if closed.rows_affected() == 1 {
        Ok(())
    } else {
        Err(LoadError::LeaseLost)
    }
}

static FINISH: LazyLock<String> = LazyLock::new(|| {
    format!(
        "update smartassist_sync.runs set status = $2, finished_at = $3, watermark_after = $4, error = $5, \
         tried_all = $6, remedy = $7, error_code = $8, api_clock_ahead_seconds = $9, \
         time_zone_disagreement_minutes = $10, requests_left = null, windows = $11, ({}) = row({}) \
         where id = $1 and status = 'running'",
        Counters::COLUMNS.join(", "),
        counters::parameters(12)
    )
});

static NOTE_PROGRESS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "update smartassist_sync.runs set requests_left = $2, \
         progress_at = case when windows <> $3 then clock_timestamp() else progress_at end, \
         windows = $3, ({}) = row({}) where id = $1 and status = 'running'",
        Counters::COLUMNS.join(", "),
        counters::parameters(4)
    )
});

/// Stores progress.
///
/// # Errors
/// Database failure.
pub async fn note_progress(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    counters: &Counters,
    requests_left: u64,
) -> Result<(), LoadError> {
    let query = sqlx::query(AssertSqlSafe(NOTE_PROGRESS.as_str()))
        .bind(run_id)
        .bind(bigint(requests_left))
        .bind(bigint(counters.windows));
    counters.bind(query).execute(executor).await?;
    Ok(())
}

/// `read_since` of an unfinished run under seven days old.
///
/// # Errors
/// Database failure.
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
