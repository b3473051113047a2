//! How often reread interactions changed, by age.

use sqlx::PgConnection;

use super::batch::Constants;
use super::commit::WindowCommit;
use super::stored::{Change, Stored};
use crate::ledger::LoadError;
use crate::ledger::windows::Status;

/// Split windows count only changes; their parts count the rest.
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
