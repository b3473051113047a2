//! The ledger and sync state.

pub mod accounts;
pub mod conflict;
mod error;
pub mod gaps;
pub mod leases;
pub mod problems;
pub mod runs;
pub mod status;
pub(crate) mod turn;
pub mod wanted;
pub(crate) mod windows;

pub use error::LoadError;
pub use windows::{
    ComparedWindow, FailedWindow, Purpose, Status, recent_counts, record_compared, record_failed,
    spent_by_others,
};

use chrono::{DateTime, Utc};

use crate::time::window::Window;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the column of that name, described in the database"
)]
pub struct Counters {
    pub windows: u64,
    pub pages: u64,
    pub requests: u64,
    pub records: u64,
    pub distinct_records: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub rejected: u64,
    pub missing: u64,
    pub judged: u64,
    pub missed: u64,
    pub marked: u64,
    pub withheld: u64,
    pub left_out: u64,
    pub retries: u64,
    pub rate_limited: u64,
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.windows += other.windows;
        self.pages += other.pages;
        self.requests += other.requests;
        self.records += other.records;
        self.distinct_records += other.distinct_records;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
        self.missing += other.missing;
        self.judged += other.judged;
        self.missed += other.missed;
        self.marked += other.marked;
        self.withheld += other.withheld;
        self.left_out += other.left_out;
        self.retries += other.retries;
        self.rate_limited += other.rate_limited;
    }
}

fn windows_of(stretches: Vec<(DateTime<Utc>, DateTime<Utc>)>) -> Vec<Window> {
    stretches
        .into_iter()
        .map(|(start, end)| Window { start, end })
        .collect()
}

pub(crate) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
