//! One reason to read: the head, or a request. Its queue is a copy of the ledger's.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::{Span, debug};

use crate::extract::Priority;
use crate::ledger::requests::OpenRequest;
use crate::ledger::{Purpose, runs};
use crate::telemetry::chain;
use crate::time::Window;

use super::super::account::Headway;
use super::super::density::{Density, pieces_of};
use super::super::plan::{Model, Queue};
use super::super::report::RunReport;
use super::refused::Horizon;
use super::{Engine, Flight, NOTE_EVERY};

/// Older unread ranges are read like a backfill.
const HEAD_MAX_AGE: TimeDelta = TimeDelta::days(1);

/// `None`: the head.
pub(super) type SourceId = Option<i64>;

#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) request: Option<OpenRequest>,
    pub(super) queue: Queue,
    /// `verify` has these instead of a queue.
    pub(super) days: Vec<Window>,
    pub(super) run: Run,
    pub(super) in_flight: usize,
    /// Failed, or gaps: not tried again by this run.
    pub(super) tried: Vec<Window>,
    /// Of those, failures that may pass.
    pub(super) failed: Vec<Window>,
    /// By its own windows, since the ledger was last read.
    pub(super) drained: Vec<Window>,
    pub(super) gaps_found: usize,
    /// Since other versions were stored meanwhile.
    pub(super) read_again: usize,
    pub(super) horizon: Horizon,
    pub(super) served: u64,
    pub(super) rests_until: Option<Instant>,
    pub(super) rests: u32,
}

#[derive(Debug, Default)]
pub(super) enum Run {
    #[default]
    NotBegun,
    Opening,
    Open(Box<OpenRun>),
}

#[derive(Debug)]
pub(super) struct OpenRun {
    pub(super) id: i64,
    pub(super) began: Instant,
    pub(super) report: RunReport,
    pub(super) span: Span,
}

impl Source {
    pub(super) fn id(&self) -> SourceId {
        self.request.as_ref().map(|request| request.id)
    }

    pub(super) fn has_work(&self) -> bool {
        !self.horizon.is_searched() && (!self.queue.is_done() || !self.days.is_empty())
    }

    pub(super) fn compares(&self) -> bool {
        let request = self.request.as_ref();
        request.is_some_and(|request| request.purpose == Purpose::Verify)
    }

    /// Everything was read or tried, so the ledger decides whether it is finished.
    pub(super) fn is_worked_off(&self) -> bool {
        !self.has_work() && self.in_flight == 0 && !matches!(self.run, Run::Opening)
    }

    pub(super) fn is_resting(&self) -> bool {
        self.rests_until.is_some_and(|until| until > Instant::now())
    }

    pub(super) fn is_served_since(&self, began_at: DateTime<Utc>) -> bool {
        let since = self.request.as_ref().and_then(|request| request.since);
        since.is_none_or(|since| since <= began_at)
    }

    pub(super) fn fill(&mut self, todo: &[Window], gaps: &[Window], model: &Model) {
        self.drained.clear();
        if self.compares() {
            let days_of = |range: &Window| pieces_of(*range, TimeDelta::days(1));
            self.days = todo.iter().flat_map(days_of).collect();
        } else {
            self.queue = Queue::of(todo, gaps, model);
        }
    }

    fn expected_left(&self, density: &Density) -> (f64, usize) {
        let Some(request) = self.request.as_ref().filter(|_| self.compares()) else {
            return self.queue.expected_left(density);
        };
        let left = request.remaining.iter();
        let days = left
            .clone()
            .flat_map(|range| pieces_of(*range, TimeDelta::days(1)));
        let of_records = |range: &Window| density.expected(*range).records;
        let records = if request.by_identity {
            left.map(of_records).sum()
        } else {
            0.0
        };
        (records, days.count())
    }

    pub(super) fn give_up_rest(&mut self) {
        self.queue = Queue::default();
        self.days.clear();
    }

    pub(super) fn purpose(&self, window: Window, gaps: &[Window]) -> Purpose {
        match &self.request {
            Some(request) => request.purpose,
            None if gaps.contains(&window) => Purpose::Gap,
            None => Purpose::New,
        }
    }

    /// The head, then refreshes from small to large, then the past.
    pub(super) fn urgency(&self, until: DateTime<Utc>) -> (u8, i64) {
        match &self.request {
            None if self.is_at_head(until) => (0, 0),
            None => (2, 0),
            Some(request) => match request.purpose {
                Purpose::Refresh | Purpose::Open => (1, request.range.seconds()),
                _ => (2, request.id),
            },
        }
    }

    pub(super) fn priority(&self, until: DateTime<Utc>) -> Priority {
        if self.request.is_none() && self.is_at_head(until) {
            Priority::Head
        } else {
            Priority::Other
        }
    }

    fn is_at_head(&self, until: DateTime<Utc>) -> bool {
        let end = self.queue.next_end();
        end.is_some_and(|end| end > until - HEAD_MAX_AGE)
    }
}

impl Engine {
    /// What is compared serves nobody else.
    pub(super) fn being_read(&self) -> impl Iterator<Item = Window> {
        let reads = |flight: &&Flight| {
            let place = self.place(flight.source);
            place.is_some_and(|place| !self.sources[place].compares())
        };
        let flights = self.in_flight.values().filter(reads);
        flights.map(|flight| flight.fetch.planned.window)
    }

    pub(super) fn note_progress(&self) {
        for source in &self.sources {
            let Run::Open(run) = &source.run else { continue };
            let (pool, run_id) = (self.account.pool.clone(), run.id);
            let made = self.headway_of(source, run);
            tokio::spawn(async move {
                let noted = runs::note_progress(&pool, run_id, &made.counters, made.requests_left);
                match tokio::time::timeout(NOTE_EVERY, noted).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => debug!(error = %chain(&error), "could not note how far the run is"),
                    Err(_) => debug!("could not note how far the run is in time"),
                }
            });
        }
    }

    pub(super) fn publish_headway(&self) {
        let runs = self.sources.iter().filter_map(|source| match &source.run {
            Run::Open(run) => Some(self.headway_of(source, run)),
            _ => None,
        });
        let headway = runs.reduce(|mut all, of_run| {
            all.counters += of_run.counters;
            all.requests_left += of_run.requests_left;
            all
        });
        self.account.headway.send_replace(headway);
    }

    fn headway_of(&self, source: &Source, run: &OpenRun) -> Headway {
        let flights = || {
            let of_source = |flight: &&Flight| flight.source == source.id();
            self.in_flight.values().filter(of_source)
        };
        let (records, windows) = source.expected_left(&self.model.density);
        let mut counters = run.report.counters;
        if source.compares() {
            flights().for_each(|flight| counters += flight.fetch.counters());
            return Headway::new(counters, records, windows);
        }
        let reading: f64 = flights().map(|flight| flight.fetch.planned.expected).sum();
        Headway::new(counters, records + reading, windows + flights().count())
    }
}
