//! Compares, then writes only what changed.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::transform::{Interaction, Rows};

use super::columns::{Constants, Keyed, Table};
use super::stored::{Change, Stored};
use super::{days, missing, tables};
use crate::ledger::{Counters, LoadError};

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
    let rewritten: Vec<Uuid> = changed
        .iter()
        .filter(|interaction| stored.change_of(interaction) == Change::Content)
        .map(|interaction| interaction.key)
        .collect();
    let back: Vec<Uuid> = interactions
        .iter()
        .filter(|interaction| {
            stored.change_of(interaction) == Change::None && stored.is_missing(interaction.key)
        })
        .map(|interaction| interaction.key)
        .collect();

    delete_children(connection, &rewritten).await?;
    delete_raw(connection, &rewritten).await?;
    write_sessions(connection, &tables::SESSIONS, constants, &changed).await?;
    write_children(connection, constants, &changed).await?;
    if keep_raw {
        write_sessions(connection, &tables::RAW_INTERACTIONS, constants, &changed).await?;
    }
    let moves = changed.iter().flat_map(|interaction| {
        let start = interaction.rows.session.session_started_at;
        let before = stored.started_at(interaction.key).map(|before| (before, -1));
        before.into_iter().chain([(start, 1)])
    });
    days::count(connection, constants.account_id, moves).await?;
    missing::clear(connection, constants, &back).await?;
    Ok(Counters {
        inserted: (changed.len() - rewritten.len()) as u64,
        updated: (rewritten.len() + back.len()) as u64,
        unchanged: (interactions.len() - changed.len() - back.len()) as u64,
        ..Counters::default()
    })
}

pub(super) async fn write_sessions(
    connection: &mut PgConnection,
    table: &Table<Interaction>,
    constants: Constants<'_>,
    interactions: &[&Interaction],
) -> Result<(), LoadError> {
    let rows = interactions.iter().map(|interaction| Keyed {
        key: interaction.key,
        row: *interaction,
    });
    table
        .write(connection, constants, &rows.collect::<Vec<_>>())
        .await
}

/// Foreign keys cascade.
pub(super) async fn delete_children(connection: &mut PgConnection, keys: &[Uuid]) -> Result<(), LoadError> {
    if keys.is_empty() {
        return Ok(());
    }
    for statement in [
        "delete from smartassist.destinations where interaction_key = any($1)",
        "delete from smartassist.tags where interaction_key = any($1)",
    ] {
        sqlx::query(statement)
            .bind(keys)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Old raw records must not remain where `storage.raw` is off.
async fn delete_raw(connection: &mut PgConnection, keys: &[Uuid]) -> Result<(), LoadError> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query("delete from smartassist.raw_interactions where interaction_key = any($1)")
        .bind(keys)
        .execute(connection)
        .await?;
    Ok(())
}

/// Parents first: foreign keys.
pub(super) async fn write_children(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    changed: &[&Interaction],
) -> Result<(), LoadError> {
    let destinations = children(changed, |rows| &rows.destinations);
    tables::DESTINATIONS
        .write(connection, constants, &destinations)
        .await?;
    let segments = children(changed, |rows| &rows.agent_segments);
    tables::AGENT_SEGMENTS
        .write(connection, constants, &segments)
        .await?;
    let consultations = children(changed, |rows| &rows.consultations);
    tables::CONSULTATIONS
        .write(connection, constants, &consultations)
        .await?;
    let joined_users = children(changed, |rows| &rows.joined_users);
    tables::JOINED_USERS
        .write(connection, constants, &joined_users)
        .await?;
    let tags = children(changed, |rows| &rows.tags);
    tables::TAGS.write(connection, constants, &tags).await
}

fn children<'a, Row>(interactions: &[&'a Interaction], of: fn(&Rows) -> &[Row]) -> Vec<Keyed<'a, Row>> {
    let rows = interactions.iter().flat_map(|interaction| {
        let key = interaction.key;
        of(&interaction.rows).iter().map(move |row| Keyed { key, row })
    });
    rows.collect()
}
