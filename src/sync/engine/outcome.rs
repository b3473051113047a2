//! What becomes of windows that were read, or written.

use chrono::{DateTime, Utc};
use tokio::task::{Id, JoinError};
use tracing::{Instrument, warn};

use crate::ledger::problems::Problem;
use crate::ledger::{LoadError, Status};
use crate::telemetry;
use crate::time::Window;

use super::super::read::{Range, Verdict};
use super::super::report::{AfterFailure, WindowFailure};

use super::read::{Fetched, Found, WindowRows};
use super::refused::is_refusal;
use super::source::Run;
use super::write::{Fetch, WindowReport, Writer, is_a_second};
use super::{Effect, Engine, FAILURES_IN_A_ROW, Flight, GAPS_IN_A_RUN, MOST_READ_AGAIN, ReadTask, Written};

impl Engine {
    pub(super) fn was_read(&mut self, read: Result<(Id, ReadTask), JoinError>) {
        let id = read.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(mut flight) = self.in_flight.remove(&id) else {
            return;
        };
        let found = match read {
            Ok((_, (fetch, known, found))) => {
                flight.fetch = fetch;
                known.teach(&mut self.profile);
                found
            }
            Err(error) => {
                let failure = flight.span.in_scope(|| WindowFailure::of_task(&error));
                Ok(Found::Failed(failure))
            }
        };
        self.read.push_back((flight, found));
    }

    pub(super) fn begin_write(&mut self) {
        while self.writes.is_empty() {
            let Some((flight, found)) = self.read.pop_front() else {
                return;
            };
            self.write(flight, found);
        }
    }

    fn write(&mut self, flight: Flight, found: Result<Found, LoadError>) {
        let _span = flight.span.clone().entered();
        if let Some(place) = self.place(flight.source) {
            self.sources[place].horizon.landed(flight.fetch.planned.window);
        }
        match found {
            Ok(Found::Window(Ok(fetched))) => self.write_fetched(flight, fetched),
            Ok(Found::Window(Err(error))) if is_refusal(&error) => self.refused(flight, error),
            Ok(Found::Window(Err(error))) => self.fail(flight, WindowFailure::of_reading(&error)),
            Ok(Found::Failed(failure)) => self.fail(flight, failure),
            Ok(Found::Edge(Ok(edge))) => self.found_edge(flight, edge),
            Ok(Found::Edge(Err((error, why)))) => self.found_no_edge(flight, error, why),
            Ok(Found::History(still)) => self.note_history(flight, still),
            Ok(Found::Compared(report)) => {
                let effect = if report.failure.is_some() {
                    Effect::Tried
                } else {
                    Effect::Nothing
                };
                self.spawn_write(flight, effect, async move |_, _| Ok(report));
            }
            Err(error) => self.spawn_write(flight, Effect::Nothing, async move |_, _| Err(error)),
        }
    }

    fn write_fetched(&mut self, mut flight: Flight, mut fetched: Fetched) {
        let window = flight.fetch.planned.window;
        let Some(place) = self.place(flight.source) else {
            return;
        };
        let source = &mut self.sources[place];
        source.horizon.served(window);
        if fetched.reading.verdict == Verdict::Elsewhere && self.profile.range == Some(Range::Ignored) {
            // Its gap must not grow at every poll.
            return self.fail(flight, WindowFailure::elsewhere());
        }
        self.time_zone.see(fetched.rows.interactions.values());
        let Some(settled) = self.settled(&flight.fetch) else {
            let why = "not read: it has not happened yet at the API";
            return self.leave_unread(flight, Problem::warning("not_happened_yet", why, ""));
        };
        self.sources[place].tried.extend(window.without(settled));
        flight.fetch.planned.window = settled;
        let (status, effect) = self.effect_of(settled, &fetched);
        if fetched.reading.strays_in.is_some() {
            // Its parts are read next; their records would count twice.
            fetched.rows = WindowRows::default();
        }
        self.spawn_write(flight, effect, async move |writer, fetch| {
            writer.store(&fetch, fetched, status).await
        });
    }

    fn effect_of(&mut self, window: Window, Fetched { reading, rows, .. }: &Fetched) -> (Status, Effect) {
        let starts = rows.starts();
        match reading.verdict {
            Verdict::Drained => {
                if !starts.is_empty() {
                    self.profile.range = self.profile.range.filter(|range| *range != Range::Ignored);
                }
                (Status::Drained, Effect::Drained(starts))
            }
            Verdict::Elsewhere => {
                self.profile.range = Some(Range::Ignored);
                (Status::Gap, Effect::Gap)
            }
            Verdict::Strays => match reading.strays_in {
                Some(part) => (Status::Split, Effect::PartOff(part)),
                None => (Status::Gap, Effect::Gap),
            },
            _ if is_a_second(window) => (Status::Gap, Effect::Gap),
            Verdict::Overflow => (Status::Split, Effect::Overflowed(reading.reported_total, starts)),
            Verdict::Inconsistent => (Status::Split, Effect::Drifted),
        }
    }

