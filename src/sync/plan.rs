//! Cutting what is wanted into windows that come back full and rarely overflow. Pure.
//!
//! What is left is a row of stretches. A window is cut from its newest end (or, where that end
//! makes trouble, from its oldest), so long that the records expected in it, and a margin for not
//! knowing better, still fit into what the API shows. A window that held more than that goes back
//! where it was cut from, with what it taught, and is cut anew: depth first.

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

/// The longest window that the API allows.
const LONGEST_WINDOW: TimeDelta = TimeDelta::days(7);

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// The parts of a window that overflowed are made to fill this much of what the API shows.
const PART_FILL: f64 = 0.75;

/// Parts of a window that overflowed without a total: nobody knows by how much.
const PARTS_WITHOUT_TOTAL: usize = 3;

/// No window is cut into more parts at once, whatever total the API names.
const MOST_PARTS: usize = 500;

/// A first window without totals whose first page came back full is given up at once, and the
/// next one is shorter by this.
const PROBE_STEP: usize = 8;

/// How far off expectations are at first, relative to them, beyond what chance explains.
const FIRST_ERROR: f64 = 0.15;

/// So many full windows' worth is that first thought, and so many are remembered.
const FIRST_WINDOWS: f64 = 3.0;
const ERROR_WINDOWS: f64 = 20.0;

/// Two stretches are read as one where fewer records than this lie between them: half a request.
const BRIDGED_RECORDS: f64 = 50.0;

/// What limits a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Records that the API shows of one window.
    pub(super) reach: u64,
    /// Whether its first page tells how many there are.
    pub(super) totals: bool,
    /// The longest window that it was seen to accept, where it refused longer ones.
    pub(super) longest: Option<TimeDelta>,
    /// Minutes, negative east of Greenwich, of the clock that calendar dates are on.
    pub(super) time_zone_offset: i32,
}

/// From which end of what is left the next window is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Newest,
    Oldest,
}

/// A window to be read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Planned {
    pub(super) window: Window,
    /// Nothing is known of its density: without a total, a full first page is enough to know
    /// that it is too long.
    pub(super) is_probe: bool,
    /// Records that are expected in it; 0 where nothing is known.
    pub(super) expected: f64,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    Read(Planned),
    /// What is being read will tell how long the next window should be.
    Wait,
    Done,
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    window: Window,
    /// Parts of a window that overflowed or drifted are shorter than it was.
    longest: TimeDelta,
    /// Cut already, by the records that were seen in a window that overflowed.
    is_part: bool,
}

impl Stretch {
    /// A window that has to be read in at least so many parts.
    fn part(window: Window, parts: usize) -> Self {
        Self {
            window,
            longest: part(window, parts),
            is_part: false,
        }
    }
}

/// What is left to be read, and how to cut it.
#[derive(Debug, Clone)]
pub(super) struct Planner {
    /// Oldest first.
    stretches: VecDeque<Stretch>,
    /// What may be older than the API serves.
    parked: Vec<Stretch>,
    side: Side,
    limits: Limits,
    pub(super) density: Density,
    /// Mean square of how far off expectations were, relative to them.
    error: f64,
    /// Full windows that this figure rests on.
    error_windows: f64,
}

/// The instant up to which windows are read: a moment before now, since the API takes a moment
/// to show what has just begun. Whole seconds, as the API knows nothing finer.
pub fn head(now: DateTime<Utc>, settle: std::time::Duration) -> DateTime<Utc> {
    let settle = TimeDelta::from_std(settle).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(settle)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .trunc_subsecs(0)
}

impl Planner {
    /// A plan to read `wanted`, oldest first and apart, and nothing that matters beside it: none of the gaps, which
    /// rest until they are wanted themselves.
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

    /// Adds a stretch after all others, or prolongs the last one where hardly anything lies between.
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

    /// Whether nothing is left to cut.
    pub(super) fn is_done(&self) -> bool {
        self.stretches.is_empty() && self.parked.is_empty()
    }

    /// Adds a stretch after all others.
    pub(super) fn add_newest(&mut self, window: Window) {
        self.stretches.push_back(Stretch {
            window,
            longest: LONGEST_WINDOW,
            is_part: false,
        });
    }

    /// The API shows more or less than was thought, or says more or less about it.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Goes on at the other end.
    pub(super) fn turn_round(&mut self) {
        self.side = match self.side {
            Side::Newest => Side::Oldest,
            Side::Oldest => Side::Newest,
        };
    }

    /// Cuts the next window, while `in_flight` others are being read.
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

    /// A window was read to its end: these are the starts of all of its records.
    pub(super) fn drained(&mut self, window: Window, starts: &[DateTime<Utc>]) {
        self.learn_error(window, starts.len() as u64);
        self.density.observe(window, starts);
    }

    /// A window held `total` records, or nobody knows how many more than were seen, and is to be
    /// read in parts. `starts` are those that were seen.
    pub(super) fn overflowed(&mut self, planned: Planned, total: Option<u64>, starts: &[DateTime<Utc>]) {
        let Planned { window, is_probe, .. } = planned;
        let parts = total.map_or(PARTS_WITHOUT_TOTAL, |total| self.parts_of(total));
        match (total, are_from_all_over(window, starts)) {
            // Nothing was known: cut by the density that the sample shows.
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

    /// `boundaries` lie within the window, in order.
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

    /// A window did not hold still while it was read: shorter ones need fewer pages.
    pub(super) fn drifted(&mut self, window: Window) {
        self.put_back(Stretch::part(window, 2));
    }

    /// A part of a window is to be read alone, so that what is wrong with it costs nothing else.
    pub(super) fn part_off(&mut self, window: Window, part: Window) {
        let edges = [part.start, part.end];
        let inside = edges
            .into_iter()
            .filter(|at| window.start < *at && *at < window.end);
        self.put_back_parts(window, &inside.collect::<Vec<_>>());
    }

    /// A window has to be read once more, as it is.
    pub(super) fn again(&mut self, window: Window) {
        self.put_back(Stretch {
            window,
            longest: LONGEST_WINDOW,
            is_part: true,
        });
    }

    /// Records and windows that are still to come, roughly.
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

    /// What chance and having seen little explain does not count as an error.
    fn learn_error(&mut self, window: Window, records: u64) {
        let expected = self.density.expected(window);
        if self.density.is_unknown() || expected.records < 1.0 || expected.unseen > 0.0 {
            return;
        }
        let off = count(records) - expected.records;
        let unexplained = (off * off - expected.variance - expected.records).max(0.0);
        // A window on a scale of its own, as a burst is, says little about the next one.
        let error = (unexplained / (expected.records * expected.records)).min(0.5);
        // A window of a few records says less than a full one.
        let weight = (expected.records / count(self.limits.reach)).min(1.0);
        self.error_windows = (self.error_windows + weight).min(ERROR_WINDOWS);
        self.error += weight * (error - self.error) / self.error_windows;
    }
}
