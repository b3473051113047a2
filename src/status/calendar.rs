//! Coverage per day. Pure.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

use crate::ledger::status::AccountDetails;
use crate::time::Window;

/// Coverage this close to now is current.
const HEAD: TimeDelta = TimeDelta::hours(1);

/// For the chart, and pages of several accounts.
pub const RECENT_DAYS: u64 = 92;

/// Ten years, as records may start in year 1.
pub const MOST_DAYS: u64 = 3_653;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DayState {
    Drained,
    Partial,
    Gap,
    Unread,
    NotWanted,
}

#[derive(Debug, Clone, Copy)]
pub struct DayLook {
    pub class: &'static str,
    pub sign: char,
    pub word: &'static str,
    pub meaning: &'static str,
}

impl DayState {
    /// In legend order.
    pub const ALL: [Self; 5] = [
        Self::Drained,
        Self::Partial,
        Self::Gap,
        Self::Unread,
        Self::NotWanted,
    ];

    pub fn look(self) -> DayLook {
        let look = |class, sign, word, meaning| DayLook {
            class,
            sign,
            word,
            meaning,
        };
        let to_come = "before the configured start, or to come";
        match self {
            Self::Drained => look("drained", '#', "drained", "every record was seen"),
            Self::Partial => look("partial", '+', "partial", "a part is not read yet"),
            Self::Gap => look("gap", '!', "gap", "the API does not show all of its records"),
            Self::Unread => look("unread", '?', "not read yet", "wanted, nothing read so far"),
            Self::NotWanted => look("not-wanted", '.', "not wanted", to_come),
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct CalendarDay {
    #[serde(flatten)]
    pub window: Window,
    pub state: DayState,
    pub interactions: i64,
}

fn day(date: NaiveDate) -> Window {
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    Window::new(
        midnight(date),
        midnight(date.checked_add_days(Days::new(1)).unwrap_or(date)),
    )
}

/// Up to today, none before `first_day`.
pub fn days(
    start_from: DateTime<Utc>,
    details: &AccountDetails,
    first_day: NaiveDate,
    now: DateTime<Utc>,
) -> Vec<CalendarDay> {
    let counts = &details.days;
    let first = [
        Some(start_from.date_naive()),
        counts.first().map(|count| count.day),
        details.coverage.first().map(|stretch| stretch.start.date_naive()),
    ];
    let first = first.into_iter().flatten().min().unwrap_or_default();
    let first = first.max(first_day);
    let wanted = Window::new(start_from, wanted_until(details, now));
    let cell = |date: NaiveDate| {
        let counted = counts.binary_search_by_key(&date, |count| count.day);
        CalendarDay {
            window: day(date),
            state: state(day(date), wanted, details, now),
            interactions: counted.map_or(0, |place| counts[place].interactions),
        }
    };
    let days = first.iter_days().take_while(|date| *date <= now.date_naive());
    days.map(cell).collect()
}

fn wanted_until(details: &AccountDetails, now: DateTime<Utc>) -> DateTime<Utc> {
    match details.coverage.last() {
        Some(newest) if now - newest.end < HEAD => newest.end,
        _ => now,
    }
}

fn state(cell: Window, wanted: Window, details: &AccountDetails, now: DateTime<Utc>) -> DayState {
    if details
        .gaps
        .iter()
        .any(|gap| seconds_inside(&[gap.window], cell) > 0)
    {
        return DayState::Gap;
    }
    let mut part = Window::new(cell.start.max(wanted.start), cell.end.min(wanted.end));
    let mut without_coverage = DayState::Unread;
    if part.seconds() <= 0 {
        // Backfills may cover unwanted time.
        without_coverage = DayState::NotWanted;
        if cell.end > now {
            return DayState::NotWanted;
        }
        part = cell;
    }
    match seconds_inside(&details.coverage, part) {
        0 => without_coverage,
        seconds if seconds < part.seconds() => DayState::Partial,
        _ => DayState::Drained,
    }
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
