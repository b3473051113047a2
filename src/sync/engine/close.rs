//! Closes runs.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracing::{Instrument, Span, warn};

use crate::failpoint;
use crate::ledger::leases::Lease;
use crate::ledger::problems::{OTHER_FILTERS, Problem};
use crate::ledger::requests::{self, End, OpenRequest};
use crate::ledger::runs::{self, Finished, Kind};
use crate::ledger::{LoadError, conflict};
use crate::telemetry::{self, chain};

use super::super::account::AccountContext;
use super::super::read::Range;
use super::super::report::{HANDED_OVER, RunReport};
use super::super::time_zone::TimeZoneVerdict;
use super::refused::Horizon;
use super::source::{OpenRun, Run, SourceId};
use super::{Engine, Goal, Why, joined};

impl Engine {
    pub(super) async fn wind_up(&mut self, worked: &Result<Why, LoadError>) -> Result<(), LoadError> {
        while let Some(read) = self.reads.try_join_next_with_id() {
            self.was_read(read);
        }
        // They would send requests while others are written.
        self.reads.shutdown().await;
        // A COMMIT in flight finishes, here and below.
        while self.looks.join_next().await.is_some() {}
        let mut ended = Ok(());
        if worked.is_ok() {
            ended = self.write_rest().await;
        } else {
            while self.writes.join_next().await.is_some() {}
        }
        while let Some(opened) = self.opens.join_next().await {
            let _ = self.was_opened(joined(opened));
        }
        self.read.clear();
        self.in_flight.clear();
        for place in 0..self.sources.len() {
            if let Some(closing) = self.stop_run(place, worked) {
                let closed = closing.run().await;
                ended = ended.and(self.was_closed(closed));
            }
        }
        for source in &mut self.sources {
            source.in_flight = 0;
            source.horizon = Horizon::default();
            source.give_up_rest();
        }
        self.is_look_due = true;
        ended
    }

