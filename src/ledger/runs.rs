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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Poll,
    Sync,
    Refresh,
    Backfill,
    Verify,
}

impl Kind {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    /// A failure, or open gaps.
    Failed,
    Skipped,
    /// Stopped, handed over, or lease lost.
    Interrupted,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
        }
    }
}

#[derive(Debug)]
pub struct NewRun<'a> {
    pub lease: &'a Lease,
    pub kind: Kind,
    pub at: DateTime<Utc>,
    /// `None`: the head.
    pub request_id: Option<i64>,
    pub policy: Option<&'a str>,
    /// `None`: until now.
    pub range: Option<Window>,
    pub watermark: DateTime<Utc>,
}

#[derive(Debug)]
pub struct Preparation<'a> {
    pub account: &'a AccountConfig,
    pub default_start: DateTime<Utc>,
    pub kept_from: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy)]
pub struct ReadyAccount {
    pub watermark: DateTime<Utc>,
    pub coverage_began_anew: bool,
}

/// Prepares the account; closes runs of processes that ended without doing so.
///
/// # Errors
/// [`LoadError::LeaseLost`].
pub async fn prepare(
    pool: &Pool,
    lease: &Lease,
    preparation: &Preparation<'_>,
) -> Result<ReadyAccount, LoadError> {
    pool.transact(async |transaction| {
        lease.prove(&mut *transaction).await?;
        let prepared = accounts::prepare(&mut *transaction, preparation).await?;
        sqlx::query(
            "update smartassist_sync.runs set status = 'interrupted', finished_at = $2, \
             error_code = 'process_ended', error = 'process ended without closing the run (crash or kill)' \
             where account_id = $1 and status = 'running' and (token, holder) is distinct from ($3, $4) \
             and kind <> 'replay'",
        )
        .bind(&lease.account_id)
        .bind(preparation.at)
        .bind(lease.token)
        .bind(&lease.holder)
        .execute(&mut *transaction)
        .await?;
        Ok(prepared)
    })
    .await
}

/// Opens a run.
///
/// # Errors
/// [`LoadError::LeaseLost`].
pub async fn open(executor: impl PgExecutor<'_>, run: &NewRun<'_>) -> Result<i64, LoadError> {
    let opened = run
        .lease
        .query(fenced!(
            "insert into smartassist_sync.runs (account_id, holder, token, kind, status, started_at, watermark_before, \
             range, request_id, policy) select account_id, $2, token, $4, 'running', $5, $6, $7, $8, $9 from fence returning id"
        ))
        .bind(run.kind.as_str())
        .bind(run.at)
        .bind(run.watermark)
        .bind(run.range.map(PgRange::from))
        .bind(run.request_id)
        .bind(run.policy)
        .fetch_optional(executor)
        .await?;
    Ok(opened.ok_or(LoadError::LeaseLost)?.try_get(0)?)
}

#[derive(Debug, Clone)]
pub struct Finished<'a> {
    pub run_id: i64,
    pub outcome: Outcome,
    /// Sums over its windows.
    pub counters: Counters,
    pub watermark: DateTime<Utc>,
    pub at: DateTime<Utc>,
    pub problem: Option<&'a Problem>,
    pub api_clock_ahead: Option<TimeDelta>,
    /// By which stamps with a zone are later.
    pub time_zone_disagreement_minutes: Option<i64>,
}

/// Closes a run.
///
/// # Errors
/// [`LoadError::LeaseLost`].
pub async fn finish(executor: impl PgExecutor<'_>, finished: &Finished<'_>) -> Result<(), LoadError> {
    let query = sqlx::query(AssertSqlSafe(FINISH.as_str()))
        .bind(finished.run_id)
        .bind(finished.outcome.as_str())
        .bind(finished.at)
        .bind(finished.watermark)
        .bind(finished.problem.map(|problem| &problem.text))
        .bind(finished.problem.map(|problem| &problem.code))
        .bind(
            finished
                .problem
                .map(|problem| &problem.remedy)
                .filter(|remedy| !remedy.is_empty()),
        )
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
         error_code = $6, remedy = $7, api_clock_ahead_seconds = $8, time_zone_disagreement_minutes = $9, \
         requests_left = null, windows = $10, ({}) = row({}) where id = $1 and status = 'running'",
        Counters::COLUMNS.join(", "),
        counters::parameters(11)
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
