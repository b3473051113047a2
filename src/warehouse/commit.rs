//! The one transaction that everything hangs on: a window's rows, its line in the ledger and its
//! coverage are stored together or not at all.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::failpoint;
use crate::postgres::Pool;
use crate::time::window::Window;
use crate::transform::{Drift, Interaction, Rejected};

use super::columns::Constants;
use super::left_out::{self, StoreLimits};
use super::moved::Moved;
use super::stored::Meanwhile;
use super::{ages, drift, interactions, missing, moved, rejected, stored};
use crate::ledger::accounts::Drained;
use crate::ledger::leases::Lease;
use crate::ledger::problems::ProblemCode;
use crate::ledger::windows::{Entry, Purpose, Status, record};
use crate::ledger::{Counters, LoadError, accounts, turn};

/// A window that was fetched, ready to be stored.
#[derive(Debug)]
pub struct WindowCommit<'a> {
    /// The lease under which it was fetched.
    pub lease: &'a Lease,
    /// The run it belongs to.
    pub run_id: i64,
    /// The stretch of time that was asked for.
    pub window: Window,
    /// Why it was fetched.
    pub purpose: Purpose,
    /// What came of it: drained, which covers the window; or split or gap, which stores what was
    /// reachable and covers nothing.
    pub status: Status,
    /// Why it is not drained, without bodies, values or secrets.
    pub error: Option<&'a str>,
    /// The problem that stands while such a gap is open, if one does.
    pub error_code: Option<ProblemCode>,
    /// What came, sorted by key and distinct.
    pub interactions: &'a [Interaction],
    /// What of it must not be stored.
    pub limits: StoreLimits<'a>,
    /// What could not become rows.
    pub rejected: &'a [Rejected],
    /// Minutes, negative east of Greenwich, that it was asked with.
    pub time_zone_offset: i32,
    /// Whether records are kept as received.
    pub keep_raw: bool,
    /// Pages, requests and records that it took.
    pub fetched: Counters,
    /// The total that the API reported, where it did.
    pub reported_total: Option<u64>,
    /// When fetching began.
    pub started_at: DateTime<Utc>,
    /// What started so long before that can be published no more.
    pub late: TimeDelta,
    /// How long what is missing in bulk has to last until time confirms it.
    pub missing_confirm: TimeDelta,
    /// When it is written: the instant that `first_seen_at` and `last_changed_at` get.
    pub written_at: DateTime<Utc>,
}

/// What came of storing a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// All counters of the window: those of fetching it and those of writing it.
    pub counters: Counters,
    /// The account's watermark after it.
    pub watermark: DateTime<Utc>,
    /// Rejections of before that it resolved: the records became rows, or have no id and are no longer returned.
    pub resolved: u64,
    /// Rejected records of which nothing is kept but the count: the day's bounds were reached.
    pub counted_alone: u64,
    /// Fields that were never seen before and are not known.
    pub new_drift: Vec<Drift>,
    /// Starts that moved by whole quarter hours.
    pub moved: Option<Moved>,
}

/// Stores a window, and where it was drained covers it.
///
/// What a drained window without a rejected record proves to be gone is marked: at once a session that lives on under other
/// ids, one of which it shares; the second time any session that lies wholly inside.
///
/// # Errors
/// [`LoadError::LeaseLost`] where the lease is lost, [`LoadError::Overtaken`] where what came may be older than what
/// is stored, and otherwise what the database says; nothing is stored then. An error of the COMMIT itself leaves the outcome
/// unknown: the window may be stored. Reading it again is right either way.
pub async fn commit_window(pool: &Pool, commit: &WindowCommit<'_>) -> Result<Committed, LoadError> {
    let committed = pool
        .transact(async |transaction| {
            let filters_changed_at = begin(transaction, &commit.lease.account_id).await?;
            write(transaction, commit, filters_changed_at).await
        })
        .await?;
    failpoint::reach("window.committed");
    Ok(committed)
}

async fn begin(connection: &mut PgConnection, account_id: &str) -> Result<Option<DateTime<Utc>>, LoadError> {
    let filters_changed_at = turn::take(connection, account_id).await?;
    failpoint::reach("window.begun");
    // Everything here is looked up by key. Plans are kept, and one that was made while the tables
    // were empty would read them whole when they no longer are.
    sqlx::query("set local enable_seqscan = off")
        .execute(connection)
        .await?;
    Ok(filters_changed_at)
}

async fn write(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
    filters_changed_at: Option<DateTime<Utc>>,
) -> Result<Committed, LoadError> {
    let constants = Constants {
        account_id: &commit.lease.account_id,
        written_at: commit.written_at,
        time_zone_offset: commit.time_zone_offset,
    };
    let (interactions, rejected) =
        left_out::without(connection, &commit.limits, commit.interactions, commit.rejected).await?;
    let read = commit.interactions.len();
    rejected::note_whether_all(connection, commit).await?;
    let commit = &WindowCommit {
        interactions: &interactions,
        rejected: &rejected,
        ..*commit
    };
    let mut stored = stored::read(connection, &interactions, &rejected).await?;
    // Undone with the transaction, should one of them turn out to be newer.
    let resolved = rejected::resolve(connection, constants, commit).await?;
    let meanwhile = Meanwhile {
        started_at: commit.started_at,
        written_at: commit.written_at,
    };
    let mut rejected_at = resolved.iter().filter_map(|one| one.last_seen_but_in(&rejected));
    if stored.overtaken(&interactions, &rejected, meanwhile) || rejected_at.any(|at| meanwhile.has(at)) {
        return Err(LoadError::Overtaken);
    }
    let moved = moved::find(&stored, &interactions);
    if let Some(moved) = &moved {
        stored.keep(&moved.kept);
        moved::note(connection, constants, moved).await?;
    }
    let mut counters = interactions::write(
        connection,
        constants,
        commit.interactions,
        &stored,
        commit.keep_raw,
    )
    .await?;
    failpoint::reach("window.written");
    counters += missing::note(connection, constants, commit, &stored, filters_changed_at).await?;
    ages::count(connection, constants, commit, &stored).await?;
    let counted_alone = rejected::write(connection, constants, commit.window, commit.rejected).await?;
    let new_drift = drift::note(connection, constants, commit.interactions).await?;
    counters += commit.fetched;
    counters.rejected = commit.rejected.len() as u64;
    counters.left_out = (read - commit.interactions.len()) as u64;
    record(&mut *connection, &entry(commit, counters)).await?;
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

/// Last, and demanding a row: sqlx reports the commit of a transaction that PostgreSQL has aborted as a
/// success, but an aborted transaction cannot have given us this row. Returns the account's watermark.
async fn cover(connection: &mut PgConnection, commit: &WindowCommit<'_>) -> Result<DateTime<Utc>, LoadError> {
    match commit.status {
        Status::Drained => {
            let drained = Drained {
                window: commit.window,
                started_at: commit.started_at,
                late: commit.late,
            };
            accounts::cover(connection, commit.lease, drained).await
        }
        Status::Split | Status::Gap | Status::Failed => accounts::stay(connection, commit.lease).await,
    }
}

fn entry<'a>(commit: &WindowCommit<'a>, counters: Counters) -> Entry<'a> {
    Entry {
        lease: commit.lease,
        run_id: commit.run_id,
        window: commit.window,
        purpose: commit.purpose,
        status: commit.status,
        counters,
        reported_total: commit.reported_total,
        started_at: commit.started_at,
        error: commit.error,
        error_code: commit.error_code,
    }
}
