//! Interactions: compare first, then write only what changed.

use std::collections::HashMap;

use sqlx::PgConnection;

use crate::transform::Interaction;

use super::columns::Constants;
use super::{Counters, LoadError, tables};

/// Writes what is new or has changed, and replaces the children of that. `interactions` are
/// sorted by id and distinct. An interaction that is stored as it is takes no lock and leaves
/// no trace.
pub(super) async fn write(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    interactions: &[Interaction],
    keep_raw: bool,
) -> Result<Counters, LoadError> {
    let stored = stored_hashes(connection, constants.account_id, interactions).await?;
    let hash_of = |interaction: &Interaction| stored.get(interaction.id()).map(Vec::as_slice);
    let changed: Vec<&Interaction> = interactions
        .iter()
        .filter(|interaction| hash_of(interaction) != Some(interaction.content_hash.as_slice()))
        .collect();
    let rewritten: Vec<&str> = changed
        .iter()
        .filter(|interaction| hash_of(interaction).is_some())
        .map(|row| row.id())
        .collect();

    delete_children(connection, constants.account_id, &rewritten).await?;
    tables::SESSIONS.write(connection, constants, &changed).await?;
    write_children(connection, constants, &changed).await?;
    if keep_raw {
        tables::RAW_INTERACTIONS
            .write(connection, constants, &changed)
            .await?;
    }
    Ok(Counters {
        inserted: (changed.len() - rewritten.len()) as u64,
        updated: rewritten.len() as u64,
        unchanged: (interactions.len() - changed.len()) as u64,
        ..Counters::default()
    })
}

async fn stored_hashes(
    connection: &mut PgConnection,
    account_id: &str,
    interactions: &[Interaction],
) -> Result<HashMap<String, Vec<u8>>, LoadError> {
    let ids: Vec<&str> = interactions.iter().map(Interaction::id).collect();
    let hashes = sqlx::query_as(
        "select interaction_id, content_hash from smartassist.sessions \
         where account_id = $1 and interaction_id = any($2)",
    )
    .bind(account_id)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(hashes.into_iter().collect())
}

/// Segments and consultations go with their destination. A raw record goes too, so that none
/// stays behind that is older than its rows where `storage.raw` has been switched off.
async fn delete_children(
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
        "delete from smartassist.raw_interactions where account_id = $1 and interaction_id = any($2)",
    ] {
        sqlx::query(statement)
            .bind(account_id)
            .bind(interaction_ids)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Parents before children, as the foreign keys demand.
async fn write_children(
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
    let tags: Vec<_> = changed
        .iter()
        .flat_map(|interaction| &interaction.rows.tags)
        .collect();
    tables::TAGS.write(connection, constants, &tags).await
}
