use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use sqlx::postgres::types::PgRange;

use crate::postgres::Pool;
use crate::time::window::Window;
use crate::transform::TRANSFORM_VERSION;

use super::leases::{Lease, fenced};
use super::problems::Problem;
use super::{Counters, LoadError, bigint, counters};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    New,
    Refresh,
    /// Sessions that had no end yet.
    Open,
    Backfill,
    Repair,
    Gap,
    Verify,
}

impl Purpose {
    const ALL: [Self; 7] = [
        Self::New,
        Self::Refresh,
        Self::Open,
        Self::Backfill,
        Self::Repair,
        Self::Gap,
        Self::Verify,
    ];

    pub(super) fn of(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == stored)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Refresh => "refresh",
            Self::Open => "open",
            Self::Backfill => "backfill",
            Self::Repair => "repair",
            Self::Gap => "gap",
            Self::Verify => "verify",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All records were seen.
    Drained,
    /// Parts are read instead.
    Split,
    /// Incomplete and indivisible.
    Gap,
    Failed,
    Compared,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drained => "drained",
            Self::Split => "split",
            Self::Gap => "gap",
            Self::Failed => "failed",
            Self::Compared => "compared",
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
    pub(crate) proof: Option<(&'a str, &'a Value)>,
    pub(crate) started_at: DateTime<Utc>,
    /// Database time before its first request.
    pub(crate) began_at: DateTime<Utc>,
    pub(crate) problem: Option<&'a Problem>,
}

static RECORD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{} insert into smartassist_sync.windows (account_id, token, run_id, range, purpose, status, reported_total, \
         started_at, finished_at, error, error_code, began_at, rules, proof, profile, {}) \
         select account_id, token, $4, $5, $6, $7, $8, $9, clock_timestamp(), $10, $11, $12, $13, $14, $15, {} from fence",
        fenced!(""),
        Counters::COLUMNS.join(", "),
        counters::parameters(16)
    )
});

#[expect(clippy::cast_possible_wrap, reason = "a small number")]
pub const RULES: i32 = TRANSFORM_VERSION as i32;

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
        .bind(entry.problem.map(|problem| &problem.code))
        .bind(entry.began_at)
        .bind(RULES)
        .bind(entry.proof.map(|(proof, _)| proof))
        .bind(entry.proof.map(|(_, profile)| profile));
    let written = entry.counters.bind(query).execute(executor).await?;
    if written.rows_affected() == 1 {
        Ok(())
    } else {
        Err(LoadError::LeaseLost)
    }
}

/// A window of which nothing is stored; its requests still count.
#[derive(Debug)]
pub struct UnstoredWindow<'a> {
    pub lease: &'a Lease,
    pub run_id: i64,
    pub window: Window,
    pub purpose: Purpose,
    pub status: Status,
    pub counters: Counters,
    pub reported_total: Option<u64>,
    pub started_at: DateTime<Utc>,
    /// Database time.
    pub began_at: DateTime<Utc>,
    pub problem: Option<&'a Problem>,
}

/// Records a window of which nothing is stored.
///
/// # Errors
/// [`LoadError::LeaseLost`].
pub async fn record_unstored(pool: &Pool, window: &UnstoredWindow<'_>) -> Result<(), LoadError> {
    let entry = Entry {
        lease: window.lease,
        run_id: window.run_id,
        window: window.window,
        purpose: window.purpose,
        status: window.status,
        counters: window.counters,
        reported_total: window.reported_total,
        proof: None,
        started_at: window.started_at,
        began_at: window.began_at,
        problem: window.problem,
    };
    record(pool, &entry).await
}

/// Database time.
pub async fn now(executor: impl PgExecutor<'_>) -> Result<DateTime<Utc>, LoadError> {
    Ok(sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(executor)
        .await?)
}

/// Newest drained windows with their counts.
pub async fn recent_counts(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    limit: i64,
) -> Result<Vec<(Window, u64)>, LoadError> {
    let counts: Vec<(DateTime<Utc>, DateTime<Utc>, i64)> = sqlx::query_as(
        "select lower(newest.range), upper(newest.range), newest.distinct_records from ( \
         select id, range, distinct_records, finished_at from smartassist_sync.windows \
         where account_id = $1 and status = 'drained' order by finished_at desc, id desc limit $2 \
         ) as newest order by newest.finished_at, newest.id",
    )
    .bind(account_id)
    .bind(limit)
    .fetch_all(executor)
    .await?;
    let count = |(start, end, count)| (Window { start, end }, u64::try_from(count).unwrap_or(0));
    Ok(counts.into_iter().map(count).collect())
}
