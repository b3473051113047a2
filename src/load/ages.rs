//! How often interactions have changed when they are read again, by their age: measured, so that
//! operators choose refresh tiers by fact.

use sqlx::PgConnection;

use crate::transform::Interaction;

use super::LoadError;
use super::columns::Constants;
use super::stored::{Change, Stored};

/// Counts the interactions that were stored before, each in the class of its age. The age is in
/// seconds, from the start of the session to now.
pub(super) async fn count(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    interactions: &[Interaction],
    stored: &Stored,
) -> Result<(), LoadError> {
    let (ages, changed): (Vec<i64>, Vec<bool>) = interactions
        .iter()
        .map(|interaction| (interaction, stored.change_of(interaction)))
        .filter(|(_, change)| *change != Change::New)
        .map(|(interaction, change)| {
            let age = constants.written_at - interaction.rows.session.session_started_at;
            (age.num_seconds(), change == Change::Content)
        })
        .unzip();
    if ages.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("count_ages.sql"))
        .bind(constants.account_id)
        .bind(ages)
        .bind(changed)
        .execute(connection)
        .await?;
    Ok(())
}
