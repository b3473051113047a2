//! Estimates records per hour of the week. The prior of an hour is the same hour of similar days, then the
//! average: gamma posterior means (Gelman et al., Bayesian Data Analysis, section 2.6).

use chrono::{DateTime, Datelike, DurationRound, TimeDelta, Timelike, Utc, Weekday};

use crate::time::Window;

/// A prior counts for no more records than these, however much supports it.
const PRIOR_RECORDS: f64 = 5.0;

/// Limit of the weight, so that old observations fade.
const REMEMBERED_HOURS: f64 = 4.0;

const REMEMBERED_HOURS_OF_KIND: f64 = 10.0;

const LITTLE_SEEN: f64 = 0.5;

/// Relative variance between the same hour of two days: one quiet day says little about the next.
const DAY_VARIANCE: f64 = 0.2;

const MOST_SURGE: f64 = 12.0;

/// What remains of a surge after an hour as expected.
const SURGE_LEFT: f64 = 0.7;

const TELLING_RECORDS: f64 = 10.0;

/// In records, for hours never seen.
const LEAST_AN_HOUR: f64 = 0.5;

#[derive(Debug, Clone, Copy, Default)]
struct Evidence {
    records: f64,
    hours: f64,
}

impl Evidence {
    fn add(&mut self, records: f64, hours: f64, remembered: f64) {
        self.records += records;
        self.hours += hours;
        if self.hours > remembered {
            self.records *= remembered / self.hours;
            self.hours = remembered;
        }
    }

    fn after(self, prior: Rate) -> Rate {
        if prior.an_hour <= 0.0 {
            let is_unseen = self.hours <= 0.0;
            return Rate {
                an_hour: if is_unseen { 0.0 } else { self.records / self.hours },
                behind: self.records,
            };
        }
        let weight = 1.0 / (1.0 + DAY_VARIANCE * prior.an_hour * self.hours.min(1.0));
        let (records, hours) = (weight * self.records, weight * self.hours);
        Rate {
            an_hour: (prior.behind + records) / (prior.behind / prior.an_hour + hours),
            behind: prior.behind + records,
        }
    }
}

/// `behind`: how many records support it.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    an_hour: f64,
    behind: f64,
}

impl Rate {
    fn as_prior(self) -> Self {
        Self {
            behind: self.behind.min(PRIOR_RECORDS),
            ..self
        }
    }
}

/// How many times denser than expected an hour may be if no similar one was seen.
#[derive(Debug, Clone, Copy)]
struct Surge(f64);

impl Default for Surge {
    fn default() -> Self {
        Self(MOST_SURGE)
    }
}

