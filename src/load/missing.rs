//! What the API no longer returns: noticed, made sure of, marked, and taken back.
//!
//! A drained window saw everything that lies wholly inside it, so a stored session in there that
//! it did not return is gone, or the API had a bad moment. The first miss is noted apart from the
//! data; only a second read, begun after the first was written, marks the row.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::transform::Interaction;

use super::LoadError;
use super::columns::Constants;
use super::commit::WindowCommit;
use super::stored::Stored;
use super::windows::Status;

/// A session that a drained window missed, and when one did so first.
type Missed = (String, DateTime<Utc>);

/// Takes note of what the window returned and what it missed, and returns how many interactions
/// have been marked as missing. Where nothing is missing and nothing was, it only reads.
pub(super) async fn note(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    commit: &WindowCommit<'_>,
    stored: &Stored,
) -> Result<u64, LoadError> {
    let returned: Vec<&str> = commit.interactions.iter().map(Interaction::id).collect();
    let found: Vec<&str> = returned
        .iter()
        .copied()
        .filter(|id| stored.was_missed(id))
        .collect();
    forget(connection, constants.account_id, &found).await?;

    let mut gone: Vec<Missed> = Vec::new();
    // A record that could not be read may be the very one that seems to be missing.
    if commit.status == Status::Drained && commit.rejected.is_empty() {
        // Where not everything was seen, the bot-only session may be returned beside its
        // conversation: marking it here would rewrite it at every refresh.
        let superseded = stored.superseded(commit.window, commit.interactions);
        let accounted_for = returned.iter().chain(&superseded).copied().collect();
        let missed = missed(connection, constants, commit, &accounted_for).await?;
        let at_once = |id: &&str| ((*id).to_owned(), constants.written_at);
        gone.extend(superseded.iter().map(at_once));
        // Reads that overlap in time share the API's bad moment: they count as one.
        let (again, first): (Vec<_>, Vec<_>) = missed
            .into_iter()
            .partition(|(_, since)| since.is_some_and(|since| since <= commit.started_at));
        let since = |(id, since): (String, Option<_>)| (id, since.unwrap_or(constants.written_at));
        let first: Vec<Missed> = first.into_iter().map(since).collect();
        remember(connection, constants.account_id, &first).await?;
        gone.extend(again.into_iter().map(since));
    }
    mark(connection, constants, &gone).await
}

/// Sessions that lie wholly inside the window, should have been returned, and were not; with the
/// instant of the first miss where an earlier window missed them too.
async fn missed(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    commit: &WindowCommit<'_>,
    accounted_for: &HashSet<&str>,
) -> Result<Vec<(String, Option<DateTime<Utc>>)>, LoadError> {
    let inside: Vec<String> = sqlx::query_scalar(include_str!("wholly_inside.sql"))
        .bind(constants.account_id)
        .bind(commit.window.start)
        .bind(commit.window.end)
        .fetch_all(&mut *connection)
        .await?;
    let missed: Vec<String> = inside
        .into_iter()
        .filter(|id| !accounted_for.contains(id.as_str()))
        .collect();
    if missed.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_as(include_str!("missed.sql"))
        .bind(constants.account_id)
        .bind(missed)
        .fetch_all(connection)
        .await?)
}

async fn remember(
    connection: &mut PgConnection,
    account_id: &str,
    missed: &[Missed],
) -> Result<(), LoadError> {
    if missed.is_empty() {
        return Ok(());
    }
    let (ids, since): (Vec<&str>, Vec<DateTime<Utc>>) =
        missed.iter().map(|(id, since)| (id.as_str(), since)).unzip();
    sqlx::query(
        "insert into smartassist_sync.absences as absence (account_id, interaction_id, first_missed_at) \
         select $1, missed.interaction_id, missed.since \
         from unnest($2::text[], $3::timestamptz[]) as missed(interaction_id, since) \
         on conflict (account_id, interaction_id) do update set \
         first_missed_at = excluded.first_missed_at, times_missed = absence.times_missed + 1",
    )
    .bind(account_id)
    .bind(ids)
    .bind(since)
    .execute(connection)
    .await?;
    Ok(())
}

async fn forget(
    connection: &mut PgConnection,
    account_id: &str,
    interaction_ids: &[&str],
) -> Result<(), LoadError> {
    if interaction_ids.is_empty() {
        return Ok(());
    }
    sqlx::query("delete from smartassist_sync.absences where account_id = $1 and interaction_id = any($2)")
        .bind(account_id)
        .bind(interaction_ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// Marks them as missing, each from its instant on, and returns how many were not before.
async fn mark(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    gone: &[Missed],
) -> Result<u64, LoadError> {
    if gone.is_empty() {
        return Ok(0);
    }
    let (ids, since): (Vec<&str>, Vec<DateTime<Utc>>) =
        gone.iter().map(|(id, since)| (id.as_str(), since)).unzip();
    forget(connection, constants.account_id, &ids).await?;
    let marked = sqlx::query(
        "update smartassist.sessions as session set missing_since = gone.since, last_changed_at = $2 \
         from unnest($3::text[], $4::timestamptz[]) as gone(interaction_id, since) \
         where session.account_id = $1 and session.interaction_id = gone.interaction_id \
         and session.missing_since is null",
    )
    .bind(constants.account_id)
    .bind(constants.written_at)
    .bind(ids)
    .bind(since)
    .execute(connection)
    .await?;
    Ok(marked.rows_affected())
}

/// Takes the mark from interactions that came back as they were.
pub(super) async fn clear(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    interaction_ids: &[&str],
) -> Result<(), LoadError> {
    if interaction_ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update smartassist.sessions set missing_since = null, last_changed_at = $2 \
         where account_id = $1 and interaction_id = any($3)",
    )
    .bind(constants.account_id)
    .bind(constants.written_at)
    .bind(interaction_ids)
    .execute(connection)
    .await?;
    Ok(())
}
