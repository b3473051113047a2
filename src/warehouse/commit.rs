//! Stores a window's rows, ledger entry and coverage in one transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::failpoint;
use crate::postgres::Pool;
use crate::transform::{Drift, Interaction, Rejected};

use super::batch::Constants;
use super::compare::{self, Basis, Change, Stored};
use super::interactions::{self, InteractionWriter, RawRecords, write_accepted};
use super::left_out::{self, StoreLimits};
use super::moved::{self, Moved};
use super::{missing, rejections};
use crate::ledger::windows::record;
use crate::ledger::{Counters, LoadError, Status, WindowEntry, accounts, bigint, conflict};

const MOST_DRIFTED_FIELDS: i64 = 1_000;

#[derive(Debug)]
pub struct WindowCommit<'a> {
    /// Counts what was fetched. Only `Drained` covers.
    pub entry: WindowEntry<'a>,
    pub basis: Option<Basis>,
    /// Distinct, sorted by key.
    pub interactions: Vec<&'a Interaction>,
    pub limits: StoreLimits<'a>,
    pub rejected: Vec<&'a Rejected>,
    /// Minutes, negative east of Greenwich.
    pub time_zone_offset: i32,
    pub keep_raw: bool,
    /// Age at which interactions are settled.
    pub late: TimeDelta,
    pub written_at: DateTime<Utc>,
}

impl WindowCommit<'_> {
    pub(super) fn constants(&self) -> Constants<'_> {
        Constants {
            account_id: &self.entry.lease.account_id,
            written_at: self.written_at,
            time_zone_offset: self.time_zone_offset,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub counters: Counters,
    pub watermark: Option<DateTime<Utc>>,
    pub resolved: u64,
    pub counted_alone: u64,
    pub new_drift: Vec<(String, String)>,
    pub moved: Option<Moved>,
}

/// Covers a drained window. A record that PostgreSQL refuses is stored as rejected.
///
/// # Errors
/// Nothing is stored, except perhaps after a failed COMMIT; rereading is safe.
pub async fn commit_window(pool: &Pool, commit: &WindowCommit<'_>) -> Result<Committed, LoadError> {
    let committed = pool
        .transact(async |transaction| {
            let filters_changed_at =
                conflict::lock_for_rows(transaction, &commit.entry.lease.account_id).await?;
            failpoint::reach("window.begun");
            write(transaction, commit, filters_changed_at).await
        })
        .await?;
    failpoint::reach("window.committed");
    Ok(committed)
}

async fn write(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
    filters_changed_at: Option<DateTime<Utc>>,
) -> Result<Committed, LoadError> {
    let constants = commit.constants();
    // A later instant only proves a fast clock.
    let is_meanwhile = |at: DateTime<Utc>| commit.entry.started_at < at && at <= commit.written_at;
    let kept =
        left_out::leave_out(connection, &commit.limits, &commit.interactions, &commit.rejected).await?;
    let (interactions, rejected) = (kept.interactions, kept.rejected);
    let left_out = commit.interactions.len() - interactions.len();
    let mut stored = compare::stored(connection, &interactions, &rejected).await?;
    if stored
        .others_stored_at(&interactions, &rejected)
        .any(is_meanwhile)
    {
        return Err(LoadError::StoredSince);
    }
    let moved = moved::find(&stored, &interactions);
    if let Some(moved) = &moved {
        stored.kept.extend(&moved.kept);
        moved::note(connection, constants, moved).await?;
    }
    let writer = InteractionWriter {
        constants,
        stored: &stored,
        raw: RawRecords::of(commit.keep_raw),
    };
    let (mut counters, refused) = write_accepted(connection, &interactions, &writer).await?;
    failpoint::reach("window.written");
    counters.left_out = left_out as u64;
    let also_rejected: Vec<Rejected> = refused.iter().map(interactions::rejected).collect();
    let is_written = |one: &&Interaction| refused.iter().all(|(refused, _)| refused.key != one.key);
    let commit = &WindowCommit {
        interactions: interactions.iter().copied().filter(is_written).collect(),
        rejected: rejected.into_iter().chain(&also_rejected).collect(),
        ..*commit
    };
    rejections::note_whether_all(connection, commit, left_out).await?;
    // Rolled back if one is newer.
    let resolved = rejections::resolve(connection, commit).await?;
    // An API may return two forms at once.
    let of_others = resolved.iter().filter(|(_, is_among)| !is_among);
    if of_others.map(|(at, _)| *at).any(is_meanwhile) {
        return Err(LoadError::StoredSince);
    }
    counters += missing::note(connection, commit, &stored, filters_changed_at).await?;
    count_ages(connection, commit, &stored).await?;
    let counted_alone = rejections::write(connection, commit).await?;
    let new_drift = note_drift(connection, commit).await?;
    counters += commit.entry.counters;
    counters.rejected = commit.rejected.len() as u64;
    let mut entry = commit.entry;
    entry.counters = counters;
    // Fails in an aborted transaction, whose COMMIT sqlx reports as success.
    record(&mut *connection, &entry).await?;
    let watermark = cover(connection, commit).await?;
    failpoint::reach("window.covered");
    Ok(Committed {
        counters,
        watermark,
        resolved: resolved.len() as u64,
        counted_alone,
        new_drift,
        moved,
    })
}

async fn cover(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
) -> Result<Option<DateTime<Utc>>, LoadError> {
    let entry = &commit.entry;
    match entry.status {
        Status::Drained => {
            let times = (entry.began_at, entry.started_at);
            let covering = accounts::cover(connection, entry.lease, entry.window, times, commit.late);
            covering.await.map(Some)
        }
        // What came since cannot be reached.
        Status::Gap => accounts::uncover(connection, entry.lease, entry.window).await,
        _ => Ok(None),
    }
}

/// Split windows count only changes; their parts count the rest.
async fn count_ages(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
    stored: &Stored,
) -> Result<(), LoadError> {
    let (mut ages, mut changed, mut last_changed) = (Vec::new(), Vec::new(), Vec::new());
    for interaction in &commit.interactions {
        let change = stored.change_of(interaction);
        if change == Change::None && commit.entry.status == Status::Split {
            continue;
        }
        if let Some(at) = stored.last_changed_at(interaction.key) {
            let age = commit.written_at - interaction.rows.session.session_started_at;
            ages.push(age.num_seconds());
            changed.push(change == Change::Content);
            last_changed.push(at);
        }
    }
    if ages.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("count_ages.sql"))
        .bind(&commit.entry.lease.account_id)
        .bind(ages)
        .bind(changed)
        .bind(last_changed)
        .bind(commit.entry.run_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Unknown names, never values.
async fn note_drift(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
) -> Result<Vec<(String, String)>, LoadError> {
    let mut times: BTreeMap<&Drift, u64> = BTreeMap::new();
    for drift in commit
        .interactions
        .iter()
        .flat_map(|interaction| &interaction.drift)
    {
        *times.entry(drift).or_default() += 1;
    }
    if times.is_empty() {
        return Ok(Vec::new());
    }
    let paths: Vec<&str> = times.keys().map(|drift| drift.path.as_str()).collect();
    let types: Vec<&str> = times.keys().map(|drift| drift.json_type).collect();
    let counts: Vec<i64> = times.values().map(|count| bigint(*count)).collect();
    Ok(sqlx::query_as(include_str!("drift.sql"))
        .bind(&commit.entry.lease.account_id)
        .bind(commit.written_at)
        .bind(MOST_DRIFTED_FIELDS)
        .bind(paths)
        .bind(types)
        .bind(counts)
        .fetch_all(connection)
        .await?)
}
