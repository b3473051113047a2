//! The ledger: one row per fetched window.

use std::time::Duration;

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::postgres::types::PgRange;

use crate::config::BudgetSpan;
use crate::postgres::Pool;
use crate::time::window::Window;

use super::leases::{Lease, fenced};
use super::problems::Problem;
use super::{Counters, LoadError, bigint, counters};

/// Window purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Not covered yet.
    New,
    /// May have changed.
    Refresh,
    /// Operator's request.
    Backfill,
    /// Gap retry.
    Gap,
    /// API comparison.
    Verify,
}

impl Purpose {
    /// Stored spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Refresh => "refresh",
            Self::Backfill => "backfill",
            Self::Gap => "gap",
            Self::Verify => "verify",
        }
    }
}

/// Window result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All records seen.
    Drained,
    /// Parts are fetched instead.
    Split,
    /// Incomplete and indivisible.
    Gap,
    /// Nothing stored.
    Failed,
}

impl Status {
    /// Stored spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drained => "drained",
            Self::Split => "split",
            Self::Gap => "gap",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) lease: &'a Lease,
    pub(crate) run_id: i64,
    pub(crate) window: Window,
    pub(crate) purpose: Purpose,
    pub(crate) status: Status,
    pub(crate) counters: Counters,
    pub(crate) reported_total: Option<u64>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) problem: Option<&'a Problem>,
}

static RECORD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{} insert into smartassist_sync.windows (account_id, token, run_id, range, purpose, status, reported_total, \
         started_at, finished_at, error, error_code, {}) \
         select account_id, token, $4, $5, $6, $7, $8, $9, clock_timestamp(), $10, $11, {} from fence",
        fenced!(""),
        Counters::COLUMNS.join(", "),
        counters::parameters(12)
    )
});

pub(crate) async fn record(executor: impl PgExecutor<'_>, entry: &Entry<'_>) -> Result<(), LoadError> {
    let query = entry
        .lease
        .query(&RECORD)
        .bind(entry.run_id)
        .bind(PgRange::from(entry.window))
        .bind(entry.purpose.as_str())
        .bind(entry.status.as_str())
        .bind(entry.reported_total.map(bigint))
        .bind(entry.started_at)
        .bind(entry.problem.map(|problem| &problem.text))
        .bind(entry.problem.map(|problem| &problem.code));
    let written = entry.counters.bind(query).execute(executor).await?;
    if written.rows_affected() == 1 {
        Ok(())
    } else {
        Err(LoadError::LeaseLost)
    }
}

/// Compared window.
#[derive(Debug)]
pub struct ComparedWindow<'a> {
    /// Lease.
    pub lease: &'a Lease,
    /// Run.
    pub run_id: i64,
    /// Time range.
    pub window: Window,
    /// Result.
    pub status: Status,
    /// Cost and content.
    pub counters: Counters,
    /// API's total.
    pub reported_total: Option<u64>,
    /// Fetch start.
    pub started_at: DateTime<Utc>,
    /// Why it could not be compared.
    pub problem: Option<&'a Problem>,
}

/// Records a comparison.
///
/// # Errors
/// [`LoadError::LeaseLost`] or database failure.
pub async fn record_compared(pool: &Pool, compared: &ComparedWindow<'_>) -> Result<(), LoadError> {
    let entry = Entry {
        lease: compared.lease,
        run_id: compared.run_id,
        window: compared.window,
        purpose: Purpose::Verify,
        status: compared.status,
        counters: compared.counters,
        reported_total: compared.reported_total,
        started_at: compared.started_at,
        problem: compared.problem,
    };
    record(pool, &entry).await
}

/// Failed window; its requests count.
#[derive(Debug)]
pub struct FailedWindow<'a> {
    /// Lease.
    pub lease: &'a Lease,
    /// Run.
    pub run_id: i64,
    /// Time range.
    pub window: Window,
    /// Purpose.
    pub purpose: Purpose,
    /// Counts until failure.
    pub counters: Counters,
    /// Fetch start.
    pub started_at: DateTime<Utc>,
    /// Why nothing was stored.
    pub problem: &'a Problem,
}

/// Records a failed window.
///
/// # Errors
/// [`LoadError::LeaseLost`] or database failure.
pub async fn record_failed(pool: &Pool, failed: &FailedWindow<'_>) -> Result<(), LoadError> {
    let entry = Entry {
        lease: failed.lease,
        run_id: failed.run_id,
        window: failed.window,
        purpose: failed.purpose,
        status: Status::Failed,
        counters: failed.counters,
        reported_total: None,
        started_at: failed.started_at,
        problem: Some(failed.problem),
    };
    record(pool, &entry).await
}

/// Other processes' requests and ages, an hour at most.
///
/// # Errors
/// Database failure.
pub async fn spent_by_others(
    pool: &Pool,
    account_id: &str,
    holder: &str,
    since: Duration,
) -> Result<Vec<(usize, Duration)>, LoadError> {
    let spent: Vec<(i64, f64)> = sqlx::query_as(
        "select fetched.requests, extract(epoch from now() - fetched.finished_at)::float8 \
         from smartassist_sync.windows as fetched join smartassist_sync.runs as run on run.id = fetched.run_id \
         where fetched.account_id = $1 and run.holder is distinct from $2 \
         and fetched.finished_at > now() - make_interval(secs => $3)",
    )
    .bind(account_id)
    .bind(holder)
    .bind(since.min(BudgetSpan::LONGEST.length()).as_secs_f64())
    .fetch_all(pool)
    .await?;
    let entry = |(requests, age): (i64, f64)| {
        (
            usize::try_from(requests).unwrap_or(0),
            Duration::from_secs_f64(age.max(0.0)),
        )
    };
    Ok(spent.into_iter().map(entry).collect())
}

/// Counts of newest drained windows, except compared ones.
///
/// # Errors
/// Database failure.
pub async fn recent_counts(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    limit: i64,
) -> Result<Vec<(Window, u64)>, LoadError> {
    let counts: Vec<(DateTime<Utc>, DateTime<Utc>, i64)> = sqlx::query_as(
        "select lower(newest.range), upper(newest.range), newest.distinct_records from ( \
         select id, range, distinct_records, finished_at from smartassist_sync.windows \
         where account_id = $1 and status = 'drained' and purpose <> 'verify' order by finished_at desc, id desc limit $2 \
         ) as newest order by newest.finished_at, newest.id",
    )
    .bind(account_id)
    .bind(limit)
    .fetch_all(executor)
    .await?;
    let count = |(start, end, count)| (Window { start, end }, u64::try_from(count).unwrap_or(0));
    Ok(counts.into_iter().map(count).collect())
}
