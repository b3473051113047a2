//! SVG charts without inline style, which the CSP forbids.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, PreEscaped, html};

use crate::status::calendar::Cell;
use crate::telemetry::grouped;

const DAYS: usize = 92;

const WIDTH: i64 = 736;
const HEIGHT: i64 = 120;
const STEP: i64 = WIDTH / 92;

pub(super) fn interactions(cells: &[Cell]) -> Markup {
    let shown = &cells[cells.len().saturating_sub(DAYS)..];
    let most = shown.iter().map(|cell| cell.interactions).max().unwrap_or(0);
    let Some(last) = shown.last().map(|cell| cell.window.start) else {
        return html! {};
    };
    // Gives all accounts equally wide bars.
    let first = last - TimeDelta::days(i64::try_from(DAYS).unwrap_or_default() - 1);
    let date = |at: DateTime<Utc>| at.format("%-d %b %Y").to_string();
    let label = format!(
        "Interactions per day from {} to {}: {} at most, {} in all",
        date(first),
        date(last),
        grouped(most),
        grouped(shown.iter().map(|cell| cell.interactions).sum())
    );
    html! {
        h3 { "Interactions per day" }
        figure.chart {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) preserveAspectRatio="none" {
                (PreEscaped(bars(shown, most)))
            }
            figcaption {
                span { (date(first)) } span { (grouped(most)) " on the busiest day" } span { (date(last)) }
            }
        }
    }
}

fn bars(cells: &[Cell], most: i64) -> String {
    let mut text = String::new();
    let empty = DAYS - cells.len();
    for (place, cell) in cells.iter().enumerate() {
        let height = share(cell.interactions, most, HEIGHT);
        let left = i64::try_from(empty + place).unwrap_or_default() * STEP;
        let _ = write!(
            text,
            "<rect x=\"{left}\" y=\"{}\" width=\"{}\" height=\"{height}\"><title>{}: {}</title></rect>",
            HEIGHT - height,
            STEP - 1,
            cell.window.start.format("%a %-d %b %Y"),
            grouped(cell.interactions),
        );
    }
    text
}

pub(super) fn bar(number: i64, largest: i64) -> Markup {
    html! {
        svg.bar viewBox="0 0 100 10" aria-hidden="true" preserveAspectRatio="none" {
            rect x="0" y="0" width=(share(number, largest, 100)) height="10" {}
        }
    }
}

/// Keeps small values visible.
fn share(number: i64, largest: i64, of: i64) -> i64 {
    if number <= 0 || largest <= 0 {
        return 0;
    }
    number.saturating_mul(of).div_euclid(largest).clamp(1, of)
}
