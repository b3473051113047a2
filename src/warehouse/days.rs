//! Stored interactions per day, since counting rows takes seconds.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use crate::postgres::Pool;

use crate::ledger::{LoadError, turn};

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

/// Recounts; returns how many days differed.
///
/// # Errors
/// Database failure.
pub async fn recount(pool: &Pool, account_id: &str) -> Result<u64, LoadError> {
    // Without the lock: it takes seconds.
    let differing = pool
        .transact_without_timeout(async |transaction| {
            let stored = stored(transaction, account_id, None).await?;
            let counted = counted(transaction, account_id).await?;
            let days = stored.keys().chain(counted.keys());
            let differs = |day: &&NaiveDate| stored.get(day) != counted.get(day);
            Ok::<_, LoadError>(days.filter(differs).copied().collect::<Vec<_>>())
        })
        .await?;
    let mut wrong = 0;
    for day in differing {
        wrong += u64::from(recount_day(pool, account_id, day).await?);
    }
    Ok(wrong)
}

async fn recount_day(pool: &Pool, account_id: &str, day: NaiveDate) -> Result<bool, LoadError> {
    pool.transact(async |transaction| {
        turn::take(transaction, account_id).await?;
        let stored = stored(transaction, account_id, Some(day)).await?;
        let stored = stored.get(&day).copied().unwrap_or(0);
        let counted = counted(transaction, account_id).await?.get(&day).copied();
        let change = stored - counted.unwrap_or(0);
        let start = day.and_time(chrono::NaiveTime::MIN).and_utc();
        count(transaction, account_id, [(start, change)].into_iter()).await?;
        Ok(change != 0)
    })
    .await
}

async fn stored(
    connection: &mut PgConnection,
    account_id: &str,
    day: Option<NaiveDate>,
) -> Result<BTreeMap<NaiveDate, i64>, LoadError> {
    let counted: Vec<(NaiveDate, i64)> = sqlx::query_as(
        "select (session_started_at at time zone 'UTC')::date as day, count(*) from smartassist.sessions \
         where account_id = $1 and session_started_at >= coalesce($2::date, '-infinity')::timestamp at time zone 'UTC' \
         and session_started_at < coalesce($2::date + 1, 'infinity')::timestamp at time zone 'UTC' group by 1",
    )
    .bind(account_id)
    .bind(day)
    .fetch_all(connection)
    .await?;
    Ok(counted.into_iter().collect())
}

async fn counted(
    connection: &mut PgConnection,
    account_id: &str,
) -> Result<BTreeMap<NaiveDate, i64>, LoadError> {
    let counted: Vec<(NaiveDate, i64)> = sqlx::query_as(
        "select day, interactions from smartassist_sync.interactions_by_day where account_id = $1",
    )
    .bind(account_id)
    .fetch_all(connection)
    .await?;
    Ok(counted.into_iter().collect())
}
