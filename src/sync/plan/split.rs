//! Where to cut a window that held more than can be read at once.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::time::window::Window;

use super::SECOND;

/// Whether these starts are a sample of all of a window. Those of a first page are none where the API sorts, by whatever
/// order: then they lie at one end of it, or at both, and more than half of it shows nothing.
pub(super) fn are_from_all_over(window: Window, starts: &[DateTime<Utc>]) -> bool {
    let mut edges: Vec<_> = starts
        .iter()
        .map(|start| (*start).clamp(window.start, window.end))
        .chain([window.start, window.end])
        .collect();
    edges.sort_unstable();
    let longest = edges.windows(2).map(|edge| edge[1] - edge[0]).max();
    longest.is_some_and(|longest| longest * 2 <= window.end - window.start)
}

/// Where to cut a window so that each part holds as many of these starts: at most `parts` - 1
/// instants inside it, and one more around each second that alone holds more than a part should.
pub(super) fn boundaries(window: Window, starts: &[DateTime<Utc>], parts: usize) -> Vec<DateTime<Utc>> {
    let mut inside: Vec<_> = starts
        .iter()
        .copied()
        .filter(|start| window.start <= *start && *start < window.end)
        .collect();
    inside.sort_unstable();
    // The API may filter by end or by overlap: starts then say little about what lies where.
    if inside.len() * 2 <= starts.len() {
        return vec![window.start + part(window, 2)];
    }
    let mut boundaries = Vec::new();
    for nth in 1..parts {
        let at = inside[nth * inside.len() / parts].trunc_subsecs(0);
        // The same second again: it alone is more than a part.
        let at = if boundaries.last().is_some_and(|last| at <= *last) {
            at + SECOND
        } else {
            at
        };
        boundaries.push(at);
    }
    boundaries.dedup();
    boundaries.retain(|at| window.start < *at && *at < window.end);
    if boundaries.is_empty() {
        boundaries.push(window.start + part(window, 2));
    }
    boundaries
}

/// So many instants, spread evenly over a window.
pub(super) fn evenly(window: Window, instants: usize) -> Vec<DateTime<Utc>> {
    let nth = |nth: usize| {
        window.seconds() * i64::try_from(nth).unwrap_or(0) / i64::try_from(instants).unwrap_or(1)
    };
    (0..instants)
        .map(|n| window.start + TimeDelta::seconds(nth(n)))
        .collect()
}

/// The length that is `parts` times in the window, in whole seconds and at least one.
pub(super) fn part(window: Window, parts: usize) -> TimeDelta {
    let parts = i64::try_from(parts).unwrap_or(i64::MAX).max(2);
    TimeDelta::seconds((window.seconds() / parts).max(1))
}
