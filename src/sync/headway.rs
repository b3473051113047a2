//! How far a run has come, for whoever waits for it.

use crate::extract::PAGE_SIZE;
use crate::ledger::Counters;

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headway {
    /// What its windows have come to so far.
    pub counters: Counters,
    /// Requests that are still to come, roughly.
    pub requests_left: u64,
}

impl Headway {
    /// So many records are expected in at least so many windows.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate, never negative"
    )]
    pub(super) fn new(counters: Counters, records_left: f64, windows_left: usize) -> Self {
        let pages = records_left / PAGE_SIZE as f64;
        // The last page of a window is half full on average, and windows hold about nine.
        let requests_left = (pages * 1.06).ceil() as u64;
        Self {
            counters,
            requests_left: requests_left.max(windows_left as u64),
        }
    }
}
