//! Runs; old ones are pruned with their windows and requests.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, PgExecutor, Row};

use crate::config::AccountConfig;
use crate::postgres::Pool;

use super::leases::{Lease, fenced};
use super::problems::Problem;
use super::windows::parameters;
use super::{Counters, LoadError, accounts, bigint, conflict, spelled};

spelled! {
    Kind {
        Poll = "poll",
        Sync = "sync",
        Refresh = "refresh",
        Backfill = "backfill",
        Verify = "verify",
    }
}

spelled! {
    /// The worst is last.
    #[derive(PartialOrd, Ord)]
    Outcome {
        Succeeded = "succeeded",
        Skipped = "skipped",
        /// Stopped, handed over, or lease lost.
        Interrupted = "interrupted",
        /// A failure, or open gaps.
        Failed = "failed",
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
}

#[derive(Debug)]
pub struct Preparation<'a> {
    pub account: &'a AccountConfig,
    pub default_start: DateTime<Utc>,
    pub kept_from: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

/// Prepares the account; closes runs of processes that ended without doing so. `true`: coverage begins anew.
///
/// # Errors
/// [`LoadError::LeaseLost`].
pub async fn prepare(pool: &Pool, lease: &Lease, preparation: &Preparation<'_>) -> Result<bool, LoadError> {
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

pub async fn open(
    executor: impl PgExecutor<'_>,
    run: &NewRun<'_>,
) -> Result<(i64, DateTime<Utc>), LoadError> {
    let opened = run
        .lease
        .query(fenced!(
            "insert into smartassist_sync.runs (account_id, holder, token, kind, status, started_at, watermark_before, \
             request_id, policy) select account_id, $2, token, $4, 'running', $5, watermark, $6, $7 \
             from fence join smartassist_sync.accounts using (account_id) returning id, watermark_before"
        ))
        .bind(run.kind.as_str())
        .bind(run.at)
        .bind(run.request_id)
        .bind(run.policy)
        .fetch_optional(executor)
        .await?;
    let opened = opened.ok_or(LoadError::LeaseLost)?;
    Ok((opened.try_get("id")?, opened.try_get("watermark_before")?))
}

#[derive(Debug, Clone)]
pub struct Finished<'a> {
    pub run_id: i64,
    pub outcome: Outcome,
    /// Sums over its windows.
    pub counters: Counters,
    pub at: DateTime<Utc>,
    pub problem: Option<&'a Problem>,
    pub api_clock_ahead: Option<TimeDelta>,
    /// By which stamps with a zone are later.
    pub time_zone_disagreement_minutes: Option<i64>,
}

pub async fn finish(
    executor: impl PgExecutor<'_>,
    finished: &Finished<'_>,
) -> Result<[Option<DateTime<Utc>>; 2], LoadError> {
    let query = sqlx::query(AssertSqlSafe(FINISH.as_str()))
        .bind(finished.run_id)
        .bind(finished.outcome.as_str())
        .bind(finished.at)
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
    let closed = finished.counters.bind(query).fetch_optional(executor).await?;
    let closed = closed.ok_or(LoadError::LeaseLost)?;
    Ok([
        closed.try_get("watermark_before")?,
        closed.try_get("watermark_after")?,
    ])
}

static FINISH: LazyLock<String> = LazyLock::new(|| {
    format!(
        "update smartassist_sync.runs as run set status = $2, finished_at = $3, error = $4, \
         error_code = $5, remedy = $6, api_clock_ahead_seconds = $7, time_zone_disagreement_minutes = $8, \
         watermark_after = (select watermark from smartassist_sync.accounts where (account_id, stream) = (run.account_id, run.stream)), \
         requests_left = null, windows = $9, ({}) = row({}) where id = $1 and status = 'running' \
         returning watermark_before, watermark_after",
        Counters::COLUMNS.join(", "),
        parameters(10)
    )
});

static NOTE_PROGRESS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "update smartassist_sync.runs set requests_left = $2, \
         progress_at = case when requests <> $4 then clock_timestamp() else progress_at end, \
         windows = $3, ({}) = row({}) where id = $1 and status = 'running'",
        Counters::COLUMNS.join(", "),
        parameters(5)
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
        .bind(bigint(counters.windows))
        .bind(bigint(counters.requests));
    counters.bind(query).execute(executor).await?;
    Ok(())
}

/// Of old windows, what they drained is kept as one multirange.
pub const KEPT: TimeDelta = TimeDelta::days(90);

/// Keeps statements short.
const BATCH: i64 = 1_000;

/// Call until zero. Keeps open gaps, and the newest run and request of each kind.
pub async fn prune_some(pool: &Pool, account_id: &str) -> Result<u64, LoadError> {
    pool.transact(async |transaction| {
        conflict::lock_for_writing(transaction, account_id).await?;
        sqlx::query(include_str!("fold.sql"))
            .bind(account_id)
            .execute(&mut *transaction)
            .await?;
        // Runs can go once their windows have.
        for statement in [
            include_str!("prune_windows.sql"),
            include_str!("prune_runs.sql"),
            include_str!("prune_requests.sql"),
        ] {
            let deleted = sqlx::query(statement)
                .bind(account_id)
                .bind(BATCH)
                .bind(KEPT.as_seconds_f64())
                .execute(&mut *transaction)
                .await?;
            if deleted.rows_affected() > 0 {
                return Ok(deleted.rows_affected());
            }
        }
        Ok(0)
    })
    .await
}
