pub mod accounts;
pub mod conflict;
mod counters;
mod error;
pub mod gaps;
pub mod leases;
pub mod problems;
pub mod prune;
pub mod requests;
pub mod runs;
pub mod status;
pub(crate) mod turn;
pub mod wanted;
pub(crate) mod windows;

pub use counters::Counters;
pub use error::LoadError;
pub use windows::{Purpose, RULES, Status, UnstoredWindow, now, recent_counts, record_unstored};

use chrono::{DateTime, Utc};

use crate::time::window::Window;

fn windows_of(stretches: Vec<(DateTime<Utc>, DateTime<Utc>)>) -> Vec<Window> {
    stretches
        .into_iter()
        .map(|(start, end)| Window { start, end })
        .collect()
}

pub(crate) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
