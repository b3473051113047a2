//! Coverage calendar.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use maud::{Markup, PreEscaped, html};

use super::{account_link, chart, day_link};
use crate::status::board::AccountBoard;
use crate::status::calendar::{Cell, CellState};
use crate::telemetry::{grouped, plural, second, span};

/// Only gaps and partial days are Tab stops.
pub(super) fn months(account: &AccountBoard, cells: &[Cell]) -> Markup {
    let name = &account.status.name;
    let months: Vec<&[Cell]> = cells
        .chunk_by(|one, next| month_of(one) == month_of(next))
        .collect();
    html! {
        h3 { "Coverage" }
        (legend())
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
                    @for month in months.iter().rev() { (month_row(name, month)) }
                }
            }
        }
        (day_form(account, cells))
    }
}

fn month_of(cell: &Cell) -> (i32, u32) {
    (cell.window.start.year(), cell.window.start.month())
}

fn month_row(name: &str, cells: &[Cell]) -> Markup {
    let first = cells
        .first()
        .map_or(DateTime::UNIX_EPOCH, |cell| cell.window.start);
    html! {
        tr {
            th scope="row" { (first.format("%b %Y")) }
            @for _ in 1..first.day() { td {} }
            (PreEscaped(day_cells(name, cells)))
        }
    }
}

/// By hand for speed; the link is escaped.
fn day_cells(name: &str, cells: &[Cell]) -> String {
    use std::fmt::Write;
    let link = account_link(name);
    let mut text = String::with_capacity(cells.len() * 160);
    for cell in cells {
        let date = cell.window.start.date_naive();
        let state = cell.state;
        let tab = if is_worth_a_look(state) {
            ""
        } else {
            " tabindex=\"-1\""
        };
        let _ = write!(
            text,
            "<td><a class=\"{}\" href=\"{link}/days/{date}\"{tab} title=\"{}: {}, {}\"></a></td>",
            class(state),
            date.format("%a %-d %b %Y"),
            state.word(),
            plural(cell.interactions, "interaction", "interactions"),
        );
    }
    text
}

fn is_worth_a_look(state: CellState) -> bool {
    matches!(state, CellState::Gap | CellState::Partial)
}

fn legend() -> Markup {
    html! {
        ul.legend {
            @for state in CellState::ALL {
                li { span.cell.(class(state)) aria-hidden="true" {} " " b { (state.word()) } ": " (state.meaning()) }
            }
        }
    }
}

fn day_form(account: &AccountBoard, cells: &[Cell]) -> Markup {
    let date = |cell: Option<&Cell>| cell.map(|cell| cell.window.start.date_naive().to_string());
    let (first, last) = (date(cells.first()), date(cells.last()));
    let name = &account.status.name;
    let id = format!("day-of-{name}");
    html! {
        form.day-form method="get" action=(format!("{}/day", account_link(name))) {
            label for=(id) { "Look at a day, hour by hour" }
            input type="date" id=(id) name="day" required min=[first] max=[last.as_ref()] value=[last.as_ref()];
            button type="submit" { "Look" }
        }
    }
}

pub(super) fn day(account: &AccountBoard, day: NaiveDate, hours: &[Cell], now: DateTime<Utc>) -> Markup {
    let name = &account.status.name;
    let most = hours.iter().map(|hour| hour.interactions).max().unwrap_or(0);
    let all: i64 = hours.iter().map(|hour| hour.interactions).sum();
    html! {
        section.account {
            h1 { (name) ", " (day.format("%A, %-d %B %Y")) }
            (neighbours(name, day, now))
            p { (plural(all, "interaction", "interactions")) " stored that started on this day (UTC)." }
            (gaps_of(account, hours))
            (legend())
            div.scroll {
                table.hours {
                    caption.hidden { "What is loaded of each hour" }
                    thead {
                        tr {
                            th scope="col" { "Hour" }
                            th scope="col" { "State" }
                            th scope="col" .number { "Interactions" }
                            th scope="col" { span.hidden { "Share of the busiest hour" } }
                        }
                    }
                    tbody {
                        @for hour in hours {
                            tr {
                                th scope="row" { (hour.window.start.format("%H:%M")) "–" (hour.window.end.format("%H:%M")) }
                                td { span.cell.(class(hour.state)) aria-hidden="true" {} " " (hour.state.word()) }
                                td.number { (grouped(hour.interactions)) }
                                td { (chart::bar(hour.interactions, most)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn neighbours(name: &str, day: NaiveDate, now: DateTime<Utc>) -> Markup {
    let before = day.checked_sub_days(Days::new(1));
    let after = day
        .checked_add_days(Days::new(1))
        .filter(|after| *after <= now.date_naive());
    html! {
        p.neighbours {
            @if let Some(before) = before { a href=(day_link(name, before)) rel="prev" { "← " (before) } }
            " "
            @if let Some(after) = after { a href=(day_link(name, after)) rel="next" { (after) " →" } }
        }
    }
}

fn gaps_of(account: &AccountBoard, hours: &[Cell]) -> Markup {
    let (Some(details), Some(first), Some(last)) = (&account.details, hours.first(), hours.last()) else {
        return html! {};
    };
    let gaps = details
        .gaps
        .iter()
        .filter(|gap| gap.window.start < last.window.end && first.window.start < gap.window.end);
    html! {
        @for gap in gaps {
            p.gap-line {
                strong { "Gap of " (span(gap.window.seconds())) " from " (second(gap.window.start)) }
                @if let Some(error) = &gap.error { ": " (error) }
                ". Tried " (plural(gap.times_tried, "time", "times")) ", "
                @if gap.wanted { "next at " (second(gap.next_try_at)) "." }
                @else { "and again only by a backfill: it lies before what is wanted." }
            }
        }
    }
}

fn class(state: CellState) -> &'static str {
    match state {
        CellState::Drained => "drained",
        CellState::Partial => "partial",
        CellState::Gap => "gap",
        CellState::Unread => "unread",
        CellState::NotWanted => "not-wanted",
    }
}
