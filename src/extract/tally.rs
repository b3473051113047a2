use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::pulse::Pulse;

/// Cost of one window, including failed reads.
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
    pub fn of(pulse: Arc<Pulse>) -> Self {
        Self {
            pulse,
            ..Self::default()
        }
    }

    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    pub fn add(&self, other: &Self) {
        for (all, more) in [
            (&self.requests, &other.requests),
            (&self.pages, &other.pages),
            (&self.records, &other.records),
            (&self.retries, &other.retries),
            (&self.rate_limited, &other.rate_limited),
        ] {
            all.fetch_add(more.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// With repeats.
    pub fn pages(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// With repeats.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

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
