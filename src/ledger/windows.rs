//! A new counter also needs columns and a place that shows it.

use std::ops::AddAssign;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::postgres::types::PgRange;
use sqlx::query::Query;
use sqlx::{PgExecutor, Postgres};

use crate::time::Window;
use crate::transform::TRANSFORM_VERSION;

use super::leases::{Lease, fenced};
use super::problems::Problem;
use super::{LoadError, bigint, from_bigint, spelled};

spelled! {
    Purpose {
        New = "new",
        Refresh = "refresh",
        /// Sessions that had no end yet.
        Open = "open",
        Backfill = "backfill",
        Repair = "repair",
        Gap = "gap",
        Verify = "verify",
    }
}

spelled! {
    Status {
        /// All records were seen.
        Drained = "drained",
        /// Parts are read instead.
        Split = "split",
        /// Incomplete and indivisible.
        Gap = "gap",
        Failed = "failed",
        Compared = "compared",
    }
}

#[derive(Debug, Clone, Copy)]
pub struct WindowEntry<'a> {
    pub lease: &'a Lease,
    pub run_id: i64,
    pub window: Window,
    pub purpose: Purpose,
    pub status: Status,
    pub counters: Counters,
    pub reported_total: Option<u64>,
    pub started_at: DateTime<Utc>,
    /// Database time before its first request.
    pub began_at: DateTime<Utc>,
    pub problem: Option<&'a Problem>,
    /// What drained it, and the API profile at that time.
    pub proof: Option<(&'a str, &'a Value)>,
}

/// Of an account that is in the ledger.
static RECORD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{} insert into smartassist_sync.windows (account_id, token, run_id, range, purpose, status, reported_total, \
         started_at, finished_at, error, error_code, began_at, rules, proof, profile, {}) \
         select account_id, token, $4, $5, $6, $7, $8, $9, clock_timestamp(), $10, $11, $12, $13, $14, $15, {} \
         from fence join smartassist_sync.accounts using (account_id)",
        fenced!(""),
        Counters::COLUMNS.join(", "),
        parameters(16)
    )
});

/// # Errors
/// [`LoadError::LeaseLost`].
pub async fn record(executor: impl PgExecutor<'_>, entry: &WindowEntry<'_>) -> Result<(), LoadError> {
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
        .bind(TRANSFORM_VERSION)
        .bind(entry.proof.map(|(proof, _)| proof))
        .bind(entry.proof.map(|(_, profile)| profile));
    let written = entry.counters.bind(query).execute(executor).await?;
    if written.rows_affected() == 1 {
        Ok(())
    } else {
        Err(LoadError::LeaseLost)
    }
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
    let count = |(start, end, count)| (Window::new(start, end), from_bigint(count));
    Ok(counts.into_iter().map(count).collect())
}

macro_rules! counters {
    ($($name:ident)+) => {
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counters {
            pub windows: u64,
            $(pub $name: u64,)+
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Self) {
                self.windows += other.windows;
                $(self.$name += other.$name;)+
            }
        }

        impl Counters {
            /// Columns of both `windows` and `runs`; a run also counts its windows.
            pub(super) const COLUMNS: &[&str] = &[$(stringify!($name)),+];

            pub(super) fn bind<'q>(
                &self,
                query: Query<'q, Postgres, PgArguments>,
            ) -> Query<'q, Postgres, PgArguments> {
                query$(.bind(bigint(self.$name)))+
            }
        }
    };
}

counters! {
    pages requests records distinct_records inserted updated unchanged rejected missing judged missed
    left_out retries rate_limited
}

/// `$first, $first+1, …`, one for each column.
pub(super) fn parameters(first: usize) -> String {
    let parameters = (first..).take(Counters::COLUMNS.len());
    parameters
        .map(|place| format!("${place}"))
        .collect::<Vec<_>>()
        .join(", ")
}
