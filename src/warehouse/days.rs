//! Stored interactions per day, since counting rows takes seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::postgres::Pool;

use crate::ledger::{LoadError, conflict};

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
    recount(pool, account_id, begin..begin + TimeDelta::weeks(1)).await
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

/// Returns how many days differed.
async fn recount(pool: &Pool, account_id: &str, days: Range<NaiveDate>) -> Result<u64, LoadError> {
    // Without the lock, since it takes seconds.
    let differing = pool
        .transact_without_timeout(async |transaction| {
            let stored = stored(transaction, account_id, &days).await?;
            let counted = counted(transaction, account_id, &days).await?;
            let days = stored.keys().chain(counted.keys());
            let differs = |day: &&NaiveDate| stored.get(day) != counted.get(day);
            Ok::<_, LoadError>(days.filter(differs).copied().collect::<BTreeSet<_>>())
        })
        .await?;
    let mut wrong = 0;
    for day in differing {
        wrong += u64::from(recount_day(pool, account_id, day).await?);
    }
    Ok(wrong)
}

async fn recount_day(pool: &Pool, account_id: &str, day: NaiveDate) -> Result<bool, LoadError> {
    let days = day..day + TimeDelta::days(1);
    pool.transact(async |transaction| {
        conflict::take_turn(transaction, account_id).await?;
        let stored = stored(transaction, account_id, &days).await?;
        let counted = counted(transaction, account_id, &days).await?;
        let of_day = |counts: BTreeMap<NaiveDate, i64>| counts.get(&day).copied().unwrap_or(0);
        let change = of_day(stored) - of_day(counted);
        let start = day.and_time(chrono::NaiveTime::MIN).and_utc();
        count(transaction, account_id, [(start, change)].into_iter()).await?;
        Ok(change != 0)
    })
    .await
}

async fn stored(
    connection: &mut PgConnection,
    account_id: &str,
    days: &Range<NaiveDate>,
) -> Result<BTreeMap<NaiveDate, i64>, LoadError> {
    let counted: Vec<(NaiveDate, i64)> = sqlx::query_as(
        "select (session_started_at at time zone 'UTC')::date as day, count(*) from smartassist.sessions \
         where account_id = $1 and session_started_at >= $2::date::timestamp at time zone 'UTC' \
         and session_started_at < $3::date::timestamp at time zone 'UTC' group by 1",
    )
    .bind(account_id)
    .bind(days.start)
    .bind(days.end)
    .fetch_all(connection)
    .await?;
    Ok(counted.into_iter().collect())
}

async fn counted(
    connection: &mut PgConnection,
    account_id: &str,
    days: &Range<NaiveDate>,
) -> Result<BTreeMap<NaiveDate, i64>, LoadError> {
    let counted: Vec<(NaiveDate, i64)> = sqlx::query_as(
        "select day, interactions from smartassist_sync.interactions_by_day \
         where account_id = $1 and day >= $2 and day < $3",
    )
    .bind(account_id)
    .bind(days.start)
    .bind(days.end)
    .fetch_all(connection)
    .await?;
    Ok(counted.into_iter().collect())
}
