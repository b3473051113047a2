//! Decides, when a request ends, on what two windows have missed: few are marked, many are withheld, since a
//! failed source returns empty pages.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::postgres::Pool;

use super::missing::{self, Gone};
use crate::ledger::leases::Lease;
use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::{LoadError, bigint, conflict, from_bigint};
use crate::telemetry;

const FEW: i64 = 10;

const SHARE: i64 = 10;

const BATCH: usize = 1_000;

#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    pub lease: &'a Lease,
    /// The last one of the request or head.
    pub run_id: i64,
    /// `None`: the head.
    pub request_id: Option<i64>,
    pub confirm_after: TimeDelta,
    /// By the account's clock.
    pub at: DateTime<Utc>,
}

#[derive(Debug, FromRow)]
struct Account {
    now: DateTime<Utc>,
    confirmed_at: Option<DateTime<Utc>>,
    last_returned_at: Option<DateTime<Utc>>,
    /// What was withheld before this is marked; `None` if time confirms nothing.
    ripe_before: Option<DateTime<Utc>>,
    /// Proven, neither withheld nor confirmed.
    new: i64,
    request_missed: i64,
    request_judged: i64,
    /// In the last day, marked ones included.
    missing: i64,
}

/// Marks what two windows have missed, unless it is bulk; returns how many were marked.
///
/// # Errors
/// Database failure; nothing is marked.
pub async fn settle(pool: &Pool, ending: &Ending<'_>) -> Result<u64, LoadError> {
    let account_id = ending.lease.account_id.as_str();
    let is_any_proven: bool = sqlx::query_scalar(
        "select exists (select from smartassist_sync.absences where account_id = $1 and proven_at is not null)",
    )
    .bind(account_id)
    .fetch_one(pool)
    .await?;
    if !is_any_proven {
        return Ok(0);
    }
    pool.transact(async |transaction| {
        let filters_changed_at = conflict::lock_for_writing(transaction, account_id).await?;
        ending.lease.prove(&mut *transaction).await?;
        decide(transaction, ending, filters_changed_at).await
    })
    .await
}

async fn decide(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    filters_changed_at: Option<DateTime<Utc>>,
) -> Result<u64, LoadError> {
    let account_id = ending.lease.account_id.as_str();
    let account: Account = sqlx::query_as(include_str!("bulk_account.sql"))
        .bind(account_id)
        .bind(ending.at)
        .bind(ending.confirm_after.as_seconds_f64())
        .bind(ending.run_id)
        .bind(ending.request_id)
        .fetch_one(&mut *connection)
        .await?;
    let is_bulk = account.new > 0 && is_bulk(connection, ending, &account, filters_changed_at).await?;
    let gone: Vec<Gone> = sqlx::query_as(include_str!("bulk_decide.sql"))
        .bind(account_id)
        .bind(account.now)
        .bind(is_bulk)
        .bind(account.confirmed_at)
        .bind(account.ripe_before)
        .bind(account.last_returned_at)
        .fetch_all(&mut *connection)
        .await?;
    missing::mark(connection, account_id, ending.at, &gone).await
}

/// All of a request's, or too many of the last day's.
async fn is_bulk(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    account: &Account,
    filters_changed_at: Option<DateTime<Utc>>,
) -> Result<bool, LoadError> {
    if too_many(account.request_missed, account.request_judged) {
        return Ok(true);
    }
    if account.missing < 2 {
        return Ok(false);
    }
    let account_id = ending.lease.account_id.as_str();
    let (starts, ends, marked): (Vec<DateTime<Utc>>, Vec<DateTime<Utc>>, i64) =
        sqlx::query_as(include_str!("bulk_ranges.sql"))
            .bind(account_id)
            .bind(ending.at)
            .fetch_one(&mut *connection)
            .await?;
    let judged: i64 = sqlx::query_scalar(include_str!("bulk_judged.sql"))
        .bind(account_id)
        .bind(starts)
        .bind(ends)
        .bind(filters_changed_at)
        .bind(account.missing * SHARE)
        .fetch_one(connection)
        .await?;
    Ok(too_many(account.missing, judged + marked))
}

fn too_many(missing: i64, judged: i64) -> bool {
    (missing >= 2 && missing >= judged) || (missing > FEW && missing * SHARE > judged)
}

/// Raises or clears the problem; returns how many are withheld.
pub async fn review(pool: &Pool, account_id: &str) -> Result<u64, LoadError> {
    let (withheld, since) = withheld(pool, account_id).await?;
    match since {
        Some(since) => {
            let detail = format!(
                "{withheld} interactions, not returned since {}",
                telemetry::second(since)
            );
            problems::raise(pool, account_id, ProblemCode::BulkMissing, &detail).await?;
        }
        None => {
            problems::clear(pool, account_id, ProblemCode::BulkMissing).await?;
        }
    }
    Ok(withheld)
}

/// Marks what is withheld; adds to `marked`.
///
/// # Errors
/// Database failure; marked batches stay.
pub async fn confirm(
    pool: &Pool,
    account: (&str, &str),
    now: DateTime<Utc>,
    marked: &mut u64,
) -> Result<(), LoadError> {
    let (account_id, name) = account;
    loop {
        let confirming = || confirm_some(pool, account_id, now);
        let (some, taken) = conflict::retry(name, confirming).await?;
        *marked += some;
        if taken < BATCH {
            break;
        }
    }
    problems::clear(pool, account_id, ProblemCode::BulkMissing).await?;
    Ok(())
}

async fn confirm_some(pool: &Pool, account_id: &str, now: DateTime<Utc>) -> Result<(u64, usize), LoadError> {
    pool.transact(async |transaction| {
        conflict::lock_for_writing(transaction, account_id).await?;
        sqlx::query(
            "update smartassist_sync.accounts set missing_confirmed_at = least($2, clock_timestamp()) where account_id = $1",
        )
        .bind(account_id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        let withheld: Vec<Gone> = sqlx::query_as(
            "select interaction_key, first_missed_at from smartassist_sync.absences \
             where account_id = $1 and withheld_since is not null order by interaction_key limit $2",
        )
        .bind(account_id)
        .bind(bigint(BATCH as u64))
        .fetch_all(&mut *transaction)
        .await?;
        let keys: Vec<Uuid> = withheld.iter().map(|(key, _)| *key).collect();
        missing::forget(transaction, &keys).await?;
        let marked = missing::mark(transaction, account_id, now, &withheld).await?;
        Ok((marked, withheld.len()))
    })
    .await
}

pub async fn withheld(pool: &Pool, account_id: &str) -> Result<(u64, Option<DateTime<Utc>>), LoadError> {
    let (withheld, since): (i64, Option<DateTime<Utc>>) = sqlx::query_as(
        "select count(*), min(first_missed_at) from smartassist_sync.absences \
         where account_id = $1 and withheld_since is not null",
    )
    .bind(account_id)
    .fetch_one(pool)
    .await?;
    Ok((from_bigint(withheld), since))
}
