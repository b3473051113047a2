//! Drives a plan: windows are read side by side and stored one by one; each improves the next cut.

mod refused;
mod told;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error_span, info, warn};

use crate::extract::{ApiError, LAST_OFFSET, Priority};
use crate::ledger::wanted::{self, Wanted};
use crate::ledger::{LoadError, Purpose, Status};
use crate::telemetry;
use crate::time::pulse::Pulse;
use crate::time::window::Window;

use super::drain::{ReadError, Reading, Verdict};
use super::failure::{Next, WindowFailure};
use super::horizon::Horizon;
use super::job::Job;
use super::pass::Rows;
use super::plan::{Next as Step, Planner};
use super::report::Progress;
use super::traits::Range;
use super::window::{Books, Fetch, Source, WindowReport, is_a_second};
use super::work::Task;

/// One is stored while others are read; each holds its records in memory.
pub(super) const WINDOWS_IN_FLIGHT: usize = 3;

pub(super) const REQUESTS_OF_A_WINDOW: u64 = LAST_OFFSET as u64 + 1;

/// After this many the drive turns to the oldest windows; after as many again it ends.
const FAILURES_IN_A_ROW: usize = 3;

/// A run must not spend days on finding gaps.
const GAPS_IN_A_RUN: usize = 20;

const LOOK_FOR_NEW: Duration = Duration::from_secs(60);

const NEWS: TimeDelta = TimeDelta::days(1);

const LOOK_FOR_WAITERS: Duration = Duration::from_secs(1);

/// Timeout of windows in flight once a run waits.
const PATIENCE_OF_WAITERS: Duration = Duration::from_secs(10);

const NOTE_PROGRESS: Duration = Duration::from_secs(5);

/// An interaction that changes all the time must not use up the budget.
const MOST_OVERTAKEN: usize = 10;

#[derive(Debug, Clone)]
pub(super) struct Ends {
    pub(super) stop: CancellationToken,
    pub(super) lost: CancellationToken,
}

type Read = Option<Result<Reading, ReadError>>;

pub(super) struct Drive<'a> {
    books: Books<'a>,
    job: &'a Job,
    pulse: Arc<Pulse>,
    source: Source,
    pub(super) planner: Planner,
    gaps: Vec<Window>,
    tasks: JoinSet<Read>,
    in_flight: HashMap<Id, Fetch>,
    failures_in_a_row: usize,
    has_turned: bool,
    gaps_found: usize,
    overtaken: usize,
    horizon: Horizon,
    history_ends: Option<DateTime<Utc>>,
    was_refused_for_now: bool,
    until: DateTime<Utc>,
    pub(super) gives_way: bool,
}

impl<'a> Drive<'a> {
    pub(super) fn new(books: Books<'a>, task: &Task<'a>, planner: Planner, gaps: Vec<Window>) -> Self {
        Self {
            books,
            job: task.job,
            pulse: Arc::clone(task.pulse),
            source: Source::of(books.worker, task.job.priority()),
            planner,
            gaps,
            tasks: JoinSet::new(),
            in_flight: HashMap::new(),
            failures_in_a_row: 0,
            has_turned: false,
            gaps_found: 0,
            overtaken: 0,
            horizon: Horizon::default(),
            history_ends: None,
            was_refused_for_now: false,
            until: task.until,
            gives_way: false,
        }
    }

    pub(super) async fn run(&mut self, progress: &mut Progress, ends: &Ends) -> Result<(), LoadError> {
        let mut looks = tokio::time::interval(LOOK_FOR_WAITERS);
        let mut waited_for = Instant::now();
        let mut news = tokio::time::interval_at(waited_for + LOOK_FOR_NEW, LOOK_FOR_NEW);
        let mut notes = tokio::time::interval_at(waited_for + NOTE_PROGRESS, NOTE_PROGRESS);
        notes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.publish_headway(progress);
        loop {
            self.begin_windows(&ends.stop);
            tokio::select! {
                biased;
                () = ends.lost.cancelled() => return Err(LoadError::LeaseLost),
                () = ends.stop.cancelled() => return self.abandon(progress).await,
                _ = looks.tick(), if self.job.gives_way() && !self.gives_way => {
                    self.gives_way = self.books.lease.is_awaited(&self.books.worker.pool).await?;
                    waited_for = Instant::now();
                }
                () = tokio::time::sleep_until(waited_for + self.patience()), if self.gives_way => {
                    return self.abandon(progress).await;
                }
                _ = notes.tick() => self.note_progress(progress).await,
                _ = news.tick(), if *self.job == Job::Poll => self.look_for_new().await?,
                fetched = self.tasks.join_next_with_id() => match fetched {
                    None => {
                        progress.tried_all = self.planner.is_done();
                        return Ok(());
                    }
                    Some(fetched) => {
                        if !self.finish(fetched, progress).await? {
                            return self.abandon(progress).await;
                        }
                    }
                },
            }
        }
    }

