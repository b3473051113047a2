//! How far back a source serves data, as far as its refusals show. Pure.
//!
//! A window may be refused because it is too long, because it begins too long ago, or because of something else. It is
//! too old where everything older than what was served is refused, however short. The edge is then found by halving.

use chrono::{DateTime, TimeDelta, Utc};

use crate::time::window::Window;

/// A refused window of more than this is tried in parts: the API may count days otherwise.
const MAY_BE_TOO_LONG: TimeDelta = TimeDelta::days(1);

/// The edge is looked for to this precision.
pub(super) const EDGE: TimeDelta = TimeDelta::minutes(1);

/// What is asked for again lies in a window of at least this, where there is one: the edge moves on while windows are read.
const FIRM: TimeDelta = TimeDelta::hours(1);

/// Where nothing was served yet, parts of the newest window are tried down to this length.
const SHORTEST_FIRST: TimeDelta = TimeDelta::hours(1);

/// So many windows of a run may be refused before anything was served, as where several are read at a time.
const MOST_UNDECIDED: usize = 3;

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The window may be longer than the API takes.
    TooLong,
    /// It may begin before the edge: its halves tell.
    TooOld,
    /// Nothing older than this instant is served.
    Edge(DateTime<Utc>),
    /// It lies before one that may be too old.
    Older,
    /// A newer window that is being read may tell.
    Undecided,
    /// Something else.
    Other,
}

/// What the windows of a run have shown so far.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    oldest_served: Option<DateTime<Utc>>,
    longest_served: TimeDelta,
    /// Of the windows that were served, the oldest that is not short, or the longest.
    firm: Option<Window>,
    /// The newest instant from which on a window was refused that may be too old.
    refused_from: Option<DateTime<Utc>>,
    undecided: usize,
}

impl Horizon {
    /// A window was answered. Returns whether that shows that nothing was too old.
    pub(super) fn served(&mut self, window: Window) -> bool {
        let oldest = self
            .oldest_served
            .map_or(window.start, |oldest| oldest.min(window.start));
        self.oldest_served = Some(oldest);
        self.longest_served = self.longest_served.max(window.end - window.start);
        if self.firm.is_none_or(|firm| is_firmer(window, firm)) {
            self.firm = Some(window);
        }
        self.refused_from.take_if(|from| window.start <= *from).is_some()
    }

    /// A stretch among what was served, as near to the edge as it is certain to be served still.
    pub(super) fn inside(&self) -> Option<Window> {
        let firm = self.firm?;
        Some(Window {
            start: firm.start.max(firm.end - EDGE),
            ..firm
        })
    }

    /// A window was refused, or answered by a message, while so many others were being read; `is_newest` where
    /// nothing newer is wanted.
    pub(super) fn refused(&mut self, window: Window, others: usize, is_newest: bool) -> Refusal {
        if self.refused_from.is_some_and(|from| window.end <= from) {
            return Refusal::Older;
        }
        let refusal = self.meaning(window, others, is_newest);
        if refusal == Refusal::TooOld {
            self.refused_from = self.refused_from.max(Some(window.start));
        }
        refusal
    }

    /// What seemed too old was refused for another reason.
    pub(super) fn was_wrong(&mut self) {
        self.refused_from = None;
    }

    fn meaning(&mut self, window: Window, others: usize, is_newest: bool) -> Refusal {
        let length = window.end - window.start;
        if length > MAY_BE_TOO_LONG.max(self.longest_served) {
            return Refusal::TooLong;
        }
        match self.oldest_served {
            Some(oldest) if window.end <= oldest && length <= EDGE => Refusal::Edge(window.end),
            Some(oldest) if window.end <= oldest => Refusal::TooOld,
            None if is_newest && length > SHORTEST_FIRST => Refusal::TooOld,
            None if others > 0 && self.undecided < MOST_UNDECIDED => {
                self.undecided += 1;
                Refusal::Undecided
            }
            Some(_) | None => Refusal::Other,
        }
    }
}

/// Whether the one says better than the other what is served near the edge.
fn is_firmer(window: Window, than: Window) -> bool {
    let length = |window: Window| window.end - window.start;
    if length(window) >= FIRM {
        window.start < than.start || length(than) < FIRM
    } else {
        length(window) > length(than)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn window(from: i64, to: i64) -> Window {
        Window {
            start: at(from),
            end: at(to),
        }
    }

    const DAY: i64 = 24 * 60;

    #[test]
    fn a_long_window_that_is_refused_may_be_too_long_until_one_as_long_was_served() {
        let mut horizon = Horizon::default();
        assert_eq!(horizon.refused(window(0, 7 * DAY), 0, false), Refusal::TooLong);
        horizon.served(window(4 * DAY, 7 * DAY));
        assert_eq!(horizon.refused(window(0, 4 * DAY), 0, false), Refusal::TooLong);
        assert_eq!(horizon.refused(window(DAY, 4 * DAY), 0, false), Refusal::TooOld);
    }

    #[test]
    fn the_edge_is_found_where_not_even_a_minute_is_served() {
        let mut horizon = Horizon::default();
        horizon.served(window(100, 200));
        assert_eq!(horizon.refused(window(40, 100), 2, false), Refusal::TooOld);
        horizon.served(window(70, 100));
        assert_eq!(horizon.refused(window(69, 70), 0, false), Refusal::Edge(at(70)));
    }

    #[test]
    fn what_seemed_too_old_and_is_served_after_all_was_not() {
        let mut horizon = Horizon::default();
        assert!(!horizon.served(window(100, 200)));
        assert_eq!(horizon.refused(window(40, 100), 0, false), Refusal::TooOld);
        assert!(!horizon.served(window(70, 100)));
        assert!(horizon.served(window(40, 70)));
        assert_eq!(horizon.refused(window(0, 40), 0, false), Refusal::TooOld);
    }

    #[test]
    fn what_is_asked_for_again_lies_in_the_oldest_window_that_is_not_short() {
        let mut horizon = Horizon::default();
        assert_eq!(horizon.inside(), None);
        for (served, inside) in [
            (window(1_000, 1_010), window(1_009, 1_010)),
            (window(980, 1_000), window(999, 1_000)),
            (window(800, 980), window(979, 980)),
            (window(700, 800), window(799, 800)),
            (window(695, 700), window(799, 800)),
            (window(2_000, 9_000), window(799, 800)),
        ] {
            horizon.served(served);
            assert_eq!(horizon.inside(), Some(inside), "{served}");
        }
    }

    #[test]
    fn what_is_refused_among_what_is_served_is_refused_for_another_reason() {
        let mut horizon = Horizon::default();
        horizon.served(window(0, 10));
        assert_eq!(horizon.refused(window(10, 20), 0, false), Refusal::Other);
        assert_eq!(horizon.refused(window(5, 6), 0, false), Refusal::Other);
    }

    #[test]
    fn before_anything_was_served_newer_windows_are_waited_for_but_not_for_ever() {
        let mut horizon = Horizon::default();
        assert_eq!(horizon.refused(window(0, DAY), 0, false), Refusal::Other);
        assert_eq!(horizon.refused(window(0, DAY), 0, true), Refusal::TooOld);
        assert_eq!(horizon.refused(window(-DAY, 0), 0, false), Refusal::Older);
        assert_eq!(horizon.refused(window(0, 10), 0, false), Refusal::Other);
        for _ in 0..MOST_UNDECIDED {
            assert_eq!(horizon.refused(window(0, 10), 1, false), Refusal::Undecided);
        }
        assert_eq!(horizon.refused(window(0, 10), 1, false), Refusal::Other);
    }
}
