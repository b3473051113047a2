//! The books of runs: what was done for an account, when, and how it ended.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};

use super::leases::Lease;
use super::{Counters, LoadError, bigint};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The daemon's regular look for new interactions.
    Poll,
    /// One pass to now, asked for on the command line.
    Sync,
}

impl Kind {
    /// As the column `kind` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Sync => "sync",
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

/// Opens the books for a run under `lease`. Runs of the account that are still open belong to
/// workers that died: they are closed as interrupted.
///
/// # Errors
/// The database fails.
pub async fn start(
    pool: &PgPool,
    lease: &Lease,
    kind: Kind,
    watermark: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<i64, LoadError> {
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "update smartassist_sync.runs set status = 'interrupted', finished_at = $2, \
         error = 'its worker ended without a word' where account_id = $1 and status = 'running'",
    )
    .bind(&lease.account_id)
    .bind(at)
    .execute(&mut *transaction)
    .await?;
    let id = sqlx::query_scalar(
        "insert into smartassist_sync.runs (account_id, kind, status, started_at, holder, token, watermark_before) \
         values ($1, $2, 'running', $3, $4, $5, $6) returning id",
    )
    .bind(&lease.account_id)
    .bind(kind.as_str())
    .bind(at)
    .bind(&lease.holder)
    .bind(lease.token)
    .bind(watermark)
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(id)
}

/// How a run ended, for the books.
#[derive(Debug, Clone)]
pub struct Finished<'a> {
    /// The run.
    pub run_id: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// All of its windows together.
    pub counters: Counters,
    /// The watermark at its end.
    pub watermark: DateTime<Utc>,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// What was wrong first, without bodies, values or secrets.
    pub error: Option<&'a str>,
}

/// Closes the books of a run.
///
/// # Errors
/// The database fails.
pub async fn finish(executor: impl PgExecutor<'_>, finished: &Finished<'_>) -> Result<(), LoadError> {
    let counters = &finished.counters;
    sqlx::query(
        "update smartassist_sync.runs set status = $2, finished_at = $3, watermark_after = $4, error = $5, \
         windows = $6, pages = $7, requests = $8, records = $9, distinct_records = $10, inserted = $11, \
         updated = $12, unchanged = $13, rejected = $14 where id = $1 and status = 'running'",
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
    .execute(executor)
    .await?;
    Ok(())
}
