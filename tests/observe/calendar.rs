//! Coverage cut into days and hours.

use chrono::NaiveDate;
use smartassist_etl::ledger::status::{AccountDetails, DayCount, OpenGap};
use smartassist_etl::status::calendar::{self, CalendarDay};
use smartassist_etl::time::Window;

use crate::support::instant;

fn window(start: &str, end: &str) -> Window {
    let at = |text: &str| instant(&format!("2026-01-{text}:00Z"));
    Window::new(at(start), at(end))
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

fn days(details: &AccountDetails, start_from: &str, now: &str) -> Vec<CalendarDay> {
    let at = |text: &str| window(text, text).start;
    calendar::days(at(start_from), details, date(1), at(now))
}

/// A letter for each cell.
fn states(cells: &[CalendarDay]) -> String {
    cells.iter().map(|cell| cell.state.look().sign).collect()
}

#[test]
fn a_day_is_drained_partial_a_gap_unread_or_not_wanted() {
    let coverage = vec![
        window("02T12:00", "04T00:00"),
        window("05T06:00", "06T10:00"),
        window("06T10:01", "08T11:50"),
    ];
    let details = details(coverage, &[window("06T10:00", "06T10:01")]);
    let cells = days(&details, "02T12:00", "08T12:00");
    assert_eq!(cells.first().unwrap().window, window("02T00:00", "03T00:00"));
    // The first begins at noon, the last is still going on: both are whole as far as they are wanted.
    assert_eq!(states(&cells), "##?+!##");
    let counts: Vec<i64> = cells.iter().map(|day| day.interactions).collect();
    assert_eq!(counts, [0, 0, 0, 12, 0, 0, 0]);
}

#[test]
fn a_daemon_that_has_stood_still_leaves_today_partial() {
    let details = details(vec![window("01T00:00", "08T09:00")], &[]);
    let cells = days(&details, "01T00:00", "08T12:00");
    assert_eq!(states(&cells), "#######+");
    assert_eq!(states(&days(&details, "01T00:00", "08T09:30")), "########");
}

#[test]
fn days_before_the_first_that_is_asked_for_are_left_out() {
    let details = details(vec![window("01T00:00", "08T11:55")], &[]);
    let [start, now] = ["01T00:00", "08T12:00"].map(|at| window(at, at).start);
    let cells = calendar::days(start, &details, date(6), now);
    assert_eq!(states(&cells), "###");
    assert_eq!(cells.first().unwrap().window, window("06T00:00", "07T00:00"));
}

#[test]
fn what_a_backfill_reads_before_the_start_is_shown() {
    let details = details(
        vec![window("01T06:00", "03T00:00"), window("04T00:00", "05T11:55")],
        &[],
    );
    let cells = days(&details, "04T00:00", "05T12:00");
    assert_eq!(states(&cells), "+#.##");
}

#[test]
fn an_account_without_coverage_is_unread_from_its_start_on() {
    let mut details = details(Vec::new(), &[]);
    details.days.clear();
    assert_eq!(states(&days(&details, "03T00:00", "05T12:00")), "???");
}
