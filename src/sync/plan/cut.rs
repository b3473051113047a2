//! How long a window may be, and where one that overflowed is cut.

use chrono::{DateTime, NaiveTime, SubsecRound, TimeDelta, Utc};

use crate::extract::PAGE_SIZE;
use crate::time::Window;

use super::super::density::{Density, Expectation, count};
use super::super::read::ApiProfile;
use super::{LONGEST_WINDOW, SECOND, Stretch};

const PART_FILL: f64 = 0.75;

const MOST_PARTS: usize = 500;

/// Relative error of an estimate beside its own uncertainty.
const USUAL_ERROR: f64 = 0.15;

/// The API may count its seven days as dates.
const MOST_DATES: i64 = 7;

/// Margin in standard deviations. An overflow costs one request with totals, else all pages.
const MARGIN_WITH_TOTALS: f64 = 1.5;
const MARGIN_WITHOUT_TOTALS: f64 = 2.7;

#[derive(Debug, Clone, Copy)]
pub(in crate::sync) struct Limits {
    pub(in crate::sync) reach: u64,
    pub(in crate::sync) totals: bool,
    pub(in crate::sync) longest: Option<TimeDelta>,
    /// Minutes, negative east of Greenwich.
    pub(in crate::sync) time_zone_offset: i32,
}

impl Limits {
    pub(in crate::sync) fn of(profile: &ApiProfile, time_zone_offset: i32) -> Self {
        Self {
            reach: profile.reach() as u64,
            totals: profile.gives_totals(),
            longest: profile.longest_window_seconds.map(TimeDelta::seconds),
            time_zone_offset,
        }
    }
}

#[derive(Debug, Clone)]
pub(in crate::sync) struct Model {
    pub(in crate::sync) density: Density,
    pub(in crate::sync) limits: Limits,
}

impl Model {
    pub(in crate::sync) fn new(density: Density, limits: Limits) -> Self {
        Self { density, limits }
    }

    pub(in crate::sync) fn drained(&mut self, window: Window, starts: &[DateTime<Utc>]) {
        self.density.observe(window, starts, starts.len() as u64);
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small whole number"
    )]
    pub(super) fn parts_of(&self, total: u64) -> usize {
        ((count(total) / (count(self.limits.reach) * PART_FILL)).ceil() as usize).min(MOST_PARTS)
    }

    pub(super) fn cut(&self, stretch: Stretch) -> Window {
        let widest = self.widest(stretch);
        let end = widest.end;
        let fits = |start| self.fits(self.density.expected(Window::new(start, end)));
        if self.density.is_unknown() || stretch.is_part || fits(widest.start) {
            return widest;
        }
        let (mut fitting, mut too_long) = (1, widest.seconds());
        while too_long - fitting > 1 {
            let half = fitting.midpoint(too_long);
            if fits(end - TimeDelta::seconds(half)) {
                fitting = half;
            } else {
                too_long = half;
            }
        }
        Window::new(end - TimeDelta::seconds(fitting), end)
    }

    fn widest(&self, stretch: Stretch) -> Window {
        let Window { start, end } = stretch.window;
        let longest = stretch.longest.min(self.limits.longest.unwrap_or(LONGEST_WINDOW));
        let offset = TimeDelta::minutes(self.limits.time_zone_offset.into());
        let last_date = (end - SECOND - offset).date_naive().and_time(NaiveTime::MIN);
        let first_date = last_date.and_utc() - TimeDelta::days(MOST_DATES - 1) + offset;
        Window::new(start.max(end - longest).max(first_date), end)
    }

    fn fits(&self, expected: Expectation) -> bool {
        let limits = &self.limits;
        let one_page = limits.reach <= PAGE_SIZE as u64;
        let margin = if limits.totals || one_page {
            MARGIN_WITH_TOTALS
        } else {
            MARGIN_WITHOUT_TOTALS
        };
        let by_error = (USUAL_ERROR * expected.records).powi(2);
        let deviation = (expected.variance + expected.records + by_error).sqrt();
        let surge = if limits.totals { 0.0 } else { expected.surge };
        expected.records + surge + margin * deviation <= count(limits.reach)
    }
}

/// If the API sorts, the first page leaves over half of the window empty.
pub(super) fn are_from_all_over(window: Window, starts: &[DateTime<Utc>]) -> bool {
    let mut edges: Vec<_> = starts
        .iter()
        .map(|start| (*start).clamp(window.start, window.end))
        .chain([window.start, window.end])
        .collect();
    edges.sort_unstable();
    let longest = edges.windows(2).map(|edge| edge[1] - edge[0]).max();
    longest.is_some_and(|longest| longest * 2 <= window.end - window.start)
}

/// Parts hold equally many starts; a second that exceeds a part is cut off.
pub(super) fn boundaries(window: Window, starts: &[DateTime<Utc>], parts: usize) -> Vec<DateTime<Utc>> {
    let mut inside: Vec<_> = starts
        .iter()
        .copied()
        .filter(|start| window.start <= *start && *start < window.end)
        .collect();
    inside.sort_unstable();
    if inside.len() * 2 <= starts.len() {
        return vec![window.start + part(window, 2)];
    }
    let mut boundaries = Vec::new();
    for nth in 1..parts {
        let at = inside[nth * inside.len() / parts].trunc_subsecs(0);
        let at = if boundaries.last().is_some_and(|last| at <= *last) {
            at + SECOND
        } else {
            at
        };
        boundaries.push(at);
    }
    boundaries.dedup();
    boundaries.retain(|at| window.start < *at && *at < window.end);
    if boundaries.is_empty() {
        boundaries.push(window.start + part(window, 2));
    }
    boundaries
}

pub(super) fn evenly(window: Window, instants: usize) -> Vec<DateTime<Utc>> {
    let count = i64::try_from(instants).unwrap_or(1);
    (0..count)
        .map(|nth| window.start + TimeDelta::seconds(window.seconds() * nth / count))
        .collect()
}

pub(super) fn part(window: Window, parts: usize) -> TimeDelta {
    let parts = i64::try_from(parts).unwrap_or(i64::MAX).max(2);
    TimeDelta::seconds((window.seconds() / parts).max(1))
}
