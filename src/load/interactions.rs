//! Interactions: compare first, then write only what changed.

use sqlx::PgConnection;

use crate::transform::Interaction;

use super::columns::Constants;
use super::stored::{Change, Stored};
use super::{Counters, LoadError, missing, tables};

/// Writes what is new or has changed, and replaces the children of that. `interactions` are
/// sorted by id and distinct, `stored` is what is there of them. An interaction that is stored as
/// it is takes no lock and leaves no trace.
pub(super) async fn write(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    interactions: &[Interaction],
    stored: &Stored,
    keep_raw: bool,
) -> Result<Counters, LoadError> {
    let changed: Vec<&Interaction> = interactions
        .iter()
        .filter(|interaction| stored.change_of(interaction) != Change::None)
        .collect();
    let rewritten: Vec<&str> = changed
        .iter()
        .filter(|interaction| stored.change_of(interaction) == Change::Content)
        .map(|row| row.id())
        .collect();
    let back: Vec<&str> = interactions
        .iter()
        .filter(|interaction| {
            stored.change_of(interaction) == Change::None && stored.is_missing(interaction.id())
        })
        .map(Interaction::id)
        .collect();

    delete_children(connection, constants.account_id, &rewritten).await?;
    delete_raw(connection, constants.account_id, &rewritten).await?;
    tables::SESSIONS.write(connection, constants, &changed).await?;
    write_children(connection, constants, &changed).await?;
    if keep_raw {
        tables::RAW_INTERACTIONS
            .write(connection, constants, &changed)
            .await?;
    }
    missing::clear(connection, constants, &back).await?;
    Ok(Counters {
        inserted: (changed.len() - rewritten.len()) as u64,
        updated: (rewritten.len() + back.len()) as u64,
        unchanged: (interactions.len() - changed.len() - back.len()) as u64,
        ..Counters::default()
    })
}

/// Segments go with their destination, and consultations and joined users with their segment.
pub(super) async fn delete_children(
    connection: &mut PgConnection,
    account_id: &str,
    interaction_ids: &[&str],
) -> Result<(), LoadError> {
    if interaction_ids.is_empty() {
        return Ok(());
    }
    for statement in [
        "delete from smartassist.destinations where account_id = $1 and interaction_id = any($2)",
        "delete from smartassist.tags where account_id = $1 and interaction_id = any($2)",
    ] {
        sqlx::query(statement)
            .bind(account_id)
            .bind(interaction_ids)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// So that no raw record stays behind that is older than its rows where `storage.raw` has been
/// switched off.
async fn delete_raw(
    connection: &mut PgConnection,
    account_id: &str,
    interaction_ids: &[&str],
) -> Result<(), LoadError> {
    if interaction_ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "delete from smartassist.raw_interactions where account_id = $1 and interaction_id = any($2)",
    )
    .bind(account_id)
    .bind(interaction_ids)
    .execute(connection)
    .await?;
    Ok(())
}

/// Parents before children, as the foreign keys demand.
pub(super) async fn write_children(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    changed: &[&Interaction],
) -> Result<(), LoadError> {
    let destinations: Vec<_> = changed
        .iter()
        .flat_map(|interaction| &interaction.rows.destinations)
        .collect();
    tables::DESTINATIONS
        .write(connection, constants, &destinations)
        .await?;
    let segments: Vec<_> = changed
        .iter()
        .flat_map(|interaction| &interaction.rows.agent_segments)
        .collect();
    tables::AGENT_SEGMENTS
        .write(connection, constants, &segments)
        .await?;
    let consultations: Vec<_> = changed
        .iter()
        .flat_map(|interaction| &interaction.rows.consultations)
        .collect();
    tables::CONSULTATIONS
        .write(connection, constants, &consultations)
        .await?;
    let joined_users: Vec<_> = changed
        .iter()
        .flat_map(|interaction| &interaction.rows.joined_users)
        .collect();
    tables::JOINED_USERS
        .write(connection, constants, &joined_users)
        .await?;
    let tags: Vec<_> = changed
        .iter()
        .flat_map(|interaction| &interaction.rows.tags)
        .collect();
    tables::TAGS.write(connection, constants, &tags).await
}
