use chrono::{DateTime, Utc};
use tracing::warn;

use crate::ledger::LoadError;
use crate::time::window::Window;

use super::super::failure::AfterFailure;
use super::super::plan::Queue;

use super::source::{Run, Work};
use super::write::{Fetch, WindowReport};
use super::{Effect, Engine, FAILURES_IN_A_ROW, Flight, GAPS_IN_A_RUN, MOST_READ_AGAIN, Written};

impl Engine {
    /// `true`: too much fails, so everything has to rest.
    pub(super) fn was_written(&mut self, written: Written) -> Result<bool, LoadError> {
        self.pulse.beat();
        match written {
            Written::Closed(closed) => {
                self.was_closed(*closed)?;
                Ok(false)
            }
            Written::Window(window) => {
                let report = window.report?;
                self.windows_written += 1;
                Ok(self.learn_from(&window.flight, window.effect, report))
            }
        }
    }

    pub(super) fn learn_from(&mut self, flight: &Flight, effect: Effect, report: WindowReport) -> bool {
        let window = flight.fetch.planned.window;
        let Some(place) = self.place(flight.source) else {
            return false;
        };
        self.watermark = report.watermark.unwrap_or(self.watermark);
        let leaves_streak = matches!(effect, Effect::Nothing);
        if report.again {
            self.again(place, window);
        } else {
            self.take_effect(place, &flight.fetch, effect, report.failure.is_some());
        }
        self.take_up_deferred();
        let source = &mut self.sources[place];
        source.in_flight -= 1;
        let Run::Open(run) = &mut source.run else {
            return false;
        };
        let next = run.progress.add(report);
        run.progress.watermark = self.watermark;
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

    fn take_effect(&mut self, place: usize, fetch: &Fetch, effect: Effect, has_failed: bool) {
        let (planned, window) = (fetch.planned, fetch.planned.window);
        match effect {
            Effect::Drained(starts) if !has_failed => self.drained(place, fetch, &starts),
            Effect::Overflowed(total, starts) if !has_failed => {
                let (source, model) = (&mut self.sources[place], &mut self.model);
                if let Work::Windows(queue) = &mut source.work {
                    queue.overflowed(model, planned, total, &starts);
                }
            }
            Effect::Drifted if !has_failed => self.queue(place, |queue| queue.drifted(window)),
            Effect::PartOff(part) if !has_failed => {
                self.queue(place, |queue| queue.part_off(window, part));
            }
            Effect::Nothing => {}
            Effect::Gap => {
                self.sources[place].gaps_found += 1;
                self.sources[place].tried.push(window);
            }
            _ => {
                let source = &mut self.sources[place];
                source.tried.push(window);
                if has_failed {
                    source.failed.push(window);
                }
            }
        }
    }

    pub(super) fn is_too_much(&mut self, place: usize, next: Option<AfterFailure>) -> bool {
        match next {
            Some(AfterFailure::EndRun) => return true,
            Some(AfterFailure::ContinueIfFew) => {
                self.failures_in_a_row += 1;
                // What cannot be read may lie together: try the other end.
                self.queue(place, Queue::turn_round);
            }
            Some(AfterFailure::Continue) | None => self.failures_in_a_row = 0,
        }
        self.failures_in_a_row >= FAILURES_IN_A_ROW
    }

    pub(super) fn drained(&mut self, place: usize, fetch: &Fetch, starts: &[DateTime<Utc>]) {
        let window = fetch.planned.window;
        self.model.drained(window, starts);
        self.sources[place].drained.push(window);
        for source in &mut self.sources {
            let is_served = source.is_served_since(fetch.began_at);
            if let Work::Windows(queue) = &mut source.work
                && is_served
            {
                queue.subtract(window);
            }
        }
    }

    pub(super) fn again(&mut self, place: usize, window: Window) {
        self.read_again += 1;
        if self.read_again > MOST_READ_AGAIN {
            self.sources[place].tried.push(window);
        } else {
            self.queue(place, |queue| queue.again(window));
        }
    }

    pub(super) fn queue(&mut self, place: usize, change: impl FnOnce(&mut Queue)) {
        if let Work::Windows(queue) = &mut self.sources[place].work {
            change(queue);
        }
    }
}
