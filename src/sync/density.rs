//! How many records an hour there are, by hour of the week. Pure.
//!
//! Contact centres live by the week: Monday at ten is like the Mondays before. What is known of
//! an hour of the week is how many records were seen in how many hours of looking. An hour that
//! was seen little leans on the same hour of like days, and that one on the average of all: the
//! mean of a gamma distribution after so many records (Gelman et al., Bayesian Data Analysis,
//! section 2.6). How heavily it leans is learned as well, from how like they have been so far.

use chrono::{DateTime, Datelike, DurationRound, TimeDelta, Timelike, Utc, Weekday};

use crate::time::window::Window;

const HOURS_OF_WEEK: usize = 168;

/// How far an hour's rate is from that of hours like it at first, as a variance relative to it.
const FIRST_UNLIKENESS: f64 = 0.25;

/// So many hours' worth is that first thought, and so many hours are remembered.
const FIRST_HOURS: f64 = 2.0;
const UNLIKENESS_HOURS: f64 = 20.0;

/// What was seen longer ago counts less: an hour of the week keeps the weight of so many of its
/// occurrences, and a new one replaces a part of them.
const REMEMBERED_HOURS: f64 = 4.0;

/// The same for an hour of one kind of day (weekday, Saturday, Sunday).
const REMEMBERED_HOURS_OF_KIND: f64 = 10.0;

/// An hour that was looked at for less than this, in hours, tells how like it is to those that it
/// leans on; later on its own records count.
const LITTLE_SEEN: f64 = 0.5;

/// What is thought of an hour that was never seen, at least, in records an hour.
const LEAST_AN_HOUR: f64 = 0.5;

/// Records seen, in so many hours of looking.
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

    /// What is thought of the rate where `prior` was thought before.
    fn after(self, prior: Rate) -> Rate {
        if prior.an_hour <= 0.0 {
            let an_hour = if self.hours > 0.0 {
                self.records / self.hours
            } else {
                0.0
            };
            return Rate {
                an_hour,
                behind: self.records,
            };
        }
        Rate {
            an_hour: (prior.behind + self.records) / (prior.behind / prior.an_hour + self.hours),
            behind: prior.behind + self.records,
        }
    }
}

/// Records an hour, and how many records that figure is worth.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    an_hour: f64,
    behind: f64,
}

/// How far rates are from those that they lean on: the mean, over hours, of a variance relative to
/// the rate.
#[derive(Debug, Clone, Copy)]
struct Unlikeness {
    variance: f64,
    hours: f64,
}

impl Default for Unlikeness {
    fn default() -> Self {
        Self {
            variance: FIRST_UNLIKENESS,
            hours: FIRST_HOURS,
        }
    }
}

impl Unlikeness {
    /// What another hour's rate is worth as a first thought.
    fn weaken(self, rate: Rate) -> Rate {
        Rate {
            behind: rate.behind.min(1.0 / self.variance),
            ..rate
        }
    }

    /// So many records came where `prior` was thought; chance alone explains as many, squared.
    fn learn(&mut self, prior: Rate, records: f64, hours: f64) {
        let expected = prior.an_hour * hours;
        if expected >= 10.0 {
            let off = records - expected;
            let variance = ((off * off - expected) / (expected * expected)).clamp(0.001, 1.0);
            self.hours = (self.hours + 1.0).min(UNLIKENESS_HOURS);
            self.variance += (variance - self.variance) / self.hours;
        }
    }
}

/// What is expected of a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Expectation {
    /// Records.
    pub(super) records: f64,
    /// Standard deviation of that figure, squared, as far as it comes from having seen little.
    pub(super) variance: f64,
    /// Those of the records that belong to hours of which not even a like hour was ever seen, as far
    /// as such hours can be a surprise.
    pub(super) unseen: f64,
}

impl std::ops::AddAssign for Expectation {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.variance += other.variance;
        self.unseen += other.unseen;
    }
}

/// Records an hour by hour of the week, learned from what was read.
#[derive(Debug, Clone)]
pub(super) struct Density {
    hours: [Evidence; HOURS_OF_WEEK],
    kinds: [[Evidence; 24]; 3],
    all: Evidence,
    /// Of hours of like days to the average of all.
    of_kinds: Unlikeness,
    /// Of hours of the week to the same hour of like days.
    of_hours: Unlikeness,
}

