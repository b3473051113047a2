use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor};
use tracing::{info, warn};

use crate::config::{AccountConfig, Reporting};
use crate::postgres::Pool;

use crate::ledger::{LoadError, conflict};
use crate::transform::facts::label;

/// Thresholds hold at once, for the past too; another time zone and other shown tags rebuild facts. A new account
/// gets settings anyway.
pub async fn apply(pool: &Pool, account: &AccountConfig, may_change: bool) -> Result<(), LoadError> {
    let name = &account.name;
    match differing(pool, account).await? {
        // Without the account's lock, which an erasure may hold for long.
        Some(changed) if changed.is_empty() => {}
        Some(changed) if !may_change => warn!(
            account = name,
            differing = changed.join(", "),
            remedy = "use the same `reporting.*` settings as `run` and `sync`: only these two change them",
            "settings of reports differ from those in use, which stay"
        ),
        changed => {
            // Writers may use the old time zone.
            let change = async |transaction: &mut PgConnection| {
                conflict::lock_for_writing(transaction, &account.account_id).await?;
                // Another process may have stored its own meanwhile.
                if may_change || differing(&mut *transaction, account).await?.is_none() {
                    store(transaction, account).await?;
                }
                Ok(())
            };
            conflict::retry(name, || pool.transact(change)).await?;
            if let Some(changed) = changed {
                let changed = changed.join(", ");
                info!(account = name, changed, "settings of reports were changed");
            }
        }
    }
    Ok(())
}

/// `None` if none are stored.
async fn differing(
    executor: impl PgExecutor<'_>,
    account: &AccountConfig,
) -> Result<Option<Vec<String>>, LoadError> {
    Ok(sqlx::query_scalar(include_str!("reporting_differs.sql"))
        .bind(&account.account_id)
        .bind(to_json(&account.reporting))
        .fetch_optional(executor)
        .await?)
}

fn to_json(reporting: &Reporting) -> Value {
    json!({
        "time_zone": reporting.time_zone.name(),
        "service_level_seconds": reporting.service_level_seconds,
        "service_level_seconds_by_channel": by_channel(reporting),
        "short_abandon_seconds": reporting.short_abandon_seconds,
        "repeat_contact_days": reporting.repeat_contact_days,
        "week_starts_on": reporting.week_starts_on,
        "shown_tags": reporting.shown_tags,
    })
}

fn by_channel(reporting: &Reporting) -> Option<Value> {
    let channels = &reporting.service_level_seconds_by_channel;
    let labelled: BTreeMap<String, i32> = channels
        .iter()
        .map(|(channel, seconds)| (label(Some(channel)), *seconds))
        .collect();
    (!labelled.is_empty()).then(|| json!(labelled))
}

async fn store(connection: &mut PgConnection, account: &AccountConfig) -> Result<(), LoadError> {
    let reporting = &account.reporting;
    sqlx::query("select clock_timestamp() at time zone $1")
        .bind(reporting.time_zone.name())
        .execute(&mut *connection)
        .await?;
    let is_loaded: bool =
        sqlx::query_scalar("select exists (select 1 from smartassist.sessions where account_id = $1)")
            .bind(&account.account_id)
            .fetch_one(&mut *connection)
            .await?;
    sqlx::query(
        "insert into smartassist.reporting as reporting (account_id, time_zone, service_level_seconds, \
         short_abandon_seconds, repeat_contact_days, week_starts_on, shown_tags, rebuild_from, \
         service_level_seconds_by_channel) \
         values ($1, $2, $3, $4, $5, $6, $7, case when $9 then $8::timestamptz end, $10) \
         on conflict (account_id) do update set time_zone = excluded.time_zone, \
         service_level_seconds = excluded.service_level_seconds, \
         service_level_seconds_by_channel = excluded.service_level_seconds_by_channel, \
         short_abandon_seconds = excluded.short_abandon_seconds, \
         repeat_contact_days = excluded.repeat_contact_days, week_starts_on = excluded.week_starts_on, \
         shown_tags = excluded.shown_tags, \
         rebuild_from = case when (reporting.time_zone, reporting.shown_tags) = (excluded.time_zone, excluded.shown_tags) \
         then reporting.rebuild_from else $8::timestamptz end, \
         rebuild_after = case when (reporting.time_zone, reporting.shown_tags) = (excluded.time_zone, excluded.shown_tags) \
         then reporting.rebuild_after end",
    )
    .bind(&account.account_id)
    .bind(reporting.time_zone.name())
    .bind(reporting.service_level_seconds)
    .bind(reporting.short_abandon_seconds)
    .bind(reporting.repeat_contact_days)
    .bind(reporting.week_starts_on)
    .bind(&reporting.shown_tags)
    .bind(DateTime::UNIX_EPOCH)
    .bind(is_loaded)
    .bind(by_channel(reporting))
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn apply_all(pool: &Pool, accounts: &[AccountConfig], may_change: bool) -> Result<(), LoadError> {
    for account in accounts {
        apply(pool, account, may_change).await?;
    }
    Ok(())
}

/// Continues an interrupted one.
pub async fn rebuild(pool: &Pool, account_id: &str) -> Result<(), LoadError> {
    sqlx::query(
        "update smartassist.reporting set rebuild_from = coalesce(rebuild_from, $2) where account_id = $1",
    )
    .bind(account_id)
    .bind(DateTime::UNIX_EPOCH)
    .execute(pool)
    .await?;
    Ok(())
}
