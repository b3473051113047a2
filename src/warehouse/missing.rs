//! Notes sessions that a window had to return and did not. Only superseded ones are marked at once; others
//! when a request ends.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgExecutor};
use uuid::Uuid;

use crate::time::Window;
use crate::transform::{Ids, Interaction};

use super::commit::WindowCommit;
use super::compare::{Basis, Stored};
use super::facts;
use super::siblings::MOST_SIBLINGS;
use crate::ledger::windows::Status;
use crate::ledger::{Counters, LoadError};

/// The key, and since when.
pub(super) type Gone = (Uuid, DateTime<Utc>);

#[derive(Debug, FromRow)]
pub(super) struct Candidate {
    pub(super) interaction_key: Uuid,
    session_id: Option<String>,
    conversation_id: Option<String>,
    first_seen_at: DateTime<Utc>,
    /// By start, sessions that start in the window; by end, those that end in it; by overlap, those that
    /// touch it; basis unknown, those wholly inside.
    pub(super) is_owed: bool,
}

impl Candidate {
    /// Sessions that continue after the window may only be left out.
    fn is_superseded(&self, successors: &Successors<'_>) -> bool {
        let is_half = self.session_id.is_none() || self.conversation_id.is_none();
        let shares = |id: &Option<String>, ids: &HashSet<&str>| {
            id.as_ref().is_some_and(|id| ids.contains(id.as_str()))
        };
        (self.is_owed || is_half)
            && (shares(&self.session_id, &successors.sessions)
                || shares(&self.conversation_id, &successors.conversations))
    }
}

pub(super) struct Returned<'a> {
    keys: HashSet<Uuid>,
    /// Ids of what may be later versions of rows.
    rejected: HashSet<&'a str>,
}

impl<'a> Returned<'a> {
    pub(super) fn of(keys: impl Iterator<Item = Uuid>, rejected: impl Iterator<Item = &'a Ids>) -> Self {
        let ids = rejected.flat_map(|ids| ids.session_id.iter().chain(&ids.conversation_id));
        Self {
            keys: keys.collect(),
            rejected: ids.map(String::as_str).collect(),
        }
    }

    pub(super) fn has(&self, session: &Candidate) -> bool {
        let mut ids = session.session_id.iter().chain(&session.conversation_id);
        self.keys.contains(&session.interaction_key) || ids.any(|id| self.rejected.contains(id.as_str()))
    }
}

struct Successors<'a> {
    sessions: HashSet<&'a str>,
    conversations: HashSet<&'a str>,
}

impl<'a> Successors<'a> {
    fn of(interactions: &[&'a Interaction]) -> Self {
        let sessions = || interactions.iter().map(|interaction| &interaction.rows.session);
        Self {
            sessions: of_one_contact(sessions().filter_map(|row| row.session_id.as_deref())),
            conversations: of_one_contact(sessions().filter_map(|row| row.conversation_id.as_deref())),
        }
    }
}

fn of_one_contact<'a>(ids: impl Iterator<Item = &'a str>) -> HashSet<&'a str> {
    let mut times: HashMap<&str, usize> = HashMap::new();
    ids.for_each(|id| *times.entry(id).or_default() += 1);
    times.retain(|_, times| *times <= MOST_SIBLINGS);
    times.into_keys().collect()
}

/// By start, an API returns sessions that reach out of the window; by end, those that reach into it.
/// Today's filters may exclude rows older than `filters_changed_at`.
pub(super) async fn candidates(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    (window, basis): (Window, Option<Basis>),
    filters_changed_at: Option<DateTime<Utc>>,
) -> Result<Vec<Candidate>, LoadError> {
    Ok(sqlx::query_as(include_str!("owed.sql"))
        .bind(account_id)
        .bind(window.start)
        .bind(window.end)
        .bind(filters_changed_at)
        .bind(matches!(basis, Some(Basis::End | Basis::Overlap)))
        .bind(matches!(basis, Some(Basis::Start | Basis::Overlap)))
        .fetch_all(executor)
        .await?)
}

