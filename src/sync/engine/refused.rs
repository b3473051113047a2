use chrono::{DateTime, TimeDelta, Utc};

use crate::extract::ApiError;
use crate::ledger::accounts;
use crate::ledger::problems::{Problem, ProblemCode};
use crate::ledger::{Purpose, Status};
use crate::telemetry;
use crate::time::window::Window;

use super::super::failure::{AfterFailure, WindowFailure};
use super::super::horizon::{EDGE, Refusal};
use super::super::plan::Planned;
use super::super::read::ReadError;
use super::read::{Fetched, Found, Task};
use super::source::Work;
use super::{Effect, Engine, Flight};

const SHORTEST: TimeDelta = TimeDelta::days(1);

fn too_old() -> Problem {
    ProblemCode::HistoryNotServed.saying("not read: the API serves nothing so old")
}

impl ReadError {
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Api(ApiError::Unaccepted { .. } | ApiError::Message))
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
        let Work::Windows(queue) = &mut source.work else {
            return;
        };
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
                let task = Task::IsEdge {
                    edge,
                    inside: source.horizon.inside(),
                    error,
                };
                return self.go_on(flight, task);
            }
            Refusal::Other => return self.refused_otherwise(flight, &error),
        }
        self.spawn_write(flight, Effect::Nothing, async move |writer, fetch| {
            writer.store(&fetch, Fetched::nothing(), Status::Split).await
        });
    }

    fn has_newer(&self, place: usize, window: Window) -> bool {
        let source = &self.sources[place];
        let Some(until) = source.horizon.oldest_served() else {
            return false;
        };
        let between = Window {
            start: window.end,
            end: until,
        };
        let is_read = self
            .in_flight
            .values()
            .chain(self.read.iter().map(|(flight, _)| flight));
        let of_source = |flight: &&Flight| flight.source == source.id();
        let is_queued = match &source.work {
            Work::Windows(queue) => queue.overlaps(between),
            Work::Days(_) => false,
        };
        is_queued
            || is_read
                .filter(of_source)
                .any(|flight| flight.fetch.planned.window.overlaps(between))
    }

    pub(super) fn take_up_deferred(&mut self) {
        for (flight, error) in std::mem::take(&mut self.deferred) {
            self.read.push_back((flight, Ok(Ok(Found::Window(Err(error))))));
        }
    }

    pub(super) fn refused_otherwise(&mut self, flight: Flight, error: &ReadError) {
        if let Some(place) = self.place(flight.source) {
            let source = &mut self.sources[place];
            source.horizon.was_wrong();
            if let Work::Windows(queue) = &mut source.work {
                queue.unpark();
            }
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
        if let Work::Windows(queue) = &mut source.work {
            queue.forget_before(edge);
        }
        let purpose = source.purpose(flight.fetch.planned.window, &self.gaps);
        self.profile.length_is_doubtful = true;
        self.spawn_write(flight, Effect::Tried, async move |writer, fetch| {
            let (pool, lease) = (&writer.account.pool, &writer.lease);
            let watermark = accounts::note_history(pool, lease, Some(edge)).await?;
            let mut report = writer.leave_unread(&fetch, &too_old()).await?;
            report.watermark = Some(watermark);
            if matches!(purpose, Purpose::Backfill | Purpose::Repair) {
                report.failure = Some(WindowFailure {
                    problem: Problem::failed(
                        "history_not_served",
                        format!("the API serves nothing older than {}", telemetry::instant(edge)),
                        "ask for what is newer; the vendor can say how long interactions are kept",
                    ),
                    next: AfterFailure::Continue,
                });
            }
            Ok(report)
        });
    }

    /// Once a day.
    pub(super) fn try_history(&mut self, served_from: DateTime<Utc>) {
        let window = Window {
            start: served_from - EDGE,
            end: served_from,
        };
        let priority = self.sources[0].priority(self.until);
        self.begin_task(0, Planned::whole(window), Task::History { served_from }, priority);
    }

    pub(super) fn note_history(&mut self, flight: Flight, served_from: Option<DateTime<Utc>>) {
        self.spawn_write(flight, Effect::Nothing, async move |writer, fetch| {
            let mut report = writer.leave_unread(&fetch, &too_old()).await?;
            let noted = accounts::note_history(&writer.account.pool, &writer.lease, served_from).await?;
            report.watermark = Some(noted);
            Ok(report)
        });
    }
}