impl Default for Density {
    fn default() -> Self {
        Self {
            hours: [Evidence::default(); HOURS_OF_WEEK],
            kinds: [[Evidence::default(); 24]; 3],
            all: Evidence::default(),
            of_kinds: Unlikeness::default(),
            of_hours: Unlikeness::default(),
        }
    }
}

impl Density {
    /// Whether anything was ever seen.
    pub(super) fn is_unknown(&self) -> bool {
        self.all.hours <= 0.0
    }

    /// A window in which exactly these starts were seen. One outside the window (the API may
    /// filter by end, or by overlap) counts for the window's nearest hour.
    pub(super) fn observe(&mut self, window: Window, starts: &[DateTime<Utc>]) {
        self.observe_sample(window, starts, starts.len() as u64);
    }

    /// A window that holds `total` records, of which these starts were seen.
    pub(super) fn observe_sample(&mut self, window: Window, starts: &[DateTime<Utc>], total: u64) {
        if window.end <= window.start || (starts.is_empty() && total > 0) {
            return;
        }
        // A sample weighs what it is: the rate of the whole, the certainty of a part.
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

    /// A window of which only the number of records is known: they are taken as spread evenly.
    pub(super) fn observe_count(&mut self, window: Window, records: u64) {
        let whole = hours(window);
        for piece in hours_of(window) {
            self.add(piece, count(records) * hours(piece) / whole, hours(piece));
        }
    }

    fn add(&mut self, piece: Window, records: f64, looked: f64) {
        let place = Place::of(piece.start);
        let own = &mut self.hours[place.hour_of_week];
        let like = &mut self.kinds[place.kind_of_day][place.hour];
        let all = self.all.after(Rate::default());
        if like.hours < LITTLE_SEEN {
            self.of_kinds.learn(all, records, looked);
        } else if own.hours < LITTLE_SEEN {
            self.of_hours
                .learn(like.after(self.of_kinds.weaken(all)), records, looked);
        }
        own.add(records, looked, REMEMBERED_HOURS);
        like.add(records, looked, REMEMBERED_HOURS_OF_KIND);
        self.all.add(records, looked, f64::INFINITY);
    }

    /// What is expected of `window`.
    pub(super) fn expected(&self, window: Window) -> Expectation {
        let mut whole = Expectation::default();
        for piece in hours_of(window) {
            whole += self.of_hour(piece);
        }
        whole
    }

    /// How much of a surprise an hour can be that was never seen: less where all hours are alike.
    fn surprise(&self) -> f64 {
        (self.of_kinds.variance / FIRST_UNLIKENESS).min(1.0)
    }

    /// As [`Density::expected`], for a stretch within one hour of the clock.
    pub(super) fn of_hour(&self, piece: Window) -> Expectation {
        let place = Place::of(piece.start);
        let like = self.kinds[place.kind_of_day][place.hour];
        let all = self.of_kinds.weaken(self.all.after(Rate::default()));
        let rate = self.hours[place.hour_of_week].after(self.of_hours.weaken(like.after(all)));
        let records = rate.an_hour * hours(piece);
        let is_seen = like.hours > 0.0;
        Expectation {
            records,
            variance: records * records / rate.behind.max(1.0),
            unseen: if is_seen {
                0.0
            } else {
                self.surprise() * records.max(LEAST_AN_HOUR * hours(piece))
            },
        }
    }
}

/// Where in the week an instant lies. In UTC: an hour of daylight saving is learned anew soon enough.
struct Place {
    hour_of_week: usize,
    kind_of_day: usize,
    hour: usize,
}

impl Place {
    fn of(at: DateTime<Utc>) -> Self {
        let hour = at.hour() as usize;
        Self {
            hour_of_week: at.weekday().num_days_from_monday() as usize * 24 + hour,
            kind_of_day: match at.weekday() {
                Weekday::Sat => 1,
                Weekday::Sun => 2,
                _ => 0,
            },
            hour,
        }
    }
}

/// The pieces of a window that lie in one hour of the clock each, in order.
pub(super) fn hours_of(window: Window) -> impl Iterator<Item = Window> {
    let mut start = window.start;
    std::iter::from_fn(move || {
        (start < window.end).then(|| {
            let end = window.end.min(hour_of(start) + TimeDelta::hours(1));
            let piece = Window { start, end };
            start = end;
            piece
        })
    })
}

/// The full hour at or before an instant.
pub(super) fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
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
