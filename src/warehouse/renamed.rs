use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::batch::{Batch, Constants};
use super::replay::Rebuilt;
use super::{days, facts, interactions, missing};
use crate::ledger::LoadError;

#[derive(FromRow)]
struct StoredPair {
    session_started_at: DateTime<Utc>,
    first_seen_at: DateTime<Utc>,
    missing_since: Option<DateTime<Utc>>,
    fetched_at: DateTime<Utc>,
}

/// Oldest version first, so that the newest stays.
pub(super) async fn write(
    connection: &mut PgConnection,
    account_id: &str,
    renamed: Vec<&Rebuilt>,
    at: DateTime<Utc>,
) -> Result<(), LoadError> {
    for one in renamed {
        let Some(old) = delete(connection, account_id, one.raw.interaction_key).await? else {
            continue;
        };
        let other = find(connection, one.interaction.key).await?;
        if other.is_some_and(|other| other.fetched_at >= old.fetched_at) {
            continue;
        }
        delete(connection, account_id, one.interaction.key).await?;
        let constants = Constants {
            account_id,
            written_at: at,
            time_zone_offset: one.raw.time_zone_offset,
        };
        let interaction = &[&one.interaction];
        Batch::of_sessions(interaction, constants)
            .copy(connection)
            .await?;
        interactions::write_children(connection, interaction, &[], |_, _| false).await?;
        Batch::of_raw(interaction, constants).copy(connection).await?;
        let start = one.interaction.rows.session.session_started_at;
        days::count(connection, account_id, [(start, 1)].into_iter()).await?;
        keep(connection, one.interaction.key, &old).await?;
        facts::rewrite(connection, account_id, &[one.interaction.key]).await?;
    }
    Ok(())
}

async fn find(connection: &mut PgConnection, key: Uuid) -> Result<Option<StoredPair>, LoadError> {
    Ok(sqlx::query_as(
        "select session.session_started_at, session.first_seen_at, session.missing_since, \
         coalesce(raw.fetched_at, session.last_changed_at) as fetched_at \
         from smartassist.sessions as session \
         left join smartassist.raw_interactions as raw using (interaction_key) where session.interaction_key = $1",
    )
    .bind(key)
    .fetch_optional(connection)
    .await?)
}

async fn delete(
    connection: &mut PgConnection,
    account_id: &str,
    key: Uuid,
) -> Result<Option<StoredPair>, LoadError> {
    let Some(stored) = find(&mut *connection, key).await? else {
        return Ok(None);
    };
    missing::forget(connection, &[key]).await?;
    facts::forget(connection, account_id, &[key]).await?;
    sqlx::query("delete from smartassist.sessions where interaction_key = $1")
        .bind(key)
        .execute(&mut *connection)
        .await?;
    days::count(
        connection,
        account_id,
        [(stored.session_started_at, -1)].into_iter(),
    )
    .await?;
    Ok(Some(stored))
}

async fn keep(connection: &mut PgConnection, key: Uuid, old: &StoredPair) -> Result<(), LoadError> {
    sqlx::query(
        "update smartassist.sessions set first_seen_at = $2, missing_since = $3 where interaction_key = $1",
    )
    .bind(key)
    .bind(old.first_seen_at)
    .bind(old.missing_since)
    .execute(&mut *connection)
    .await?;
    sqlx::query("update smartassist.raw_interactions set fetched_at = $2 where interaction_key = $1")
        .bind(key)
        .bind(old.fetched_at)
        .execute(connection)
        .await?;
    Ok(())
}