impl Surge {
    fn learn(&mut self, prior: Rate, records: f64, hours: f64) {
        let expected = prior.an_hour * hours;
        if expected >= TELLING_RECORDS {
            let left = 1.0 + (self.0 - 1.0) * SURGE_LEFT;
            self.0 = left.max(records / expected).min(MOST_SURGE);
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Expectation {
    pub(super) records: f64,
    pub(super) variance: f64,
    /// Extra records that such hours may hold.
    pub(super) surge: f64,
}

impl Expectation {
    fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            variance: self.variance + other.variance,
            surge: self.surge + other.surge,
        }
    }

    fn times(self, count: f64) -> Self {
        Self {
            records: self.records * count,
            variance: self.variance * count,
            surge: self.surge * count,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Density {
    hours: [[Evidence; 24]; 7],
    kinds: [[Evidence; 24]; 3],
    all: Evidence,
    surge: Surge,
}

impl Density {
    pub(super) fn is_unknown(&self) -> bool {
        self.all.hours <= 0.0
    }

    /// Starts outside count for the nearest hour: the API may filter by end or overlap.
    pub(super) fn observe(&mut self, window: Window, starts: &[DateTime<Utc>], total: u64) {
        if window.end <= window.start || (starts.is_empty() && total > 0) {
            return;
        }
        let share = if total == 0 {
            1.0
        } else {
            count(starts.len() as u64) / count(total)
        };
        let last = window.end - TimeDelta::seconds(1);
        let mut starts: Vec<_> = starts
            .iter()
            .map(|start| (*start).clamp(window.start, last))
            .collect();
        starts.sort_unstable();
        let mut left = starts.as_slice();
        for piece in hours_of(window) {
            let here = left.partition_point(|start| *start < piece.end);
            self.add(piece, count(here as u64), hours(piece) * share);
            left = &left[here..];
        }
    }

    pub(super) fn observe_count(&mut self, window: Window, records: u64) {
        let whole = hours(window);
        for piece in hours_of(window) {
            self.add(piece, count(records) * hours(piece) / whole, hours(piece));
        }
    }

    fn add(&mut self, piece: Window, records: f64, looked: f64) {
        let place = DayPlace::of(piece.start);
        let own = &mut self.hours[place.day][place.hour];
        let like = &mut self.kinds[place.kind_of_day][place.hour];
        if like.hours < LITTLE_SEEN {
            self.surge.learn(self.all.after(Rate::default()), records, looked);
        }
        own.add(records, looked, REMEMBERED_HOURS);
        like.add(records, looked, REMEMBERED_HOURS_OF_KIND);
        self.all.add(records, looked, f64::INFINITY);
    }

    /// Weeks are alike: one of them is worked out, however many there are.
    pub(super) fn expected(&self, window: Window) -> Expectation {
        let first = Window::new(window.start, window.start + TimeDelta::weeks(1));
        if window.end <= first.end {
            return self.of_hours(window);
        }
        let weeks = (window.end - window.start).num_weeks();
        let rest = Window::new(window.start + TimeDelta::weeks(weeks), window.end);
        let of_weeks = self.of_hours(first).times(count(weeks.unsigned_abs()));
        of_weeks.and(self.of_hours(rest))
    }

    fn of_hours(&self, window: Window) -> Expectation {
        let of_hours = hours_of(window).map(|piece| self.of_hour(piece));
        of_hours.fold(Expectation::default(), Expectation::and)
    }

    fn of_hour(&self, piece: Window) -> Expectation {
        let place = DayPlace::of(piece.start);
        let like = self.kinds[place.kind_of_day][place.hour];
        let all = self.all.after(Rate::default()).as_prior();
        let rate = self.hours[place.day][place.hour].after(like.after(all).as_prior());
        let records = rate.an_hour * hours(piece);
        let surge = (self.surge.0 - 1.0) * records.max(LEAST_AN_HOUR * hours(piece));
        let is_unseen = like.hours <= 0.0;
        Expectation {
            records,
            variance: records * records / rate.behind.max(1.0),
            surge: if is_unseen { surge } else { 0.0 },
        }
    }
}

/// In UTC: daylight saving changes are relearned.
struct DayPlace {
    day: usize,
    kind_of_day: usize,
    hour: usize,
}

impl DayPlace {
    fn of(at: DateTime<Utc>) -> Self {
        Self {
            day: at.weekday().num_days_from_monday() as usize,
            kind_of_day: match at.weekday() {
                Weekday::Sat => 1,
                Weekday::Sun => 2,
                _ => 0,
            },
            hour: at.hour() as usize,
        }
    }
}

fn hours_of(window: Window) -> impl Iterator<Item = Window> {
    pieces_of(window, TimeDelta::hours(1))
}

/// Whole hours or days of UTC.
pub(super) fn pieces_of(window: Window, length: TimeDelta) -> impl Iterator<Item = Window> {
    let mut start = window.start;
    std::iter::from_fn(move || {
        (start < window.end).then(|| {
            let first = start.duration_trunc(length).unwrap_or(start);
            let end = window.end.min(first + length);
            let piece = Window::new(start, end);
            start = end;
            piece
        })
    })
}

fn hours(window: Window) -> f64 {
    count((window.end - window.start).num_seconds().unsigned_abs()) / 3_600.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate needs no more than 52 bits"
)]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}
