//! Settings of reports.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value, json};
use sqlx::PgConnection;
use tracing::{info, warn};

use crate::config::{AccountConfig, Reporting};
use crate::postgres::Pool;

use crate::ledger::{LoadError, conflict};
use crate::transform::facts::label;

/// A new account gets some anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayChange {
    /// By a daemon.
    Always,
    UnlessServed,
    Never,
}

/// Thresholds hold at once, for the past too; another time zone rebuilds facts.
pub async fn apply(pool: &Pool, account: &AccountConfig, may_change: MayChange) -> Result<(), LoadError> {
    let found = pool
        .transact(async |transaction| {
            // Waits for writers that use the old time zone.
            conflict::lock_for_writing(transaction, &account.account_id).await?;
            let Some(differing) = differing(transaction, account).await? else {
                store(transaction, account).await?;
                return Ok(None);
            };
            if differing.is_empty() {
                return Ok(None);
            }
            let is_changed = match may_change {
                MayChange::Always => true,
                MayChange::UnlessServed => !is_served(transaction, &account.account_id).await?,
                MayChange::Never => false,
            };
            if is_changed {
                store(transaction, account).await?;
            }
            Ok::<_, LoadError>(Some((differing.join(", "), is_changed)))
        })
        .await?;
    let account = &account.name;
    match found {
        None => {}
        Some((changed, true)) => info!(account, changed, "settings of reports were changed"),
        Some((differing, false)) => warn!(
            account,
            differing,
            remedy = "give this command the settings that the daemon has; to change them, restart the daemon with others",
            "settings of reports differ from those in use, which stay"
        ),
    }
    Ok(())
}

/// `None` if none are stored.
async fn differing(
    connection: &mut PgConnection,
    account: &AccountConfig,
) -> Result<Option<Vec<String>>, LoadError> {
    Ok(sqlx::query_scalar(include_str!("reporting_differs.sql"))
        .bind(&account.account_id)
        .bind(to_json(&account.reporting))
        .fetch_optional(connection)
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

/// Channels as facts have them.
fn by_channel(reporting: &Reporting) -> Option<Value> {
    let channels = &reporting.service_level_seconds_by_channel;
    let labelled: BTreeMap<String, i32> = channels
        .iter()
        .map(|(channel, seconds)| (label(Some(channel)), *seconds))
        .collect();
    (!labelled.is_empty()).then(|| json!(labelled))
}

async fn is_served(connection: &mut PgConnection, account_id: &str) -> Result<bool, LoadError> {
    Ok(sqlx::query_scalar(
        "select exists (select from smartassist_sync.leases where account_id = $1 and expires_at > clock_timestamp())",
    )
    .bind(account_id)
    .fetch_one(connection)
    .await?)
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
         rebuild_from = case when reporting.time_zone = excluded.time_zone then reporting.rebuild_from \
         else $8::timestamptz end, \
         rebuild_after = case when reporting.time_zone = excluded.time_zone then reporting.rebuild_after end",
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

pub async fn apply_all(
    pool: &Pool,
    accounts: &[AccountConfig],
    may_change: MayChange,
) -> Result<(), LoadError> {
    for account in accounts {
        apply(pool, account, may_change).await?;
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
