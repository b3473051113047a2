//! Refused windows are too long, or too old if everything older is refused, however short: halving finds the edge.

use chrono::{DateTime, TimeDelta, Utc};

use crate::extract::ApiError;
use crate::ledger::problems::{Problem, ProblemCode};
use crate::ledger::{Purpose, Status, accounts};
use crate::telemetry;
use crate::time::Window;

use super::super::plan::Planned;
use super::super::read::ReadError;
use super::super::report::WindowFailure;
use super::read::{Fetched, Found, Task, before};
use super::{Effect, Engine, Flight};

const SHORTEST: TimeDelta = TimeDelta::days(1);

/// Longer windows may exceed the API's limit, which may count days differently.
const MAY_BE_TOO_LONG: TimeDelta = TimeDelta::days(1);

pub(super) const EDGE: TimeDelta = TimeDelta::minutes(1);

/// Shorter windows lie too near the moving edge.
const FIRM: TimeDelta = TimeDelta::hours(1);

const SHORTEST_FIRST: TimeDelta = TimeDelta::hours(1);

const MOST_UNDECIDED: usize = 3;

fn too_old() -> Problem {
    ProblemCode::HistoryNotServed.saying("not read: the API serves nothing so old")
}

pub(super) fn is_refusal(error: &ApiError) -> bool {
    matches!(error, ApiError::Unaccepted { .. } | ApiError::Message)
}

impl ReadError {
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Api(error) if is_refusal(error))
    }
}

impl Engine {
    pub(super) fn refused(&mut self, flight: Flight, error: ReadError) {
        let window = flight.fetch.planned.window;
        let Some(place) = self.place(flight.source) else {
            return;
        };
        let source = &mut self.sources[place];
        if source.history_ends.is_some_and(|edge| window.end <= edge) {
            return self.leave_unread(flight, too_old());
        }
        let others = source.in_flight - 1;
        let is_newest = window.end >= self.until;
        let refusal = source.horizon.refused(window, others, is_newest);
        if matches!(refusal, Refusal::Edge(_)) && self.has_newer(place, window) {
            // The newest refused window shows where the API's history ends.
            self.deferred.push((flight, error));
            return;
        }
        let source = &mut self.sources[place];
        let queue = &mut source.queue;
        match refusal {
            Refusal::TooLong => {
                let longest = (window.seconds() / 2).max(SHORTEST.num_seconds());
                // A message may have a passing cause.
                if matches!(error, ReadError::Api(ApiError::Unaccepted { .. })) {
                    self.profile.see_too_long(longest);
                }
                queue.drifted(window);
            }
            Refusal::TooOld => {
                queue.park_before(window.start);
                queue.halve(window);
            }
            Refusal::Older => queue.park(window),
            Refusal::Undecided => queue.again(window),
            Refusal::Edge(edge) => {
                let inside = source.horizon.inside();
                return self.spawn_read(flight, Task::Edge { edge, inside, error });
            }
            Refusal::Other => return self.refused_otherwise(flight, &error),
        }
        self.spawn_write(flight, Effect::Nothing, async move |writer, fetch| {
            writer.store(&fetch, Fetched::nothing(), Status::Split).await
        });
    }

    fn has_newer(&self, place: usize, window: Window) -> bool {
        let source = &self.sources[place];
        let Some(until) = source.horizon.oldest_served else {
            return false;
        };
        let between = Window::new(window.end, until);
        let is_read = self
            .in_flight
            .values()
            .chain(self.read.iter().map(|(flight, _)| flight));
        let of_source = |flight: &&Flight| flight.source == source.id();
        source.queue.overlaps(between)
            || is_read
                .filter(of_source)
                .any(|flight| flight.fetch.planned.window.overlaps(between))
    }

    pub(super) fn take_up_deferred(&mut self) {
        for (flight, error) in std::mem::take(&mut self.deferred) {
            self.read.push_back((flight, Ok(Found::Window(Err(error)))));
        }
    }

    pub(super) fn refused_otherwise(&mut self, flight: Flight, error: &ReadError) {
        if let Some(place) = self.place(flight.source) {
            let source = &mut self.sources[place];
            source.horizon.refused_from = None;
            source.queue.unpark();
        }
        self.profile.length_is_doubtful = true;
        self.fail(flight, WindowFailure::of_reading(error));
    }

    pub(super) fn end_history(&mut self, flight: Flight, edge: DateTime<Utc>) {
        let Some(place) = self.place(flight.source) else {
            return;
        };
        let source = &mut self.sources[place];
        if source.history_ends.is_some_and(|known| known >= edge) {
            return self.leave_unread(flight, too_old());
        }
        source.history_ends = Some(edge);
        source.queue.forget_before(edge);
        let purpose = source.purpose(flight.fetch.planned.window, &self.gaps);
        self.profile.length_is_doubtful = true;
        self.spawn_write(flight, Effect::Tried, async move |writer, fetch| {
            let (pool, lease) = (&writer.account.pool, &writer.lease);
            accounts::note_history(pool, lease, Some(edge)).await?;
            let mut report = writer.leave_unread(&fetch, &too_old()).await?;
            if matches!(purpose, Purpose::Backfill | Purpose::Repair) {
                report.failure = Some(WindowFailure::alone(Problem::failed(
                    "history_not_served",
                    format!("the API serves nothing older than {}", telemetry::instant(edge)),
                    "ask for what is newer; the vendor can say how long interactions are kept",
                )));
            }
            Ok(report)
        });
    }

    /// Once a day.
    pub(super) fn try_history(&mut self, served_from: DateTime<Utc>) {
        let planned = Planned::whole(before(served_from));
        let priority = self.sources[0].priority(self.until);
        self.begin_task(0, planned, Task::History { served_from }, priority);
    }

    pub(super) fn note_history(&mut self, flight: Flight, served_from: Option<DateTime<Utc>>) {
        self.spawn_write(flight, Effect::Nothing, async move |writer, fetch| {
            let report = writer.leave_unread(&fetch, &too_old()).await?;
            accounts::note_history(&writer.account.pool, &writer.lease, served_from).await?;
            Ok(report)
        });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    TooLong,
    TooOld,
    Edge(DateTime<Utc>),
    Older,
    Undecided,
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Horizon {
    oldest_served: Option<DateTime<Utc>>,
    longest_served: TimeDelta,
    firm: Option<Window>,
    refused_from: Option<DateTime<Utc>>,
    undecided: usize,
}

impl Horizon {
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

    pub(super) fn inside(&self) -> Option<Window> {
        let firm = self.firm?;
        Some(Window {
            start: firm.start.max(firm.end - EDGE),
            ..firm
        })
    }

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
        Window::new(at(from), at(to))
    }

    const DAY: i64 = 24 * 60;

    #[test]
    fn a_refused_window_is_too_long_unless_one_as_long_was_served() {
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
    fn the_probe_lies_in_the_oldest_long_window_that_was_served() {
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
    fn a_refusal_within_the_served_range_has_another_reason() {
        let mut horizon = Horizon::default();
        horizon.served(window(0, 10));
        assert_eq!(horizon.refused(window(10, 20), 0, false), Refusal::Other);
        assert_eq!(horizon.refused(window(5, 6), 0, false), Refusal::Other);
    }

    #[test]
    fn a_refusal_before_anything_was_served_waits_a_limited_time() {
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