    fn begin_windows(&mut self, stop: &CancellationToken) {
        self.planner.limit(self.books.worker.limits());
        while !self.gives_way && self.in_flight.len() < self.windows_in_flight() {
            let Step::Read(planned) = self.planner.next(self.in_flight.len()) else {
                return;
            };
            let fetch = Fetch::begin(planned, self.books.worker.clock.now(), &self.pulse);
            let reading = {
                let priority = self.priority(planned.window);
                let (source, fetch) = (
                    Source {
                        priority,
                        ..self.source.clone()
                    },
                    fetch.clone(),
                );
                let stop = stop.clone();
                async move { stop.run_until_cancelled(source.read(&fetch)).await }
            };
            let span = error_span!("window", range = %planned.window);
            let task = self.tasks.spawn(reading.instrument(span));
            self.in_flight.insert(task.id(), fetch);
        }
    }

    async fn look_for_new(&mut self) -> Result<(), LoadError> {
        let worker = self.books.worker;
        let settle = worker.settings.settle;
        let (after, until) = (self.until, worker.head());
        if until <= after {
            return Ok(());
        }
        let account_id = &self.books.lease.account_id;
        for window in wanted::unread(&worker.pool, account_id, &Wanted::New, until, settle).await? {
            if window.end > after {
                self.planner.add_newest(Window {
                    start: window.start.max(after),
                    ..window
                });
            }
        }
        self.until = until;
        Ok(())
    }

    fn priority(&self, window: Window) -> Priority {
        match self.job {
            Job::Poll if window.end < self.until - NEWS => Priority::Refresh,
            job => job.priority(),
        }
    }

    fn windows_in_flight(&self) -> usize {
        let is_futile = self.source.traits.get().range == Some(Range::Ignored);
        if is_futile || (self.job.gives_way() && self.patience() > PATIENCE_OF_WAITERS * 2) {
            1
        } else {
            WINDOWS_IN_FLIGHT
        }
    }

    fn patience(&self) -> Duration {
        let for_a_window = self.source.api.account().limits.time_for(REQUESTS_OF_A_WINDOW);
        PATIENCE_OF_WAITERS.max(for_a_window)
    }

    async fn finish(
        &mut self,
        fetched: Result<(Id, Read), JoinError>,
        progress: &mut Progress,
    ) -> Result<bool, LoadError> {
        let id = fetched.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let fetched = match fetched {
            // `abandon` records its requests.
            Ok((_, None)) => return Ok(true),
            Ok((_, Some(result))) => Ok(result),
            Err(error) => Err(error),
        };
        let Some(fetch) = self.in_flight.remove(&id) else {
            return Ok(true);
        };
        let span = error_span!("window", range = %fetch.planned.window);
        let report = match fetched {
            Ok(result) => self.store(&fetch, result).instrument(span).await?,
            Err(error) => {
                let failure = WindowFailure::of_task(&error);
                self.books
                    .fail(&fetch, self.purpose(fetch.planned.window), failure)
                    .instrument(span)
                    .await?
            }
        };
        self.pulse.beat();
        let next = progress.add(report);
        self.publish_headway(progress);
        Ok(std::mem::take(&mut self.was_refused_for_now) || self.goes_on_after(next))
    }

    async fn store(
        &mut self,
        fetch: &Fetch,
        result: Result<Reading, ReadError>,
    ) -> Result<WindowReport, LoadError> {
        let window = fetch.planned.window;
        let purpose = self.purpose(window);
        let mut reading = match result {
            Ok(reading) => reading,
            Err(error @ ReadError::Api(ApiError::Unaccepted { .. } | ApiError::Message)) => {
                return self.refused(fetch, &error).await;
            }
            Err(error) => {
                return self
                    .books
                    .fail(fetch, purpose, WindowFailure::of_reading(&error))
                    .await;
            }
        };
        if self.horizon.served(window) {
            self.planner.unpark();
        }
        if reading.verdict == Verdict::Elsewhere && self.source.traits.get().range == Some(Range::Ignored) {
            // Its gap must not grow at every poll.
            let failure = WindowFailure::elsewhere();
            return self.books.fail(fetch, purpose, failure).await;
        }
        self.books
            .worker
            .time_zone
            .see(reading.rows.interactions.values());
        let Some(settled) = self.settled(fetch) else {
            return self.books.put_off(fetch, purpose).await;
        };
        let status = self.learn_from(fetch, &reading);
        if reading.strays_in.is_some() {
            // Its parts are read next and would count twice.
            reading.rows = Rows::default();
        }
        match self.books.store(&settled, purpose, reading, status).await {
            Err(LoadError::Overtaken) => self.read_again(&settled, purpose, status).await,
            stored => stored,
        }
    }

