//! Cuts windows that come back full and rarely overflow: from the newest end, as long as the expected records
//! and a margin fit. What overflows is cut again, depth first.

mod cut;
mod parked;
mod split;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::time::window::Window;

use super::density::{Density, count};

use split::{are_from_all_over, boundaries, evenly, part};

const LONGEST_WINDOW: TimeDelta = TimeDelta::days(7);

const SECOND: TimeDelta = TimeDelta::seconds(1);

const PART_FILL: f64 = 0.75;

const PARTS_WITHOUT_TOTAL: usize = 3;

const MOST_PARTS: usize = 500;

/// Shortens a probe whose first page is full.
const PROBE_STEP: usize = 8;

const FIRST_ERROR: f64 = 0.15;

/// Weight of the initial error, and its limit, in full windows.
const FIRST_WINDOWS: f64 = 3.0;
const ERROR_WINDOWS: f64 = 20.0;

/// Stretches with fewer records between them are joined: half a request.
const BRIDGED_RECORDS: f64 = 50.0;

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) reach: u64,
    pub(super) totals: bool,
    pub(super) longest: Option<TimeDelta>,
    /// Minutes, negative east of Greenwich, of the API's dates.
    pub(super) time_zone_offset: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Newest,
    Oldest,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Planned {
    pub(super) window: Window,
    pub(super) is_probe: bool,
    pub(super) expected: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    Read(Planned),
    Wait,
    Done,
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    window: Window,
    /// Shorter after an overflow or page shift.
    longest: TimeDelta,
    /// Already cut by the records seen.
    is_part: bool,
}

