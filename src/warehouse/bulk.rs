//! Withholds marks where too many are missing: a failed source returns empty pages.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::time::window::Window;

use super::batch::Constants;
use super::missing::{self, Missed};
use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::{LoadError, bigint, conflict, turn};

const FEW: i64 = 10;

const SHARE: i64 = 10;

const COUNTED_BY_ROW: i64 = 2_000;

const PARTS: i32 = 4;

const BATCH: usize = 1_000;

#[derive(Debug)]
pub(super) struct Case {
    pub(super) window: Window,
    pub(super) filters_changed_at: Option<DateTime<Utc>>,
    pub(super) judged: u64,
    pub(super) missed: u64,
    pub(super) has_records: bool,
    pub(super) confirm_after: TimeDelta,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    OneOfFew,
    Confirmed,
    Withheld,
    /// Nothing was returned since the first miss.
    Waits,
}

#[derive(Debug, FromRow)]
struct Account {
    now: DateTime<Utc>,
    confirmed_at: Option<DateTime<Utc>>,
    last_returned_at: Option<DateTime<Utc>>,
}

pub(super) async fn judge(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    case: &Case,
    again: &[Missed],
) -> Result<Vec<Verdict>, LoadError> {
    if again.is_empty() {
        return Ok(Vec::new());
    }
    let account: Account = sqlx::query_as(include_str!("bulk_account.sql"))
        .bind(constants.account_id)
        .bind(constants.written_at)
        .fetch_one(&mut *connection)
        .await?;
    let time_confirms = time_confirms(connection, constants, case, &account, again).await?;
    let is_confirmed = |missed: &Missed| {
        let by_operator = missed.first_missed_at <= account.confirmed_at && account.confirmed_at.is_some();
        by_operator || (time_confirms && is_ripe(missed, case, &account))
    };
    let is_new = |missed: &&Missed| missed.withheld_since.is_none() && !is_confirmed(missed);
    let new: Vec<&Missed> = again.iter().filter(is_new).collect();
    let is_bulk = !new.is_empty() && is_bulk(connection, constants, case, &new).await?;
    if is_bulk {
        withhold(connection, &new, account.now).await?;
    }
    let verdict = |missed: &Missed| {
        if is_confirmed(missed) {
            Verdict::Confirmed
        } else if missed.withheld_since.is_some() || is_bulk {
            Verdict::Withheld
        } else if case.has_records || account.last_returned_at >= missed.first_missed_at {
            Verdict::OneOfFew
        } else {
            Verdict::Waits
        }
    };
    Ok(again.iter().map(verdict).collect())
}

fn is_ripe(missed: &Missed, case: &Case, account: &Account) -> bool {
    missed
        .withheld_since
        .is_some_and(|since| since <= account.now - case.confirm_after)
}

/// Records are needed at both ends: a long outage confirms nothing.
async fn time_confirms(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    case: &Case,
    account: &Account,
    again: &[Missed],
) -> Result<bool, LoadError> {
    let ripe = again.iter().filter(|missed| is_ripe(missed, case, account));
    let Some(since) = ripe.filter_map(|missed| missed.withheld_since).max() else {
        return Ok(false);
    };
    let part = case.confirm_after / PARTS;
    let returns_now = case.has_records || account.last_returned_at.is_some_and(|at| at > account.now - part);
    if !returns_now {
        return Ok(false);
    }
    Ok(sqlx::query_scalar(
        "select exists (select from smartassist_sync.windows \
         where account_id = $1 and status = 'drained' and distinct_records > 0 \
         and started_at between $2 and $3)",
    )
    .bind(constants.account_id)
    .bind(since)
    .bind(account.now - part * (PARTS - 1))
    .fetch_one(connection)
    .await?)
}

