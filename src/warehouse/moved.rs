//! Starts that move by quarter hours, as stamps lose or regain their zone. Session ids decide.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::postgres::Pool;
use crate::transform::{Interaction, QUARTER_SECONDS, TOLERANCE_SECONDS, seconds_of_id, whole_quarters};

use super::batch::Constants;
use super::compare::Stored;
use crate::ledger::LoadError;
use crate::ledger::problems::{self, ProblemCode};

const ROUNDING: i64 = 1;

const ENOUGH: usize = 3;

const FORGOTTEN_AFTER: &str = "7 days";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub minutes: i64,
    /// Stored with the new start.
    pub stored: u64,
    /// Their stored start stays.
    pub kept: Vec<Uuid>,
}

impl Moved {
    fn words(&self, offset: i32) -> String {
        let (all, kept) = (self.stored + self.kept.len() as u64, self.kept.len());
        let kept = if kept == 0 {
            String::new()
        } else {
            format!("; {kept} were left as they are, since their session ids say so")
        };
        format!(
            "the starts of {all} interactions moved by {} min between two readings{kept}; time_zone_offset = {} gives those of before",
            self.minutes,
            i64::from(offset) - self.minutes
        )
    }
}

pub(super) fn find(stored: &Stored, interactions: &[&Interaction]) -> Option<Moved> {
    let mut known = 0;
    let mut by_quarters: BTreeMap<i64, Vec<(&Interaction, DateTime<Utc>)>> = BTreeMap::new();
    for &interaction in interactions {
        let Some(before) = stored.started_at(interaction.key) else {
            continue;
        };
        known += 1;
        let moved = (interaction.rows.session.session_started_at - before).num_seconds();
        if let Some(quarters) = whole_quarters(moved, ROUNDING).filter(|quarters| *quarters != 0) {
            by_quarters
                .entry(quarters)
                .or_default()
                .push((interaction, before));
        }
    }
    let (quarters, moved) = by_quarters.into_iter().max_by_key(|(_, moved)| moved.len())?;
    if moved.len() < ENOUGH || moved.len() * 2 <= known {
        return None;
    }
    let (mut stored, mut kept) = (0, Vec::new());
    for (interaction, before) in moved {
        let session = &interaction.rows.session;
        let by_id = session.session_id.as_deref().and_then(seconds_of_id);
        let fits = |start: DateTime<Utc>| {
            by_id.is_some_and(|id| (id - start.timestamp()).abs() <= TOLERANCE_SECONDS)
        };
        if fits(before) {
            kept.push(interaction.key);
        } else if !fits(session.session_started_at) {
            stored += 1;
        }
    }
    (stored > 0 || !kept.is_empty()).then_some(Moved {
        minutes: quarters * QUARTER_SECONDS / 60,
        stored,
        kept,
    })
}

pub(super) async fn note(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    moved: &Moved,
) -> Result<(), LoadError> {
    let moved_by: Option<i64> = sqlx::query_scalar(
        "update smartassist_sync.accounts set starts_moved_minutes = nullif($2, coalesce(-starts_moved_minutes, 0)) \
         where account_id = $1 returning starts_moved_minutes",
    )
    .bind(constants.account_id)
    .bind(moved.minutes)
    .fetch_one(&mut *connection)
    .await?;
    if moved_by.is_none() {
        problems::clear(connection, constants.account_id, ProblemCode::TimeZone).await?;
        return Ok(());
    }
    let detail = moved.words(constants.time_zone_offset);
    problems::raise(connection, constants.account_id, ProblemCode::TimeZone, &detail).await?;
    Ok(())
}

/// Clears the problem. If starts have moved, only session ids clear it at once.
pub async fn agrees(pool: &Pool, account_id: &str, by_session_ids: bool) -> Result<(), LoadError> {
    let stands: bool = sqlx::query_scalar(
        "select coalesce((select starts_moved_minutes is not null from smartassist_sync.accounts where account_id = $1), false)",
    )
    .bind(account_id)
    .fetch_one(pool)
    .await?;
    if stands && !by_session_ids {
        return forget_old(pool, account_id).await;
    }
    forget(pool, account_id, stands).await
}

/// After 7 days without one.
pub async fn forget_old(pool: &Pool, account_id: &str) -> Result<(), LoadError> {
    let is_old: bool = sqlx::query_scalar(
        "select exists (select from smartassist_sync.problems \
         where account_id = $1 and code = $2 and last_seen_at < clock_timestamp() - $3::interval)",
    )
    .bind(account_id)
    .bind(ProblemCode::TimeZone.as_str())
    .bind(FORGOTTEN_AFTER)
    .fetch_one(pool)
    .await?;
    if is_old {
        forget(pool, account_id, true).await?;
    }
    Ok(())
}

async fn forget(pool: &Pool, account_id: &str, has_moved: bool) -> Result<(), LoadError> {
    if has_moved {
        sqlx::query("update smartassist_sync.accounts set starts_moved_minutes = null where account_id = $1")
            .bind(account_id)
            .execute(pool)
            .await?;
    }
    problems::clear(pool, account_id, ProblemCode::TimeZone).await?;
    Ok(())
}
