//! The one transaction that everything hangs on: a window's rows, its line in the ledger and its
//! coverage are stored together or not at all.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::transform::{Interaction, Rejected};
use crate::window::Window;

use super::columns::Constants;
use super::leases::Lease;
use super::windows::{Entry, Purpose, record};
use super::{Counters, LoadError, accounts, interactions, rejected};

/// A drained window, ready to be stored.
#[derive(Debug)]
pub struct WindowCommit<'a> {
    /// The lease under which it was fetched.
    pub lease: &'a Lease,
    /// The run it belongs to.
    pub run_id: i64,
    /// The stretch of time that is covered by it.
    pub window: Window,
    /// Why it was fetched.
    pub purpose: Purpose,
    /// What came, sorted by id and distinct.
    pub interactions: &'a [Interaction],
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
    /// When it is written: the instant that `first_seen_at` and `last_changed_at` get.
    pub written_at: DateTime<Utc>,
}

/// Stores a drained window, and returns all of its counters and the account's new watermark.
///
/// # Errors
/// [`LoadError::LeaseLost`] where the lease has passed to another, and otherwise what the
/// database says; nothing is stored then. An error of the COMMIT itself leaves the outcome
/// unknown: the window may be stored. Reading it again is right either way.
pub async fn commit_window(
    pool: &PgPool,
    commit: &WindowCommit<'_>,
) -> Result<(Counters, DateTime<Utc>), LoadError> {
    let constants = Constants {
        account_id: &commit.lease.account_id,
        written_at: commit.written_at,
        time_zone_offset: commit.time_zone_offset,
    };
    let mut transaction = pool.begin().await?;
    let mut counters =
        interactions::write(&mut transaction, constants, commit.interactions, commit.keep_raw).await?;
    rejected::write(&mut transaction, constants, commit.window, commit.rejected).await?;
    counters += commit.fetched;
    counters.rejected = commit.rejected.len() as u64;
    let entry = Entry {
        lease: commit.lease,
        run_id: commit.run_id,
        window: commit.window,
        purpose: commit.purpose,
        status: "drained",
        counters,
        reported_total: commit.reported_total,
        started_at: commit.started_at,
        error: None,
    };
    record(&mut *transaction, &entry).await?;
    // Last, and demanding a row: sqlx reports the commit of a transaction that PostgreSQL has
    // aborted as a success, but an aborted transaction cannot have given us this row.
    let watermark = accounts::cover(&mut *transaction, commit.lease, commit.window).await?;
    transaction.commit().await?;
    Ok((counters, watermark))
}
