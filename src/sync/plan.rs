//! Cuts windows from the newest end, as long as the expected records and a margin fit. What overflows is cut
//! again, depth first.

mod cut;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::time::Window;

use super::density::Density;

pub(super) use cut::{Limits, Model};
use cut::{are_from_all_over, boundaries, evenly, part};

const LONGEST_WINDOW: TimeDelta = TimeDelta::days(7);

const SECOND: TimeDelta = TimeDelta::seconds(1);

const PARTS_WITHOUT_TOTAL: usize = 3;

/// How much a probe shrinks if its first page is full.
const PROBE_STEP: usize = 8;

/// Stretches with fewer records between them are joined, which saves half a request.
const BRIDGED_RECORDS: f64 = 50.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Planned {
    pub(super) window: Window,
    pub(super) is_probe: bool,
    pub(super) expected: f64,
}

impl Planned {
    pub(super) fn whole(window: Window) -> Self {
        Self {
            window,
            is_probe: false,
            expected: 0.0,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    window: Window,
    longest: TimeDelta,
    /// Already cut by the records seen.
    is_part: bool,
}

impl Stretch {
    fn new(window: Window) -> Self {
        Self {
            window,
            longest: LONGEST_WINDOW,
            is_part: false,
        }
    }

    fn cut(window: Window) -> Self {
        Self {
            is_part: true,
            ..Self::new(window)
        }
    }

    fn in_parts(window: Window, parts: usize) -> Self {
        Self {
            longest: part(window, parts),
            ..Self::new(window)
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    /// The last one is next.
    stretches: VecDeque<Stretch>,
}

/// `settle` before now, since the API shows data late; in whole seconds.
pub fn head(now: DateTime<Utc>, settle: std::time::Duration) -> DateTime<Utc> {
    let settle = TimeDelta::from_std(settle).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(settle)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .trunc_subsecs(0)
}

impl Queue {
    /// `wanted` is sorted and disjoint; gaps are not bridged.
    pub(super) fn of(wanted: &[Window], gaps: &[Window], model: &Model) -> Self {
        let mut queue = Self::default();
        for window in wanted {
            queue.append(*window, gaps, &model.density);
        }
        queue
    }

    fn append(&mut self, window: Window, gaps: &[Window], density: &Density) {
        if let Some(last) = self.stretches.back_mut() {
            let between = Window::new(last.window.end, window.start);
            let is_worth_it = !density.is_unknown()
                && window.end - last.window.start <= LONGEST_WINDOW
                && density.expected(between).records < BRIDGED_RECORDS
                && !gaps.iter().any(|gap| gap.overlaps(between));
            if between.end <= between.start || is_worth_it {
                last.window.end = window.end;
                return;
            }
        }
        self.add_newest(window);
    }

    pub(super) fn next_end(&self) -> Option<DateTime<Utc>> {
        self.stretches.back().map(|stretch| stretch.window.end)
    }

    pub(super) fn subtract(&mut self, read: Window) {
        let left_of = |stretch: Stretch| {
            let windows = stretch.window.without(read);
            windows.map(move |window| Stretch { window, ..stretch })
        };
        self.stretches = self.stretches.drain(..).flat_map(left_of).collect();
    }

    pub(super) fn is_done(&self) -> bool {
        self.stretches.is_empty()
    }

    pub(super) fn add_newest(&mut self, window: Window) {
        self.stretches.push_back(Stretch::new(window));
    }

    /// Goes on with the older half of the oldest stretch; everything newer waits behind it.
    pub(super) fn turn_to_the_oldest(&mut self) {
        let starts = self.stretches.iter().map(|stretch| stretch.window.start);
        let oldest = starts.enumerate().min_by_key(|(_, start)| *start);
        let Some(mut oldest) = oldest.and_then(|(place, _)| self.stretches.remove(place)) else {
            return;
        };
        if oldest.window.seconds() > 1 {
            let [older, newer] = oldest.window.halves();
            self.stretches.push_front(Stretch {
                window: newer,
                ..oldest
            });
            oldest.window = older;
        }
        self.stretches.push_back(oldest);
    }

    /// `None`: nothing is left, or it waits for the probe.
    pub(super) fn next(&mut self, model: &Model, in_flight: usize) -> Option<Planned> {
        let is_probe = model.density.is_unknown();
        if is_probe && in_flight > 0 {
            return None;
        }
        let stretch = self.stretches.pop_back()?;
        let window = model.cut(stretch);
        for rest in stretch.window.without(window) {
            self.stretches.push_back(Stretch {
                window: rest,
                ..stretch
            });
        }
        Some(Planned {
            window,
            is_probe,
            expected: model.density.expected(window).records,
        })
    }

    pub(super) fn overflowed(
        &mut self,
        model: &mut Model,
        planned: Planned,
        total: Option<u64>,
        starts: &[DateTime<Utc>],
    ) {
        let Planned { window, is_probe, .. } = planned;
        let parts = total.map_or(PARTS_WITHOUT_TOTAL, |total| model.parts_of(total));
        let is_sample = are_from_all_over(window, starts);
        match total {
            Some(total) if is_probe => {
                let evenly = evenly(window, starts.len());
                let sample = if is_sample { starts } else { &evenly };
                model.density.observe(window, sample, total);
                self.stretches.push_back(Stretch::in_parts(window, 2));
            }
            None if is_probe => self.stretches.push_back(Stretch::in_parts(window, PROBE_STEP)),
            Some(_) if !is_sample => self.stretches.push_back(Stretch::in_parts(window, parts)),
            _ => self.put_back_parts(window, &boundaries(window, starts, parts)),
        }
    }

    fn put_back_parts(&mut self, window: Window, boundaries: &[DateTime<Utc>]) {
        let edges = [&[window.start], boundaries, &[window.end]].concat();
        let parts = edges
            .windows(2)
            .map(|edge| Stretch::cut(Window::new(edge[0], edge[1])));
        self.stretches.extend(parts);
    }

    /// Shorter windows have fewer pages, which shift less.
    pub(super) fn drifted(&mut self, window: Window) {
        self.stretches.push_back(Stretch::in_parts(window, 2));
    }

    pub(super) fn part_off(&mut self, window: Window, part: Window) {
        let edges = [part.start, part.end];
        let inside = edges
            .into_iter()
            .filter(|at| window.start < *at && *at < window.end);
        self.put_back_parts(window, &inside.collect::<Vec<_>>());
    }

    pub(super) fn again(&mut self, window: Window) {
        self.stretches.push_back(Stretch::cut(window));
    }

    pub(super) fn expected_left(&self, density: &Density) -> (f64, usize) {
        let expected = |stretch: &Stretch| density.expected(stretch.window).records;
        let records = self.stretches.iter().map(expected).sum();
        let by_length = |stretch: &Stretch| {
            let length = stretch.window.end - stretch.window.start;
            usize::try_from(length.num_seconds() / LONGEST_WINDOW.num_seconds()).unwrap_or(0) + 1
        };
        (records, self.stretches.iter().map(by_length).sum())
    }

    pub(super) fn forget_before(&mut self, instant: DateTime<Utc>) {
        self.stretches.retain(|stretch| stretch.window.end > instant);
        for stretch in &mut self.stretches {
            stretch.window.start = stretch.window.start.max(instant);
        }
    }
}