impl Stretch {
    fn part(window: Window, parts: usize) -> Self {
        Self {
            window,
            longest: part(window, parts),
            is_part: false,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Planner {
    /// Oldest first.
    stretches: VecDeque<Stretch>,
    /// Perhaps older than the API serves.
    parked: Vec<Stretch>,
    side: Side,
    limits: Limits,
    pub(super) density: Density,
    error: f64,
    error_windows: f64,
}

/// End of reading: `settle` before now, since the API shows data late; in whole seconds.
pub fn head(now: DateTime<Utc>, settle: std::time::Duration) -> DateTime<Utc> {
    let settle = TimeDelta::from_std(settle).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(settle)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .trunc_subsecs(0)
}

impl Planner {
    /// `wanted` is sorted and disjoint; gaps are not bridged.
    pub(super) fn new(wanted: &[Window], gaps: &[Window], density: Density, limits: Limits) -> Self {
        let mut planner = Self {
            stretches: VecDeque::new(),
            parked: Vec::new(),
            side: Side::Newest,
            limits,
            density,
            error: FIRST_ERROR * FIRST_ERROR,
            error_windows: FIRST_WINDOWS,
        };
        for window in wanted {
            planner.append(*window, gaps);
        }
        planner
    }

    fn append(&mut self, window: Window, gaps: &[Window]) {
        if let Some(last) = self.stretches.back_mut() {
            let between = Window {
                start: last.window.end,
                end: window.start,
            };
            let holds_a_gap = || {
                let overlaps = |gap: &Window| gap.start < between.end && between.start < gap.end;
                gaps.iter().any(overlaps)
            };
            let is_worth_it = !self.density.is_unknown()
                && window.end - last.window.start <= LONGEST_WINDOW
                && self.density.expected(between).records < BRIDGED_RECORDS
                && !holds_a_gap();
            if between.end <= between.start || is_worth_it {
                last.window.end = window.end;
                return;
            }
        }
        self.stretches.push_back(Stretch {
            window,
            longest: LONGEST_WINDOW,
            is_part: false,
        });
    }

    pub(super) fn is_done(&self) -> bool {
        self.stretches.is_empty() && self.parked.is_empty()
    }

    pub(super) fn add_newest(&mut self, window: Window) {
        self.stretches.push_back(Stretch {
            window,
            longest: LONGEST_WINDOW,
            is_part: false,
        });
    }

    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn turn_round(&mut self) {
        self.side = match self.side {
            Side::Newest => Side::Oldest,
            Side::Oldest => Side::Newest,
        };
    }

    pub(super) fn next(&mut self, in_flight: usize) -> Next {
        let is_probe = self.density.is_unknown();
        if is_probe && in_flight > 0 {
            return Next::Wait;
        }
        let Some(stretch) = self.take() else {
            return if in_flight > 0 { Next::Wait } else { Next::Done };
        };
        let window = self.cut(stretch);
        let rest = match self.side {
            Side::Newest => Window {
                end: window.start,
                ..stretch.window
            },
            Side::Oldest => Window {
                start: window.end,
                ..stretch.window
            },
        };
        if rest.start < rest.end {
            self.put_back(Stretch {
                window: rest,
                ..stretch
            });
        }
        let expected = self.density.expected(window).records;
        Next::Read(Planned {
            window,
            is_probe,
            expected,
        })
    }

    pub(super) fn drained(&mut self, window: Window, starts: &[DateTime<Utc>]) {
        self.learn_error(window, starts.len() as u64);
        self.density.observe(window, starts);
    }

    pub(super) fn overflowed(&mut self, planned: Planned, total: Option<u64>, starts: &[DateTime<Utc>]) {
        let Planned { window, is_probe, .. } = planned;
        let parts = total.map_or(PARTS_WITHOUT_TOTAL, |total| self.parts_of(total));
        match (total, are_from_all_over(window, starts)) {
            (Some(total), true) if is_probe => {
                self.density.observe_sample(window, starts, total);
                self.put_back(Stretch::part(window, 2));
            }
            (Some(total), false) if is_probe => {
                self.density
                    .observe_sample(window, &evenly(window, starts.len()), total);
                self.put_back(Stretch::part(window, 2));
            }
            (None, _) if is_probe => self.put_back(Stretch::part(window, PROBE_STEP)),
            (Some(_), false) => self.put_back(Stretch::part(window, parts)),
            (None, _) | (Some(_), true) => {
                self.put_back_parts(window, &boundaries(window, starts, parts));
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small whole number"
    )]
    fn parts_of(&self, total: u64) -> usize {
        ((count(total) / (count(self.limits.reach) * PART_FILL)).ceil() as usize).min(MOST_PARTS)
    }

    fn put_back_parts(&mut self, window: Window, boundaries: &[DateTime<Utc>]) {
        let edges: Vec<_> = std::iter::once(window.start)
            .chain(boundaries.iter().copied())
            .chain([window.end])
            .collect();
        let parts: Vec<_> = edges
            .windows(2)
            .map(|edge| Window {
                start: edge[0],
                end: edge[1],
            })
            .collect();
        let whole = |window: &Window| Stretch {
            window: *window,
            longest: LONGEST_WINDOW,
            is_part: true,
        };
        match self.side {
            Side::Newest => parts
                .iter()
                .for_each(|part| self.stretches.push_back(whole(part))),
            Side::Oldest => parts
                .iter()
                .rev()
                .for_each(|part| self.stretches.push_front(whole(part))),
        }
    }

    /// Shorter windows have fewer pages.
    pub(super) fn drifted(&mut self, window: Window) {
        self.put_back(Stretch::part(window, 2));
    }

    pub(super) fn part_off(&mut self, window: Window, part: Window) {
        let edges = [part.start, part.end];
        let inside = edges
            .into_iter()
            .filter(|at| window.start < *at && *at < window.end);
        self.put_back_parts(window, &inside.collect::<Vec<_>>());
    }

    pub(super) fn again(&mut self, window: Window) {
        self.put_back(Stretch {
            window,
            longest: LONGEST_WINDOW,
            is_part: true,
        });
    }

    pub(super) fn expected_left(&self) -> (f64, usize) {
        let expected = |stretch: &Stretch| self.density.expected(stretch.window).records;
        let records = self.stretches.iter().map(expected).sum();
        let by_length = |stretch: &Stretch| {
            let length = stretch.window.end - stretch.window.start;
            usize::try_from(length.num_seconds() / LONGEST_WINDOW.num_seconds()).unwrap_or(0) + 1
        };
        (records, self.stretches.iter().map(by_length).sum())
    }

    fn take(&mut self) -> Option<Stretch> {
        match self.side {
            Side::Newest => self.stretches.pop_back(),
            Side::Oldest => self.stretches.pop_front(),
        }
    }

    fn put_back(&mut self, stretch: Stretch) {
        match self.side {
            Side::Newest => self.stretches.push_back(stretch),
            Side::Oldest => self.stretches.push_front(stretch),
        }
    }

    fn learn_error(&mut self, window: Window, records: u64) {
        let expected = self.density.expected(window);
        if self.density.is_unknown() || expected.records < 1.0 || expected.unseen > 0.0 {
            return;
        }
        let off = count(records) - expected.records;
        let unexplained = (off * off - expected.variance - expected.records).max(0.0);
        // A burst says little about the next.
        let error = (unexplained / (expected.records * expected.records)).min(0.5);
        let weight = (expected.records / count(self.limits.reach)).min(1.0);
        self.error_windows = (self.error_windows + weight).min(ERROR_WINDOWS);
        self.error += weight * (error - self.error) / self.error_windows;
    }
}
