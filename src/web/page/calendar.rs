//! The chart has no inline style, which the CSP forbids.

use std::fmt::Write;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use maud::{Markup, PreEscaped, html};

use crate::ledger::status::OpenGap;
use crate::status::calendar::{CalendarDay, DayState, RECENT_DAYS};
use crate::telemetry::{grouped, plural, second, span};

const DAYS_SHOWN: i64 = RECENT_DAYS.cast_signed();
const DAY_WIDTH: i64 = 8;
const HEIGHT: i64 = 120;

/// More are counted only.
const GAPS_LISTED: usize = 20;

pub(super) fn months(name: &str, cells: &[CalendarDay]) -> Markup {
    let month_of = |cell: &CalendarDay| (cell.window.start.year(), cell.window.start.month());
    let months: Vec<&[CalendarDay]> = cells
        .chunk_by(|one, next| month_of(one) == month_of(next))
        .collect();
    html! {
        h3 { "Coverage" }
        ul.legend {
            @for look in DayState::ALL.map(DayState::look) {
                li { span.cell.(look.class) aria-hidden="true" {} " " b { (look.word) } ": " (look.meaning) }
            }
        }
        div.scroll {
            table.calendar {
                caption.hidden { "What is loaded of each day of " (name) }
                thead {
                    tr {
                        th scope="col" { span.hidden { "Month" } }
                        @for day in 1..=31 { th scope="col" { (day) } }
                    }
                }
                tbody {
                    @for month in months.iter().rev() { (month_row(month)) }
                }
            }
        }
    }
}

fn month_row(cells: &[CalendarDay]) -> Markup {
    let first = cells
        .first()
        .map_or(DateTime::UNIX_EPOCH, |cell| cell.window.start);
    html! {
        tr {
            th scope="row" { (first.format("%b %Y")) }
            @for _ in 1..first.day() { td {} }
            (PreEscaped(day_cells(cells)))
        }
    }
}

/// By hand for speed.
fn day_cells(cells: &[CalendarDay]) -> String {
    let mut text = String::with_capacity(cells.len() * 80);
    for cell in cells {
        let (date, look) = (cell.window.start.format("%a %-d %b %Y"), cell.state.look());
        let interactions = plural(cell.interactions, "interaction", "interactions");
        let _ = write!(
            text,
            "<td class=\"cell {}\" title=\"{date}: {}, {interactions}\"></td>",
            look.class, look.word
        );
    }
    text
}

pub(super) fn gaps(gaps: &[OpenGap]) -> Markup {
    html! {
        @for gap in gaps.iter().take(GAPS_LISTED) {
            p.gap-line {
                strong { "Gap of " (span(gap.window.seconds())) " from " (second(gap.window.start)) }
                @if let Some(error) = &gap.error { ": " (error) }
                ". Tried " (plural(gap.times_tried, "time", "times")) ", "
                @if gap.wanted { "next at " (second(gap.next_try_at)) "." }
                @else { "next only by a backfill: it is before the wanted range." }
            }
        }
        @if gaps.len() > GAPS_LISTED {
            p.gap-line { "And " (gaps.len() - GAPS_LISTED) " more in smartassist_sync.gaps." }
        }
    }
}

pub(super) fn chart(cells: &[CalendarDay]) -> Markup {
    let Some(last) = cells.last().map(|cell| cell.window.start) else {
        return html! {};
    };
    // Gives all accounts equally wide bars.
    let first = last - TimeDelta::days(DAYS_SHOWN - 1);
    let shown: Vec<&CalendarDay> = cells.iter().filter(|cell| cell.window.start >= first).collect();
    let most = shown.iter().map(|cell| cell.interactions).max().unwrap_or(0);
    let all = shown.iter().map(|cell| cell.interactions).sum();
    let date = |at: DateTime<Utc>| at.format("%-d %b %Y").to_string();
    let label = format!(
        "Interactions per day from {} to {}: {} at most, {} in all",
        date(first),
        date(last),
        grouped(most),
        grouped(all)
    );
    let view = format!("0 0 {} {HEIGHT}", DAYS_SHOWN * DAY_WIDTH);
    html! {
        h3 { "Interactions per day" }
        figure.chart {
            svg viewBox=(view) role="img" aria-label=(label) preserveAspectRatio="none" {
                (PreEscaped(bars(&shown, first, most)))
            }
            figcaption {
                span { (date(first)) } span { (grouped(most)) " on the busiest day" } span { (date(last)) }
            }
        }
    }
}

fn bars(cells: &[&CalendarDay], first: DateTime<Utc>, most: i64) -> String {
    let mut text = String::new();
    for cell in cells.iter().filter(|cell| cell.interactions > 0) {
        // Keeps small values visible.
        let height = (cell.interactions.saturating_mul(HEIGHT) / most).clamp(1, HEIGHT);
        let left = (cell.window.start - first).num_days() * DAY_WIDTH;
        let _ = write!(
            text,
            "<rect x=\"{left}\" y=\"{}\" width=\"{}\" height=\"{height}\"><title>{}: {}</title></rect>",
            HEIGHT - height,
            DAY_WIDTH - 1,
            cell.window.start.format("%a %-d %b %Y"),
            grouped(cell.interactions),
        );
    }
    text
}