    /// The part that has passed by the API's clock too, as ours may be fast.
    fn settled(&self, fetch: &Fetch) -> Option<Window> {
        let Window { start, end } = fetch.planned.window;
        let head = self.account.head_at(fetch.began);
        if head < end {
            warn!(
                until = telemetry::instant(head),
                remedy = "have this machine's clock set by NTP; the next run reads the rest",
                "the window reaches into what has not happened yet at the API, and counts as read up to there only"
            );
        }
        let end = end.min(head);
        (start < end).then_some(Window::new(start, end))
    }

    pub(super) fn fail(&mut self, flight: Flight, failure: WindowFailure) {
        self.spawn_write(flight, Effect::Tried, async move |writer, fetch| {
            writer.fail(&fetch, failure).await
        });
    }

    pub(super) fn leave_unread(&mut self, flight: Flight, why: Problem) {
        self.spawn_write(flight, Effect::Tried, async move |writer, fetch| {
            writer.leave_unread(&fetch, &why).await
        });
    }

    pub(super) fn spawn_write<F>(
        &mut self,
        flight: Flight,
        effect: Effect,
        write: impl FnOnce(Writer, Fetch) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<WindowReport, LoadError>> + Send + 'static,
    {
        let Some(writer) = self.writer(&flight) else {
            return;
        };
        let span = flight.span.clone();
        let writing = async move {
            let report = write(writer, flight.fetch.clone()).await;
            Written::Window {
                flight,
                effect,
                report,
            }
        };
        self.writes.spawn(writing.instrument(span));
    }

    /// `true`: too much fails, so everything has to rest.
    pub(super) fn was_written(&mut self, written: Written) -> Result<bool, LoadError> {
        self.pulse.beat();
        match written {
            Written::Closed(closed) => {
                self.was_closed(closed)?;
                Ok(false)
            }
            Written::Window {
                flight,
                effect,
                report,
            } => {
                let report = report?;
                self.windows_written += 1;
                Ok(self.learn_from(&flight, effect, report))
            }
        }
    }

    fn learn_from(&mut self, flight: &Flight, effect: Effect, mut report: WindowReport) -> bool {
        let Some(place) = self.place(flight.source) else {
            return false;
        };
        let leaves_streak = matches!(effect, Effect::Nothing);
        let source = &mut self.sources[place];
        let reads_again = report.again && source.read_again < MOST_READ_AGAIN;
        if report.again && !reads_again {
            report.failure = Some(WindowFailure::unsteady());
        }
        let next = report.failure.as_ref().map(|failure| failure.next);
        if reads_again {
            source.read_again += 1;
            source.queue.again(flight.fetch.planned.window);
        } else {
            self.take_effect(place, &flight.fetch, effect, next);
        }
        let source = &mut self.sources[place];
        source.in_flight -= 1;
        let Run::Open(run) = &mut source.run else {
            return false;
        };
        run.report.add(report);
        if source.gaps_found >= GAPS_IN_A_RUN {
            warn!(
                gaps = source.gaps_found,
                remedy = "the next run goes on; doctor says what was found out about the API",
                "too many gaps for one run, the rest is left to the next"
            );
            source.give_up_rest();
        }
        self.is_look_due |= self.sources.iter().any(|source| {
            let is_done = source.request.is_none() && self.head_is_done;
            source.is_worked_off() && !is_done && !source.is_resting()
        });
        self.publish_headway();
        !leaves_streak && self.is_too_much(place, next)
    }

    fn take_effect(&mut self, place: usize, fetch: &Fetch, effect: Effect, next: Option<AfterFailure>) {
        let (planned, window) = (fetch.planned, fetch.planned.window);
        let has_failed = next.is_some();
        let source = &mut self.sources[place];
        match effect {
            Effect::Drained(starts) if !has_failed => self.drained(place, fetch, &starts),
            Effect::Overflowed(total, starts) if !has_failed => {
                source.queue.overflowed(&mut self.model, planned, total, &starts);
            }
            Effect::Drifted if !has_failed => source.queue.drifted(window),
            Effect::PartOff(part) if !has_failed => source.queue.part_off(window, part),
            Effect::Nothing => {}
            Effect::Gap => {
                source.gaps_found += 1;
                source.tried.push(window);
            }
            _ => {
                source.tried.push(window);
                if next.is_some_and(|next| next != AfterFailure::Continue) {
                    source.failed.push(window);
                }
            }
        }
    }

    fn is_too_much(&mut self, place: usize, next: Option<AfterFailure>) -> bool {
        match next {
            Some(AfterFailure::EndRun) => return true,
            Some(AfterFailure::ContinueIfFew) => {
                self.failures_in_a_row += 1;
                // What cannot be read may lie together.
                self.sources[place].queue.turn_to_the_oldest();
            }
            Some(AfterFailure::Continue) | None => self.failures_in_a_row = 0,
        }
        self.failures_in_a_row >= FAILURES_IN_A_ROW
    }

    fn drained(&mut self, place: usize, fetch: &Fetch, starts: &[DateTime<Utc>]) {
        let window = fetch.planned.window;
        self.model.drained(window, starts);
        self.sources[place].drained.push(window);
        for source in &mut self.sources {
            if source.is_served_since(fetch.began_at) {
                source.queue.subtract(window);
            }
        }
    }
}
