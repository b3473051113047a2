//! Interactions that have another id by today's transform than the one they are stored under: they move, with all that
//! belongs to them.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::columns::Constants;
use super::replay::Rebuilt;
use super::{LoadError, interactions, tables};

/// What is stored under an id.
#[derive(FromRow)]
struct Stored {
    first_seen_at: DateTime<Utc>,
    missing_since: Option<DateTime<Utc>>,
    fetched_at: DateTime<Utc>,
}

/// Moves them. Where several are the same interaction now, the newest version stays.
pub(super) async fn write(
    connection: &mut PgConnection,
    account_id: &str,
    mut renamed: Vec<&Rebuilt>,
    at: DateTime<Utc>,
) -> Result<(), LoadError> {
    renamed.sort_by_key(|one| one.raw.fetched_at);
    for one in renamed {
        let Some(old) = delete(connection, account_id, &one.raw.interaction_id).await? else {
            continue;
        };
        let other = find(connection, account_id, one.interaction.id()).await?;
        if other.is_some_and(|other| other.fetched_at >= old.fetched_at) {
            continue;
        }
        delete(connection, account_id, one.interaction.id()).await?;
        let constants = Constants {
            account_id,
            written_at: at,
            time_zone_offset: one.raw.time_zone_offset,
        };
        let interaction = &[&one.interaction];
        tables::SESSIONS.write(connection, constants, interaction).await?;
        interactions::write_children(connection, constants, interaction).await?;
        tables::RAW_INTERACTIONS
            .write(connection, constants, interaction)
            .await?;
        keep(connection, account_id, one.interaction.id(), &old).await?;
    }
    Ok(())
}

async fn find(
    connection: &mut PgConnection,
    account_id: &str,
    interaction_id: &str,
) -> Result<Option<Stored>, LoadError> {
    Ok(sqlx::query_as(
        "select session.first_seen_at, session.missing_since, coalesce(raw.fetched_at, session.last_changed_at) as fetched_at \
         from smartassist.sessions as session \
         left join smartassist.raw_interactions as raw using (account_id, interaction_id) \
         where session.account_id = $1 and session.interaction_id = $2",
    )
    .bind(account_id)
    .bind(interaction_id)
    .fetch_optional(connection)
    .await?)
}

/// Deletes an interaction, and gives what was stored.
async fn delete(
    connection: &mut PgConnection,
    account_id: &str,
    interaction_id: &str,
) -> Result<Option<Stored>, LoadError> {
    let stored = find(&mut *connection, account_id, interaction_id).await?;
    for statement in [
        "delete from smartassist_sync.absences where account_id = $1 and interaction_id = $2",
        "delete from smartassist.sessions where account_id = $1 and interaction_id = $2",
    ] {
        sqlx::query(statement)
            .bind(account_id)
            .bind(interaction_id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(stored)
}

/// A moved interaction is as old as it was.
async fn keep(
    connection: &mut PgConnection,
    account_id: &str,
    interaction_id: &str,
    old: &Stored,
) -> Result<(), LoadError> {
    sqlx::query(
        "update smartassist.sessions set first_seen_at = $3, missing_since = $4 where account_id = $1 and interaction_id = $2",
    )
    .bind(account_id)
    .bind(interaction_id)
    .bind(old.first_seen_at)
    .bind(old.missing_since)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update smartassist.raw_interactions set fetched_at = $3 where account_id = $1 and interaction_id = $2",
    )
    .bind(account_id)
    .bind(interaction_id)
    .bind(old.fetched_at)
    .execute(connection)
    .await?;
    Ok(())
}
