use chrono::{DateTime, TimeDelta, Utc};

use crate::time::window::Window;

use super::super::density::{Density, count};

const PART_FILL: f64 = 0.75;

const MOST_PARTS: usize = 500;

const FIRST_ERROR: f64 = 0.15;

const MOST_ERROR: f64 = 0.2;

/// Weight of the initial error, and its limit, in full windows.
const FIRST_WINDOWS: f64 = 3.0;
const ERROR_WINDOWS: f64 = 20.0;

#[derive(Debug, Clone, Copy)]
pub(in crate::sync) struct Limits {
    pub(in crate::sync) reach: u64,
    pub(in crate::sync) totals: bool,
    pub(in crate::sync) longest: Option<TimeDelta>,
    /// Minutes, negative east of Greenwich.
    pub(in crate::sync) time_zone_offset: i32,
}

#[derive(Debug, Clone)]
pub(in crate::sync) struct Model {
    pub(in crate::sync) density: Density,
    pub(in crate::sync) limits: Limits,
    pub(super) error: f64,
    error_windows: f64,
}

impl Model {
    pub(in crate::sync) fn new(density: Density, limits: Limits) -> Self {
        Self {
            density,
            limits,
            error: FIRST_ERROR * FIRST_ERROR,
            error_windows: FIRST_WINDOWS,
        }
    }

    pub(in crate::sync) fn drained(&mut self, window: Window, starts: &[DateTime<Utc>]) {
        self.learn_error(window, starts.len() as u64);
        self.density.observe(window, starts);
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small whole number"
    )]
    pub(super) fn parts_of(&self, total: u64) -> usize {
        ((count(total) / (count(self.limits.reach) * PART_FILL)).ceil() as usize).min(MOST_PARTS)
    }

    fn learn_error(&mut self, window: Window, records: u64) {
        let expected = self.density.expected(window);
        if self.density.is_unknown() || expected.records < 1.0 || expected.surge > 0.0 {
            return;
        }
        let off = count(records) - expected.records;
        let unexplained = (off * off - expected.variance - expected.records).max(0.0);
        // A burst says little about the next.
        let error = (unexplained / (expected.records * expected.records)).min(MOST_ERROR);
        let weight = (expected.records / count(self.limits.reach)).min(1.0);
        self.error_windows = (self.error_windows + weight).min(ERROR_WINDOWS);
        self.error += weight * (error - self.error) / self.error_windows;
    }
}
