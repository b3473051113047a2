//! What reading one window has cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::pulse::Pulse;

/// Counts what was done on behalf of one window, also for reads that failed half way or were
/// repeated: nothing is ever taken back.
#[derive(Debug, Default)]
pub struct Tally {
    requests: AtomicU64,
    pages: AtomicU64,
    records: AtomicU64,
    retries: AtomicU64,
    rate_limited: AtomicU64,
    pub(super) pulse: Arc<Pulse>,
}

impl Tally {
    /// Of a window that is read by work with this pulse.
    pub fn of(pulse: Arc<Pulse>) -> Self {
        Self {
            pulse,
            ..Self::default()
        }
    }

    /// Requests that left, answered or not.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Pages that came, each as often as it came.
    pub fn pages(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// Records on those pages, each as often as it came.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Requests among those that repeat one that failed.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Requests among those that the API turned away because of its rate limit.
    pub fn rate_limited(&self) -> u64 {
        self.rate_limited.load(Ordering::Relaxed)
    }

    pub(super) fn add_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_rate_limited(&self) {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_page(&self, records: usize) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records as u64, Ordering::Relaxed);
    }
}
