//! Stored interactions per day, since counting rows takes seconds.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::postgres::Pool;

use crate::ledger::{LoadError, conflict};
use crate::time::Window;

pub(super) async fn count(
    connection: &mut PgConnection,
    account_id: &str,
    changes: impl Iterator<Item = (DateTime<Utc>, i64)>,
) -> Result<(), LoadError> {
    let mut by_day: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    for (start, change) in changes {
        *by_day.entry(start.date_naive()).or_default() += change;
    }
    by_day.retain(|_, change| *change != 0);
    if by_day.is_empty() {
        return Ok(());
    }
    let (days, changes): (Vec<NaiveDate>, Vec<i64>) = by_day.into_iter().unzip();
    sqlx::query(include_str!("count_days.sql"))
        .bind(account_id)
        .bind(&days)
        .bind(changes)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "delete from smartassist_sync.interactions_by_day where account_id = $1 and day = any($2) and interactions <= 0",
    )
    .bind(account_id)
    .bind(days)
    .execute(connection)
    .await?;
    Ok(())
}

/// Recounts one week, the next one each hour, so that it takes the same time however many there are; returns
/// how many days differed.
pub async fn recount_week(pool: &Pool, account_id: &str, now: DateTime<Utc>) -> Result<u64, LoadError> {
    let Some((first, last)) = span(pool, account_id).await? else {
        return Ok(0);
    };
    let weeks = (last - first).num_weeks() + 1;
    let hour = now.timestamp().div_euclid(TimeDelta::hours(1).num_seconds());
    let begin = first + TimeDelta::weeks(hour.rem_euclid(weeks));
    recount_days(pool, account_id, begin..begin + TimeDelta::weeks(1)).await
}

/// Recounts the days of `range`, after changes by hand; returns how many differed.
pub async fn recount(pool: &Pool, account_id: &str, range: Window) -> Result<u64, LoadError> {
    let last = range.end - TimeDelta::seconds(1);
    let days = range.start.date_naive()..last.date_naive() + TimeDelta::days(1);
    recount_days(pool, account_id, days).await
}

pub async fn recount_all(pool: &Pool, account_id: &str) -> Result<u64, LoadError> {
    let Some((first, last)) = span(pool, account_id).await? else {
        return Ok(0);
    };
    recount_days(pool, account_id, first..last + TimeDelta::days(1)).await
}

async fn recount_days(pool: &Pool, account_id: &str, days: Range<NaiveDate>) -> Result<u64, LoadError> {
    // Without the lock, since it takes seconds.
    let differing = pool
        .transact_without_timeout(async |transaction| changes(transaction, account_id, days.clone()).await)
        .await?;
    let mut wrong = 0;
    for day in differing.into_keys() {
        wrong += u64::from(recount_day(pool, account_id, day).await?);
    }
    Ok(wrong)
}

/// From the ends of two indexes.
async fn span(pool: &Pool, account_id: &str) -> Result<Option<(NaiveDate, NaiveDate)>, LoadError> {
    let mut days: Vec<NaiveDate> = Vec::new();
    for ends in [
        "select (min(session_started_at) at time zone 'UTC')::date, (max(session_started_at) at time zone 'UTC')::date \
         from smartassist.sessions where account_id = $1",
        "select min(day), max(day) from smartassist_sync.interactions_by_day where account_id = $1",
    ] {
        let ends: (Option<NaiveDate>, Option<NaiveDate>) =
            sqlx::query_as(ends).bind(account_id).fetch_one(pool).await?;
        days.extend([ends.0, ends.1].into_iter().flatten());
    }
    Ok(days.iter().min().copied().zip(days.iter().max().copied()))
}

async fn recount_day(pool: &Pool, account_id: &str, day: NaiveDate) -> Result<bool, LoadError> {
    pool.transact(async |transaction| {
        conflict::lock_for_writing(transaction, account_id).await?;
        let changes = changes(transaction, account_id, day..day + TimeDelta::days(1)).await?;
        let differs = !changes.is_empty();
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let changes = changes.into_iter().map(|(day, change)| (midnight(day), change));
        count(transaction, account_id, changes).await?;
        Ok(differs)
    })
    .await
}

/// What the counts of days lack. No statement joins data with the ledger.
async fn changes(
    connection: &mut PgConnection,
    account_id: &str,
    days: Range<NaiveDate>,
) -> Result<BTreeMap<NaiveDate, i64>, LoadError> {
    let stored = "select (session_started_at at time zone 'UTC')::date as day, count(*) from smartassist.sessions \
         where account_id = $1 and session_started_at >= $2::date::timestamp at time zone 'UTC' \
         and session_started_at < $3::date::timestamp at time zone 'UTC' group by 1";
    let counted = "select day, interactions from smartassist_sync.interactions_by_day \
         where account_id = $1 and day >= $2 and day < $3";
    let mut changes: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    for (statement, sign) in [(stored, 1), (counted, -1)] {
        let numbers: Vec<(NaiveDate, i64)> = sqlx::query_as(statement)
            .bind(account_id)
            .bind(days.start)
            .bind(days.end)
            .fetch_all(&mut *connection)
            .await?;
        for (day, number) in numbers {
            *changes.entry(day).or_default() += sign * number;
        }
    }
    changes.retain(|_, change| *change != 0);
    Ok(changes)
}