    /// A poll and a refresh may overlap, and the first to begin may end last.
    async fn read_again(
        &mut self,
        fetch: &Fetch,
        purpose: Purpose,
        status: Status,
    ) -> Result<WindowReport, LoadError> {
        if status != Status::Split {
            self.overtaken += 1;
            if self.overtaken > MOST_OVERTAKEN {
                let failure = WindowFailure::of_data(&LoadError::Overtaken);
                return self.books.fail(fetch, purpose, failure).await;
            }
            self.planner.again(fetch.planned.window);
        }
        self.gaps_found -= usize::from(status == Status::Gap);
        info!("another window stored other versions meanwhile, reading this one again");
        self.books.overtaken(fetch, purpose).await
    }

    /// The part that has happened at the API, as our clock may be fast.
    fn settled(&self, fetch: &Fetch) -> Option<Fetch> {
        let Window { start, end } = fetch.planned.window;
        let head = self.books.worker.head_at(fetch.began);
        if end <= head {
            return Some(fetch.clone());
        }
        warn!(
            until = telemetry::instant(head),
            remedy = "have this machine's clock set by NTP; the next run reads the rest",
            "the window reaches into what has not happened yet at the API, and counts as read up to there only"
        );
        let mut settled = fetch.clone();
        settled.planned.window = Window { start, end: head };
        (start < head).then_some(settled)
    }

    fn learn_from(&mut self, fetch: &Fetch, reading: &Reading) -> Status {
        let window = fetch.planned.window;
        let starts = reading.rows.starts();
        match reading.verdict {
            Verdict::Drained => {
                self.planner.drained(window, &starts);
                self.see_range(&starts);
                Status::Drained
            }
            Verdict::Elsewhere => {
                self.source
                    .traits
                    .learn(|traits| traits.range = Some(Range::Ignored));
                self.gaps_found += 1;
                Status::Gap
            }
            Verdict::Strays => {
                if let Some(part) = reading.strays_in {
                    self.planner.part_off(window, part);
                    return Status::Split;
                }
                self.gaps_found += 1;
                Status::Gap
            }
            _ if is_a_second(window) => {
                self.gaps_found += 1;
                Status::Gap
            }
            Verdict::Overflow => {
                self.planner
                    .overflowed(fetch.planned, reading.reported_total, &starts);
                Status::Split
            }
            Verdict::Drift => {
                self.planner.drifted(window);
                Status::Split
            }
        }
    }

    fn see_range(&self, starts: &[DateTime<Utc>]) {
        if !starts.is_empty() {
            self.source.traits.learn(|traits| {
                if traits.range == Some(Range::Ignored) {
                    traits.range = None;
                }
            });
        }
    }

    fn purpose(&self, window: Window) -> Purpose {
        if self.gaps.contains(&window) {
            Purpose::Gap
        } else {
            self.job.purpose()
        }
    }

    fn goes_on_after(&mut self, next: Option<Next>) -> bool {
        self.failures_in_a_row = match next {
            Some(Next::EndRun) => return false,
            Some(Next::ContinueIfFew) => self.failures_in_a_row + 1,
            Some(Next::Continue) | None => 0,
        };
        if self.gaps_found >= GAPS_IN_A_RUN {
            warn!(
                gaps = self.gaps_found,
                remedy = "the next run goes on; doctor says what was found out about the API",
                "too many gaps for one run, the rest is left to the next"
            );
            return false;
        }
        if self.failures_in_a_row < FAILURES_IN_A_ROW {
            return true;
        }
        if self.has_turned {
            return false;
        }
        (self.failures_in_a_row, self.has_turned) = (0, true);
        self.planner.turn_round();
        true
    }

    async fn abandon(&mut self, progress: &mut Progress) -> Result<(), LoadError> {
        let mut read = Vec::new();
        while let Some(fetched) = self.tasks.try_join_next_with_id() {
            read.push(fetched);
        }
        // Otherwise they send requests while others are stored.
        self.tasks.shutdown().await;
        for fetched in read {
            self.finish(fetched, progress).await?;
        }
        for fetch in std::mem::take(&mut self.in_flight).into_values() {
            if fetch.tally.requests() > 0 {
                let purpose = self.purpose(fetch.planned.window);
                progress.counters += self.books.book_abandoned(&fetch, purpose).await?;
            }
        }
        Ok(())
    }
}
