//! How often interactions have changed when they are read again, by their age: measured, so that
//! operators choose refresh tiers by fact.

use sqlx::PgConnection;

use super::columns::Constants;
use super::commit::WindowCommit;
use super::stored::{Change, Stored};
use crate::ledger::LoadError;
use crate::ledger::windows::Status;

/// Counts the interactions that were stored before this run, each in the class of its age and
/// once a run. The age is in seconds, from the start of the session to now.
///
/// A window that is split is read again by its parts, which find what it stored unchanged: a split
/// counts what has changed, and the parts leave out what was written in this run.
pub(super) async fn count(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    commit: &WindowCommit<'_>,
    stored: &Stored,
) -> Result<(), LoadError> {
    let (mut ages, mut changed, mut last_changed) = (Vec::new(), Vec::new(), Vec::new());
    for interaction in commit.interactions {
        let change = stored.change_of(interaction);
        if change == Change::None && commit.status == Status::Split {
            continue;
        }
        if let Some(at) = stored.last_changed_at(interaction.key) {
            let age = constants.written_at - interaction.rows.session.session_started_at;
            ages.push(age.num_seconds());
            changed.push(change == Change::Content);
            last_changed.push(at);
        }
    }
    if ages.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("count_ages.sql"))
        .bind(constants.account_id)
        .bind(ages)
        .bind(changed)
        .bind(last_changed)
        .bind(commit.run_id)
        .execute(connection)
        .await?;
    Ok(())
}