pub(super) async fn note(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
    stored: &Stored,
    filters_changed_at: Option<DateTime<Utc>>,
) -> Result<Counters, LoadError> {
    let (account_id, at) = (commit.entry.lease.account_id.as_str(), commit.written_at);
    let keys = commit.interactions.iter().map(|interaction| interaction.key);
    let found: Vec<Uuid> = keys.filter(|key| stored.missed.contains(key)).collect();
    forget(connection, &found).await?;
    // One of unknown ids may be the missing one.
    let has_unknown = commit.rejected.iter().any(|record| record.key.is_none());
    if commit.entry.status != Status::Drained || has_unknown {
        return Ok(Counters::default());
    }
    let asked = (commit.entry.window, commit.basis);
    let candidates = candidates(&mut *connection, account_id, asked, filters_changed_at).await?;
    let owed = candidates.iter().filter(|session| session.is_owed).count();
    let keys = commit.interactions.iter().map(|interaction| interaction.key);
    let ids = commit.rejected.iter().flat_map(|record| &record.ids);
    let returned = Returned::of(keys, ids);
    let (returned, absent): (Vec<Candidate>, Vec<Candidate>) =
        candidates.into_iter().partition(|session| returned.has(session));
    if !commit.rejected.is_empty() {
        let keys: Vec<Uuid> = returned.iter().map(|session| session.interaction_key).collect();
        forget(connection, &keys).await?;
    }
    let successors = Successors::of(&commit.interactions);
    let (superseded, absent): (Vec<Candidate>, Vec<Candidate>) = absent
        .into_iter()
        .partition(|session| session.is_superseded(&successors));
    let at_once = superseded.iter().map(|session| (session.interaction_key, at));
    let at_once: Vec<Gone> = at_once.collect();
    let keys: Vec<Uuid> = at_once.iter().map(|(key, _)| *key).collect();
    forget(connection, &keys).await?;
    let marked = mark(connection, account_id, at, &at_once).await?;
    let missed: Vec<Candidate> = absent.into_iter().filter(|session| session.is_owed).collect();
    let of_superseded = superseded.iter().filter(|session| session.is_owed);
    remember(connection, commit, &missed).await?;
    Ok(Counters {
        judged: (owed - of_superseded.count()) as u64,
        missed: missed.len() as u64,
        missing: marked,
        ..Counters::default()
    })
}

/// A second miss counts only from a window begun after the first was written: overlapping reads may share an
/// outage. A note older than its row is of a deleted row.
async fn remember(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
    missed: &[Candidate],
) -> Result<(), LoadError> {
    if missed.is_empty() {
        return Ok(());
    }
    let (keys, since): (Vec<Uuid>, Vec<DateTime<Utc>>) = missed
        .iter()
        .map(|session| (session.interaction_key, session.first_seen_at))
        .unzip();
    sqlx::query(
        "delete from smartassist_sync.absences as absence using unnest($1::uuid[], $2::timestamptz[]) as seen (key, since) \
         where absence.interaction_key = seen.key and absence.first_missed_at < seen.since",
    )
    .bind(&keys)
    .bind(since)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into smartassist_sync.absences as absence (account_id, interaction_key, first_missed_at) \
         select $1, missed.interaction_key, $2 from unnest($4::uuid[]) as missed (interaction_key) \
         on conflict (interaction_key) do update set proven_at = excluded.first_missed_at \
         where absence.proven_at is null and absence.first_missed_at <= $3",
    )
    .bind(&commit.entry.lease.account_id)
    .bind(commit.written_at)
    .bind(commit.entry.started_at)
    .bind(keys)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn forget(connection: &mut PgConnection, keys: &[Uuid]) -> Result<(), LoadError> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query("delete from smartassist_sync.absences where interaction_key = any($1)")
        .bind(keys)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn mark(
    connection: &mut PgConnection,
    account_id: &str,
    at: DateTime<Utc>,
    gone: &[Gone],
) -> Result<u64, LoadError> {
    if gone.is_empty() {
        return Ok(0);
    }
    let (keys, since): (Vec<Uuid>, Vec<DateTime<Utc>>) = gone.iter().copied().unzip();
    let marked = sqlx::query(
        "update smartassist.sessions as session set missing_since = gone.since, last_changed_at = $1 \
         from unnest($2::uuid[], $3::timestamptz[]) as gone (interaction_key, since) \
         where session.interaction_key = gone.interaction_key and session.missing_since is null",
    )
    .bind(at)
    .bind(&keys)
    .bind(since)
    .execute(&mut *connection)
    .await?;
    facts::rewrite(connection, account_id, &keys).await?;
    Ok(marked.rows_affected())
}

pub(super) async fn clear(
    connection: &mut PgConnection,
    at: DateTime<Utc>,
    keys: &[Uuid],
) -> Result<(), LoadError> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update smartassist.sessions set missing_since = null, last_changed_at = $1 where interaction_key = any($2)",
    )
    .bind(at)
    .bind(keys)
    .execute(connection)
    .await?;
    Ok(())
}
