//! SVG chart without inline style, which the CSP forbids.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, PreEscaped, html};

use crate::status::calendar::Cell;
use crate::telemetry::grouped;

const DAYS_SHOWN: i64 = 92;
const DAY_WIDTH: i64 = 8;
const HEIGHT: i64 = 120;

pub(super) fn interactions(cells: &[Cell]) -> Markup {
    let Some(last) = cells.last().map(|cell| cell.window.start) else {
        return html! {};
    };
    // Gives all accounts equally wide bars.
    let first = last - TimeDelta::days(DAYS_SHOWN - 1);
    let shown: Vec<&Cell> = cells.iter().filter(|cell| cell.window.start >= first).collect();
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

fn bars(cells: &[&Cell], first: DateTime<Utc>, most: i64) -> String {
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
