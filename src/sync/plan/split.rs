use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::time::window::Window;

use super::SECOND;

/// If the API sorts, the first page leaves over half of the window empty.
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

/// Parts hold equally many starts; a second that exceeds a part is cut off.
pub(super) fn boundaries(window: Window, starts: &[DateTime<Utc>], parts: usize) -> Vec<DateTime<Utc>> {
    let mut inside: Vec<_> = starts
        .iter()
        .copied()
        .filter(|start| window.start <= *start && *start < window.end)
        .collect();
    inside.sort_unstable();
    if inside.len() * 2 <= starts.len() {
        return vec![window.start + part(window, 2)];
    }
    let mut boundaries = Vec::new();
    for nth in 1..parts {
        let at = inside[nth * inside.len() / parts].trunc_subsecs(0);
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

pub(super) fn evenly(window: Window, instants: usize) -> Vec<DateTime<Utc>> {
    let nth = |nth: usize| {
        window.seconds() * i64::try_from(nth).unwrap_or(0) / i64::try_from(instants).unwrap_or(1)
    };
    (0..instants)
        .map(|n| window.start + TimeDelta::seconds(nth(n)))
        .collect()
}

pub(super) fn part(window: Window, parts: usize) -> TimeDelta {
    let parts = i64::try_from(parts).unwrap_or(i64::MAX).max(2);
    TimeDelta::seconds((window.seconds() / parts).max(1))
}
