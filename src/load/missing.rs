//! What the API no longer returns: noticed, made sure of, marked, and taken back.
//!
//! A drained window saw everything that lies wholly inside it, so a stored session in there that
//! it did not return is gone, or the API had a bad moment. The first miss is noted apart from the
//! data; only a second read, begun after the first was written, marks the row, and only where few are
//! missing (`bulk`).

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use crate::transform::Interaction;

use super::bulk::{self, Case, Verdict};
use super::columns::Constants;
use super::commit::WindowCommit;
use super::stored::Stored;
use super::windows::Status;
use super::{Counters, LoadError, bigint};

/// A session that a drained window had to return and did not.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Missed {
    pub(super) interaction_id: String,
    /// When a window first missed it; `None` where this is the first.
    pub(super) first_missed_at: Option<DateTime<Utc>>,
    /// Since when it is not marked, though missed again, as too many are missing.
    pub(super) withheld_since: Option<DateTime<Utc>>,
}

/// A session that is gone, and since when.
type Gone<'a> = (&'a str, DateTime<Utc>);

/// Takes note of what the window returned and what it missed, and counts what it had to return, what of
/// that was missed, and what has been marked. Where nothing is missing and nothing was, it only reads.
pub(super) async fn note(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    commit: &WindowCommit<'_>,
    stored: &Stored,
) -> Result<Counters, LoadError> {
    let returned: Vec<&str> = commit.interactions.iter().map(Interaction::id).collect();
    let found: Vec<&str> = returned
        .iter()
        .copied()
        .filter(|id| stored.was_missed(id))
        .collect();
    forget(connection, constants.account_id, &found).await?;
    // A record that could not be read may be the very one that seems to be missing.
    if commit.status != Status::Drained || !commit.rejected.is_empty() {
        return Ok(Counters::default());
    }
    // Where not everything was seen, the bot-only session may be returned beside its
    // conversation: marking it here would rewrite it at every refresh.
    let superseded = stored.superseded(commit.window, commit.interactions);
    let at_once: Vec<Gone<'_>> = superseded.iter().map(|id| (*id, constants.written_at)).collect();
    let marked = mark(connection, constants, &at_once).await?;
    let returned = returned.into_iter().collect();
    let mut counters = judge(connection, constants, commit, &returned).await?;
    counters.missing += marked;
    Ok(counters)
}

/// Judges what lies wholly inside the window, what is superseded apart.
async fn judge(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    commit: &WindowCommit<'_>,
    returned: &HashSet<&str>,
) -> Result<Counters, LoadError> {
    let inside: Vec<String> = sqlx::query_scalar(include_str!("wholly_inside.sql"))
        .bind(constants.account_id)
        .bind(commit.window.start)
        .bind(commit.window.end)
        .fetch_all(&mut *connection)
        .await?;
    let mut counters = Counters {
        judged: inside.len() as u64,
        ..Counters::default()
    };
    let missed = inside.into_iter().filter(|id| !returned.contains(id.as_str()));
    let missed = with_notes(connection, constants, missed.collect()).await?;
    counters.missed = missed.len() as u64;
    // Reads that overlap in time share the API's bad moment: they count as one.
    let (again, first): (Vec<Missed>, Vec<Missed>) = missed
        .into_iter()
        .partition(|missed| missed.first_missed_at.is_some_and(|at| at <= commit.started_at));
    let since = |missed: &'_ Missed| missed.first_missed_at.unwrap_or(constants.written_at);
    let noted: Vec<Gone<'_>> = first
        .iter()
        .map(|missed| (missed.interaction_id.as_str(), since(missed)))
        .collect();
    remember(connection, constants.account_id, &noted).await?;
    let case = Case {
        window: commit.window,
        judged: bigint(counters.judged),
        missed: bigint(counters.missed),
        has_records: commit.fetched.distinct_records > 0,
        confirm_after: commit.missing_confirm,
    };
    let verdicts = bulk::judge(connection, constants, &case, &again).await?;
    let of = |wanted: &[Verdict]| -> Vec<Gone<'_>> {
        let judged = again.iter().zip(&verdicts);
        let fitting = judged.filter(|(_, verdict)| wanted.contains(verdict));
        fitting
            .map(|(missed, _)| (missed.interaction_id.as_str(), since(missed)))
            .collect()
    };
    let few = mark(connection, constants, &of(&[Verdict::OneOfFew])).await?;
    let confirmed = mark(connection, constants, &of(&[Verdict::Confirmed])).await?;
    counters.marked = few;
    counters.missing = few + confirmed;
    counters.withheld = of(&[Verdict::Withheld]).len() as u64;
    Ok(counters)
}

/// These sessions, with what earlier windows noted of them.
async fn with_notes(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    missed: Vec<String>,
) -> Result<Vec<Missed>, LoadError> {
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
    missed: &[Gone<'_>],
) -> Result<(), LoadError> {
    if missed.is_empty() {
        return Ok(());
    }
    let (ids, since): (Vec<&str>, Vec<DateTime<Utc>>) = missed.iter().copied().unzip();
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
    gone: &[Gone<'_>],
) -> Result<u64, LoadError> {
    if gone.is_empty() {
        return Ok(0);
    }
    let (ids, since): (Vec<&str>, Vec<DateTime<Utc>>) = gone.iter().copied().unzip();
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
