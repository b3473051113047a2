//! Coverage per day or hour. Pure.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

use crate::ledger::status::{AccountDetails, DayCount, HourCount};
use crate::time::window::Window;

/// Coverage this close to now is current.
const HEAD: TimeDelta = TimeDelta::hours(1);

/// Ten years, as records may start in year 1.
const DAYS: u64 = 3_653;

/// Coverage of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    /// Complete.
    Drained,
    /// Partly read.
    Partial,
    /// Contains an open gap.
    Gap,
    /// Wanted, not read.
    Unread,
    /// Not wanted, or future.
    NotWanted,
}

impl CellState {
    /// In legend order.
    pub const ALL: [Self; 5] = [
        Self::Drained,
        Self::Partial,
        Self::Gap,
        Self::Unread,
        Self::NotWanted,
    ];

    /// Display text.
    pub fn word(self) -> &'static str {
        match self {
            Self::Drained => "drained",
            Self::Partial => "partial",
            Self::Gap => "gap",
            Self::Unread => "not read yet",
            Self::NotWanted => "not wanted",
        }
    }

    /// Legend text.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Drained => "every record was seen",
            Self::Partial => "a part is not read yet",
            Self::Gap => "the API does not show all of its records",
            Self::Unread => "wanted, nothing read so far",
            Self::NotWanted => "before the start that is configured, or to come",
        }
    }
}

/// A day or hour.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cell {
    /// Time range.
    #[serde(flatten)]
    pub window: Window,
    /// Coverage.
    pub state: CellState,
    /// Stored interactions.
    pub interactions: i64,
}

/// Source of the cells.
#[derive(Debug, Clone, Copy)]
pub struct Calendar<'a> {
    /// Start of wanted time.
    pub start_from: DateTime<Utc>,
    /// Coverage and gaps, oldest first.
    pub details: &'a AccountDetails,
    /// Current time.
    pub now: DateTime<Utc>,
}

/// A UTC day.
pub fn day(date: NaiveDate) -> Window {
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    Window {
        start: midnight(date),
        end: midnight(date.checked_add_days(Days::new(1)).unwrap_or(date)),
    }
}

impl Calendar<'_> {
    /// Cells up to today, ten years at most.
    pub fn days(&self) -> Vec<Cell> {
        let counts = &self.details.days;
        let first = [
            Some(self.start_from.date_naive()),
            counts.first().map(|count| count.day),
            self.details
                .coverage
                .first()
                .map(|stretch| stretch.start.date_naive()),
        ];
        let first = first.into_iter().flatten().min().unwrap_or_default();
        let first = first.max(self.now.date_naive() - Days::new(DAYS));
        let days = first
            .iter_days()
            .take_while(|date| *date <= self.now.date_naive());
        self.cells(days.map(day), |window| {
            interactions_of(counts, window.start.date_naive())
        })
    }

    /// One cell per hour.
    pub fn hours(&self, date: NaiveDate, counts: &[HourCount]) -> Vec<Cell> {
        let start = day(date).start;
        let hours = (0..24).map(|hour| Window {
            start: start + TimeDelta::hours(hour),
            end: start + TimeDelta::hours(hour + 1),
        });
        self.cells(hours, |window| {
            let hour = (window.start - start).num_hours();
            let found = counts.iter().find(|count| i64::from(count.hour) == hour);
            found.map_or(0, |count| count.interactions)
        })
    }

    fn cells(&self, windows: impl Iterator<Item = Window>, count: impl Fn(Window) -> i64) -> Vec<Cell> {
        let cell = |window| Cell {
            window,
            state: self.state(window),
            interactions: count(window),
        };
        windows.map(cell).collect()
    }

    fn state(&self, cell: Window) -> CellState {
        let wanted = Window {
            start: cell.start.max(self.start_from),
            end: cell.end.min(self.wanted_until()),
        };
        if self
            .details
            .gaps
            .iter()
            .any(|gap| seconds_inside(&[gap.window], cell) > 0)
        {
            return CellState::Gap;
        }
        let covered = seconds_inside(&self.details.coverage, cell);
        if wanted.seconds() <= 0 {
            // Backfills may cover unwanted time.
            return if covered > 0 && cell.end <= self.now {
                if covered == cell.seconds() {
                    CellState::Drained
                } else {
                    CellState::Partial
                }
            } else {
                CellState::NotWanted
            };
        }
        match seconds_inside(&self.details.coverage, wanted) {
            0 => CellState::Unread,
            seconds if seconds < wanted.seconds() => CellState::Partial,
            _ => CellState::Drained,
        }
    }

    fn wanted_until(&self) -> DateTime<Utc> {
        let covered_until = self.details.coverage.last().map(|stretch| stretch.end);
        match covered_until {
            Some(end) if self.now - end < HEAD => end,
            _ => self.now,
        }
    }
}

/// Interactions of a day.
pub fn interactions_of(counts: &[DayCount], date: NaiveDate) -> i64 {
    let place = counts.binary_search_by_key(&date, |count| count.day);
    place.map_or(0, |place| counts[place].interactions)
}

/// `stretches` are sorted and disjoint.
fn seconds_inside(stretches: &[Window], window: Window) -> i64 {
    let from = stretches.partition_point(|stretch| stretch.end <= window.start);
    let inside = stretches[from..]
        .iter()
        .take_while(|stretch| stretch.start < window.end);
    inside
        .map(|stretch| (stretch.end.min(window.end) - stretch.start.max(window.start)).num_seconds())
        .sum()
}
