//! Coverage cut into days and hours.

use chrono::NaiveDate;
use smartassist_etl::ledger::status::{AccountDetails, DayCount, HourCount, OpenGap};
use smartassist_etl::status::calendar::{Calendar, Cell, CellState};
use smartassist_etl::time::window::Window;

use crate::support::instant;

fn window(start: &str, end: &str) -> Window {
    let at = |text: &str| instant(&format!("2026-01-{text}:00Z"));
    Window {
        start: at(start),
        end: at(end),
    }
}

fn details(coverage: Vec<Window>, gaps: &[Window]) -> AccountDetails {
    let gap = |window: &Window| OpenGap {
        window: *window,
        times_tried: 1,
        next_try_at: window.end,
        error: None,
        wanted: true,
    };
    AccountDetails {
        account_id: "acct-sim".to_owned(),
        coverage,
        gaps: gaps.iter().map(gap).collect(),
        days: vec![DayCount {
            day: date(5),
            interactions: 12,
        }],
        rejected: Vec::new(),
    }
}

fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
}

fn calendar<'a>(details: &'a AccountDetails, start_from: &str, now: &str) -> Calendar<'a> {
    Calendar {
        start_from: window(start_from, start_from).start,
        details,
        now: window(now, now).start,
    }
}

/// A letter for each cell.
fn states(cells: &[Cell]) -> String {
    let letter = |cell: &Cell| match cell.state {
        CellState::Drained => 'd',
        CellState::Partial => 'p',
        CellState::Gap => 'g',
        CellState::Unread => 'u',
        CellState::NotWanted => '-',
    };
    cells.iter().map(letter).collect()
}

#[test]
fn a_day_is_drained_partial_a_gap_unread_or_not_wanted() {
    let coverage = vec![
        window("02T12:00", "04T00:00"),
        window("05T06:00", "06T10:00"),
        window("06T10:01", "08T11:50"),
    ];
    let details = details(coverage, &[window("06T10:00", "06T10:01")]);
    let days = calendar(&details, "02T12:00", "08T12:00").days();
    assert_eq!(days.first().unwrap().window, window("02T00:00", "03T00:00"));
    // The first begins at noon, the last is still going on: both are whole as far as they are wanted.
    assert_eq!(states(&days), "ddupgdd");
    let counts: Vec<i64> = days.iter().map(|day| day.interactions).collect();
    assert_eq!(counts, [0, 0, 0, 12, 0, 0, 0]);
}

#[test]
fn a_daemon_that_has_stood_still_leaves_today_partial() {
    let details = details(vec![window("01T00:00", "08T09:00")], &[]);
    let days = calendar(&details, "01T00:00", "08T12:00").days();
    assert_eq!(states(&days), "dddddddp");
    assert_eq!(
        states(&calendar(&details, "01T00:00", "08T09:30").days()),
        "dddddddd"
    );
}

#[test]
fn what_a_backfill_reads_before_the_start_is_shown() {
    let details = details(
        vec![window("01T06:00", "03T00:00"), window("04T00:00", "05T11:55")],
        &[],
    );
    let days = calendar(&details, "04T00:00", "05T12:00").days();
    assert_eq!(states(&days), "pd-dd");
}

#[test]
fn hours_have_states_and_counts_of_their_own() {
    let details = details(
        vec![window("05T02:00", "05T05:30")],
        &[window("05T07:00", "05T07:01")],
    );
    let counts = [HourCount {
        hour: 3,
        interactions: 7,
    }];
    let hours = calendar(&details, "05T01:00", "05T09:30").hours(date(5), &counts);
    assert_eq!(states(&hours), "-udddpuguu--------------");
    assert_eq!(hours[3].interactions, 7);
    assert_eq!(hours.iter().map(|hour| hour.interactions).sum::<i64>(), 7);
}

#[test]
fn an_account_without_coverage_is_unread_from_its_start_on() {
    let mut details = details(Vec::new(), &[]);
    details.days.clear();
    assert_eq!(states(&calendar(&details, "03T00:00", "05T12:00").days()), "uuu");
}