    async fn write_rest(&mut self) -> Result<(), LoadError> {
        loop {
            self.begin_write();
            let Some(written) = self.writes.join_next().await else {
                break;
            };
            self.was_written(joined(written))?;
        }
        for flight in std::mem::take(&mut self.in_flight).into_values() {
            let (Some(place), Some(writer)) = (self.place(flight.source), self.writer(&flight)) else {
                continue;
            };
            // A comparison records its windows itself.
            if self.sources[place].compares() || flight.fetch.tally.cost().requests == 0 {
                continue;
            }
            let why = Problem::warning("run_ended", "not read: the run ended before", "");
            let report = writer.leave_unread(&flight.fetch, &why).await?;
            if let Run::Open(run) = &mut self.sources[place].run {
                run.report.add(report);
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterRun {
    Rests,
    Ends,
    /// What was drained of it is still left.
    Stuck,
}

pub(super) struct Closing {
    pub(super) account: AccountContext,
    pub(super) lease: Lease,
    pub(super) kind: Kind,
    pub(super) run: Option<OpenRun>,
    pub(super) request: Option<OpenRequest>,
    pub(super) ends_request: bool,
    is_stuck: bool,
    /// Of all runs of the request.
    gaps_found: usize,
    /// Not after a failure of the engine.
    looks_back: bool,
    pub(super) ignores_range: bool,
    pub(super) new_profile: Option<Value>,
    pub(super) time_zone: TimeZoneVerdict,
    pub(super) newest_agree: bool,
}

pub(super) struct Closed {
    pub(super) source: SourceId,
    pub(super) report: RunReport,
    pub(super) ended_request: bool,
    pub(super) reads_again: bool,
    pub(super) result: Result<(), LoadError>,
}

impl Engine {
    fn stop_run(&mut self, place: usize, worked: &Result<Why, LoadError>) -> Option<Closing> {
        if let Run::Open(run) = &mut self.sources[place].run {
            match worked {
                Ok(Why::Stopped) => run.report.interrupted("told to stop"),
                Ok(Why::HandedOver) => run.report.interrupted(HANDED_OVER),
                Ok(Why::Finished) => run.report.interrupted("the command ended"),
                Ok(Why::Rests) => run.report.interrupted("too much failed, everything rests"),
                Err(error) => run.report.ended_by(error),
            }
        } else {
            self.sources[place].run = Run::NotBegun;
            return None;
        }
        let mut closing = self.closing(place, AfterRun::Rests)?;
        closing.looks_back = worked.is_ok();
        Some(closing)
    }

    /// `None`: nothing to write.
    pub(super) fn closing(&mut self, place: usize, ending: AfterRun) -> Option<Closing> {
        let ends_request = ending != AfterRun::Rests;
        let source = &mut self.sources[place];
        let run = match std::mem::take(&mut source.run) {
            Run::Open(run) => Some(*run),
            _ => None,
        };
        let gaps_found = source.gaps_found;
        source.read_again = 0;
        // A request that rests goes on.
        if ends_request || source.request.is_none() {
            source.gaps_found = 0;
            source.horizon = Horizon::default();
        }
        let answers_for_gaps = matches!(self.goal, Goal::Everything(Kind::Sync)) && !self.gaps.is_empty();
        if run.is_none() && source.request.is_none() && !answers_for_gaps {
            return None;
        }
        let request = source.request.clone();
        let records = run.as_ref().map_or(0, |run| run.report.counters.records);
        Some(Closing {
            account: self.account.clone(),
            lease: self.held.lease.clone(),
            kind: self.kind_of(place),
            ends_request: ends_request && request.is_some(),
            looks_back: run.is_some(),
            run,
            request,
            is_stuck: ending == AfterRun::Stuck,
            gaps_found,
            new_profile: self.profile_to_remember(records),
            ignores_range: self.profile.range == Some(Range::Ignored),
            time_zone: self.time_zone.verdict(),
            newest_agree: self.time_zone.newest_agree(),
        })
    }

    fn profile_to_remember(&mut self, records: u64) -> Option<Value> {
        let known = &self.known_profile;
        if std::mem::take(&mut self.profile.length_is_doubtful) {
            self.profile.longest_window_seconds = known.longest_window_seconds;
        }
        let profile = self.profile.clone();
        // Fields of this process alone are not serialized.
        let json = serde_json::to_value(&profile).unwrap_or_default();
        let is_told = records > 0 || profile.range != known.range;
        if !is_told || serde_json::to_value(known).is_ok_and(|known| known == json) {
            return None;
        }
        self.known_profile = profile;
        Some(json)
    }

    pub(super) fn was_closed(&mut self, closed: Closed) -> Result<(), LoadError> {
        let (source, report) = (closed.source, closed.report);
        if closed.reads_again {
            self.head_is_done = false;
            self.sources[0].drained.clear();
        }
        if let Some(place) = self.place(source) {
            let in_flight = &mut self.sources[place].in_flight;
            *in_flight = in_flight.saturating_sub(1);
            if closed.ended_request {
                self.sources.remove(place);
            }
        }
        if closed.ended_request {
            self.note_ended(source);
        }
        if source.is_none() {
            self.account.health.send_modify(|health| health.ended(&report));
        }
        self.add_report(source, report);
        self.is_look_due = true;
        closed.result
    }

    pub(super) fn note_ended(&mut self, source: SourceId) {
        self.goal_has_ended |= matches!(self.goal, Goal::Request(id) if source == Some(id));
    }

    /// For commands; a daemon has logged it already.
    pub(super) fn add_report(&mut self, source: SourceId, report: RunReport) {
        let told = match &self.goal {
            Goal::Serve(_) => return,
            Goal::Request(id) if source != Some(*id) => &mut self.others,
            Goal::Request(_) | Goal::Everything(_) => &mut self.report,
        };
        *told = std::mem::replace(told, RunReport::new()).and(report);
    }
}

impl Closing {
    pub(super) async fn run(self) -> Closed {
        let span = self.run.as_ref().map_or_else(Span::none, |run| run.span.clone());
        self.close().instrument(span).await
    }

    async fn close(self) -> Closed {
        let mut report = match &self.run {
            Some(run) => run.report.clone(),
            None => RunReport::new(),
        };
        let (mut result, mut reads_again) = (Ok(()), false);
        if self.looks_back {
            match self.look_back(&mut report).await {
                Ok(withdrew) => reads_again = withdrew,
                Err(error) => {
                    report.ended_by(&error);
                    result = Err(error);
                }
            }
        }
        if self.run.is_none()
            && let Err(error) = self.tell_gaps(&mut report).await
        {
            result = Err(error);
        }
        if self.ends_request && self.gaps_found > 0 && !report.has_failed() {
            report.remaining_gaps(self.gaps_found);
        }
        if self.is_stuck {
            report.failed(Problem::failed(
                "no_progress",
                "what its windows drained is still left of it",
                "report it with the row of smartassist_sync.requests",
            ));
        }
        if self.request.as_ref().is_some_and(|request| request.is_cancelled) {
            report.cancelled();
        }
        if let Some(run) = &self.run {
            failpoint::reach("run.closing");
            let [before, after] = self.finish(run, &report).await;
            report.watermark = after;
            let took = run.began.elapsed();
            let (kind, outcome) = (self.kind.as_str(), report.outcome.as_str());
            telemetry::run_finished(self.account.name(), kind, outcome, took);
            report.log(self.kind, before, took);
            failpoint::reach("run.closed");
        }
        // What was withdrawn of it is left.
        let ended_request = self.ends_request && result.is_ok() && !reads_again;
        if ended_request && let Err(error) = self.end_request(&report).await {
            result = Err(error);
        }
        Closed {
            source: self.request.map(|request| request.id),
            report,
            ended_request,
            reads_again,
            result,
        }
    }

    async fn finish(&self, run: &OpenRun, report: &RunReport) -> [Option<DateTime<Utc>>; 2] {
        let finished = Finished {
            run_id: run.id,
            outcome: report.outcome,
            counters: report.counters,
            at: self.account.clock.now(),
            problem: report.problem.as_ref(),
            api_clock_ahead: self.account.api.clock_skew(),
            time_zone_disagreement_minutes: self.time_zone.minutes(),
        };
        let finishing = || runs::finish(&self.account.pool, &finished);
        let finished = conflict::retry(self.account.name(), finishing).await;
        finished.unwrap_or_else(|error| {
            warn!(error = %chain(&error), "could not close the run in the ledger, the next one does");
            [None, None]
        })
    }

    async fn end_request(&self, report: &RunReport) -> Result<(), LoadError> {
        let Some(request) = &self.request else {
            return Ok(());
        };
        let (end, problem) = if request.is_cancelled {
            (End::Cancelled, None)
        } else if request.has_other_filters {
            let text = "the account's filters have changed since it was made";
            (
                End::Refused,
                Some(Problem::failed(OTHER_FILTERS, text, "ask again")),
            )
        } else if report.has_failed() {
            (End::Partial, report.problem.clone())
        } else {
            (End::Done, None)
        };
        let ending = || requests::end(&self.account.pool, &self.lease, request.id, end, problem.as_ref());
        conflict::retry(self.account.name(), ending).await
    }
}
