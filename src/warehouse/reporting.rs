use chrono::DateTime;

use crate::config::{AccountConfig, Reporting};
use crate::postgres::Pool;

use crate::ledger::{LoadError, turn};

/// Thresholds hold at once, for the past too; a change of the time zone rebuilds facts, which have columns of
/// local time.
///
/// # Errors
/// Database failure, also if the server does not know the time zone.
pub async fn apply(pool: &Pool, account: &AccountConfig) -> Result<(), LoadError> {
    let Reporting {
        time_zone,
        service_level_seconds,
        short_abandon_seconds,
        repeat_contact_days,
        week_starts_on,
        shown_tags,
    } = &account.reporting;
    pool.transact(async |transaction| {
        // Waits for writers that use the old time zone.
        turn::take(transaction, &account.account_id).await?;
        sqlx::query("select clock_timestamp() at time zone $1")
            .bind(time_zone.name())
            .execute(&mut *transaction)
            .await?;
        let is_loaded: bool =
            sqlx::query_scalar("select exists (select 1 from smartassist.sessions where account_id = $1)")
                .bind(&account.account_id)
                .fetch_one(&mut *transaction)
                .await?;
        sqlx::query(
            "insert into smartassist.reporting as reporting (account_id, time_zone, service_level_seconds, \
             short_abandon_seconds, repeat_contact_days, week_starts_on, shown_tags, rebuild_from) \
             values ($1, $2, $3, $4, $5, $6, $7, case when $9 then $8::timestamptz end) \
             on conflict (account_id) do update set time_zone = excluded.time_zone, \
             service_level_seconds = excluded.service_level_seconds, \
             short_abandon_seconds = excluded.short_abandon_seconds, \
             repeat_contact_days = excluded.repeat_contact_days, week_starts_on = excluded.week_starts_on, \
             shown_tags = excluded.shown_tags, \
             rebuild_from = case when reporting.time_zone = excluded.time_zone then reporting.rebuild_from \
             else $8::timestamptz end, \
             rebuild_after = case when reporting.time_zone = excluded.time_zone then reporting.rebuild_after end",
        )
        .bind(&account.account_id)
        .bind(time_zone.name())
        .bind(service_level_seconds)
        .bind(short_abandon_seconds)
        .bind(repeat_contact_days)
        .bind(week_starts_on)
        .bind(shown_tags)
        .bind(DateTime::UNIX_EPOCH)
        .bind(is_loaded)
        .execute(transaction)
        .await?;
        Ok(())
    })
    .await
}

pub async fn apply_all(pool: &Pool, accounts: &[AccountConfig]) -> Result<(), LoadError> {
    for account in accounts {
        apply(pool, account).await?;
    }
    Ok(())
}

/// Asks for all facts of an account to be rebuilt.
pub async fn rebuild(pool: &Pool, account_id: &str) -> Result<(), LoadError> {
    sqlx::query(
        "update smartassist.reporting set rebuild_from = $2, rebuild_after = null where account_id = $1",
    )
    .bind(account_id)
    .bind(DateTime::UNIX_EPOCH)
    .execute(pool)
    .await?;
    Ok(())
}