async fn is_bulk(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    case: &Case,
    new: &[&Missed],
) -> Result<bool, LoadError> {
    if too_many(bigint(case.missed), bigint(case.judged)) {
        return Ok(true);
    }
    let of_the_day: i64 = sqlx::query_scalar(include_str!("bulk_missing.sql"))
        .bind(constants.account_id)
        .bind(constants.written_at)
        .fetch_one(&mut *connection)
        .await?;
    let day_before = constants.written_at - TimeDelta::days(1);
    let noted_before = new
        .iter()
        .filter(|missed| missed.first_missed_at <= Some(day_before));
    let missing = of_the_day + i64::try_from(noted_before.count()).unwrap_or(i64::MAX);
    if missing < 2 {
        return Ok(false);
    }
    let judged = if missing <= COUNTED_BY_ROW {
        judged_by_row(connection, constants, case, missing * SHARE).await?
    } else {
        sqlx::query_scalar(include_str!("bulk_judged_by_day.sql"))
            .bind(constants.account_id)
            .bind(constants.written_at)
            .bind(case.window.start)
            .bind(case.window.end)
            .fetch_one(connection)
            .await?
    };
    Ok(too_many(missing, judged))
}

async fn judged_by_row(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    case: &Case,
    enough: i64,
) -> Result<i64, LoadError> {
    let (starts, ends, marked): (Vec<DateTime<Utc>>, Vec<DateTime<Utc>>, i64) =
        sqlx::query_as(include_str!("bulk_ranges.sql"))
            .bind(constants.account_id)
            .bind(constants.written_at)
            .bind(case.window.start)
            .bind(case.window.end)
            .fetch_one(&mut *connection)
            .await?;
    let judged: i64 = sqlx::query_scalar(include_str!("bulk_judged.sql"))
        .bind(constants.account_id)
        .bind(starts)
        .bind(ends)
        .bind(case.filters_changed_at)
        .bind(enough)
        .fetch_one(connection)
        .await?;
    Ok(judged + marked)
}

/// Over ten and over a tenth, or all of several.
fn too_many(missing: i64, judged: i64) -> bool {
    (missing >= 2 && missing >= judged) || (missing > FEW && missing * SHARE > judged)
}

async fn withhold(
    connection: &mut PgConnection,
    missed: &[&Missed],
    at: DateTime<Utc>,
) -> Result<(), LoadError> {
    let keys: Vec<Uuid> = missed.iter().map(|missed| missed.key).collect();
    sqlx::query("update smartassist_sync.absences set withheld_since = $1 where interaction_key = any($2)")
        .bind(at)
        .bind(keys)
        .execute(connection)
        .await?;
    Ok(())
}

/// Raises or clears the problem.
///
/// # Errors
/// Database failure.
pub async fn review(pool: &Pool, account_id: &str) -> Result<(), LoadError> {
    let (withheld, since): (i64, Option<DateTime<Utc>>) = sqlx::query_as(
        "select count(*), min(first_missed_at) from smartassist_sync.absences \
         where account_id = $1 and withheld_since is not null",
    )
    .bind(account_id)
    .fetch_one(pool)
    .await?;
    match since {
        Some(since) => {
            let detail = format!(
                "{withheld} interactions, not returned since {}",
                crate::telemetry::instant(since)
            );
            problems::raise(pool, account_id, ProblemCode::BulkMissing, &detail).await?;
        }
        None => {
            problems::clear(pool, account_id, ProblemCode::BulkMissing).await?;
        }
    }
    Ok(())
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
        turn::take(transaction, account_id).await?;
        sqlx::query(
            "update smartassist_sync.accounts set missing_confirmed_at = least($2, clock_timestamp()) where account_id = $1",
        )
        .bind(account_id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        let withheld: Vec<(Uuid, DateTime<Utc>)> = sqlx::query_as(
            "select interaction_key, first_missed_at from smartassist_sync.absences \
             where account_id = $1 and withheld_since is not null order by interaction_key limit $2",
        )
        .bind(account_id)
        .bind(bigint(BATCH as u64))
        .fetch_all(&mut *transaction)
        .await?;
        let constants = Constants {
            account_id,
            written_at: now,
            time_zone_offset: 0,
            one_at_a_time: false,
        };
        let marked = missing::mark(transaction, constants, &withheld).await?;
        Ok((marked, withheld.len()))
    })
    .await
}

/// Withheld interactions.
///
/// # Errors
/// Database failure.
pub async fn withheld(pool: &Pool, account_id: &str) -> Result<u64, LoadError> {
    let withheld: i64 = sqlx::query_scalar(
        "select count(*) from smartassist_sync.absences where account_id = $1 and withheld_since is not null",
    )
    .bind(account_id)
    .fetch_one(pool)
    .await?;
    Ok(u64::try_from(withheld).unwrap_or(0))
}
