use crate::extract::PAGE_SIZE;
use crate::ledger::Counters;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headway {
    pub counters: Counters,
    pub requests_left: u64,
}

impl Headway {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate, never negative"
    )]
    pub(super) fn new(counters: Counters, records_left: f64, windows_left: usize) -> Self {
        let pages = records_left / PAGE_SIZE as f64;
        // Nine pages per window, the last half full.
        let requests_left = (pages * 1.06).ceil() as u64;
        Self {
            counters,
            requests_left: requests_left.max(windows_left as u64),
        }
    }
}
