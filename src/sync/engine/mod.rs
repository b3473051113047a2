//! One engine an account, while it holds the account's lease. It alone knows what is being read: it takes the
//! next window from the most urgent source, and has windows read side by side and written one after the other.
//! Reads and writes are tasks that it never waits for otherwise than for all that may happen.

mod close;
mod judge;
mod lease;
mod look;
mod read;
mod refused;
mod source;
mod ticks;
mod write;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, debug, error_span, info, warn};

use crate::config::{Cron, RefreshPolicy};
use crate::extract::{LAST_OFFSET, Priority};
use crate::failpoint;
use crate::ledger::accounts::{self, History};
use crate::ledger::problems::Problem;
use crate::ledger::runs::{self, Kind, NewRun, Preparation};
use crate::ledger::{LoadError, Purpose, Status, conflict, recent_counts};
use crate::telemetry::{self, chain};
use crate::time::pulse::Pulse;
use crate::time::window::Window;
use crate::warehouse::left_out;

use super::account::AccountContext;
use super::density::Density;
use super::failure::{Next, WindowFailure};
use super::guard::falls_silent;
use super::headway::Headway;
use super::plan::{Limits, Model, Next as Step, Planned, head};
use super::read::{ApiProfile, Range, ReadError, SharedProfile, Verdict};
use super::report::{Progress, RunReport};
use super::rows::Rows;
use super::time_zone::TimeZoneCheck;

use close::{Closed, Closing};
pub(super) use lease::HeldLease;
use look::Look;
pub(super) use read::{Fetched, WindowSource};
use read::{Found, Task};
use source::{OpenRun, Run, Source, SourceId, Work};
use ticks::Ticks;
pub(super) use write::{Fetch, WindowReport, Writer, is_a_second};

/// Of other sources than the head, which always finds one more; each holds its records in memory.
pub(super) const WINDOWS_IN_FLIGHT: usize = 3;

pub(super) const REQUESTS_OF_A_WINDOW: u64 = LAST_OFFSET as u64 + 1;

pub(super) const DEFAULT_START: TimeDelta = TimeDelta::days(30);

/// About two weeks of polls.
const WINDOWS_REMEMBERED: i64 = 4_000;

/// One in this many goes to whoever waits longest: else a large account never reads its 30 days again.
const TURN_OF_THE_LONGEST_WAIT: u64 = 10;

/// Then the API, or what is between, is down.
const FAILURES_IN_A_ROW: usize = 3;

const REST_AFTER_FAILURES: Duration = Duration::from_secs(300);

/// A run must not spend days on finding gaps.
const GAPS_IN_A_RUN: usize = 20;

/// An interaction that changes all the time must not use up the budget.
const MOST_READ_AGAIN: usize = 10;

/// Doubles each time; a request whose windows failed tries them again after it.
const FIRST_REST: Duration = Duration::from_secs(60);
const RESTS_OF_A_REQUEST: u32 = 3;

const LOOK_EVERY: Duration = Duration::from_secs(5);

const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Takes a moment in a long ledger.
const CHECK_BOOKS_EVERY: TimeDelta = TimeDelta::hours(1);

const NOTE_EVERY: Duration = Duration::from_secs(5);

/// What an engine is to do.
#[derive(Debug)]
pub(super) enum Goal {
    /// All there is, and what comes due, until it is told to stop.
    Serve(Box<Schedule>),
    /// All there is now.
    Everything(Kind),
    /// This request, and the head meanwhile.
    Request(i64),
}

/// When an account is read.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// When what is new is read.
    pub poll: Cron,
    /// What is read again, and when.
    pub policies: Vec<RefreshPolicy>,
    /// Hints that something is due; it is looked for every few seconds anyway.
    pub wake: Arc<Notify>,
}

/// Why an engine stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Finished,
    Rests,
    Stopped,
    HandedOver,
}

/// A window on its way.
#[derive(Debug)]
struct Flight {
    source: SourceId,
    fetch: Fetch,
    span: Span,
}

type ReadTask = (Fetch, Result<Found, LoadError>);

type WasRead = Result<Result<Found, LoadError>, JoinError>;

/// What a written window means for what is left to read.
#[derive(Debug)]
enum Effect {
    Drained(Vec<DateTime<Utc>>),
    Overflowed(Option<u64>, Vec<DateTime<Utc>>),
    Drifted,
    PartOff(Window),
    Gap,
    /// It is not tried again by this run.
    Tried,
    /// The queue knows already.
    Nothing,
}

enum Written {
    Window(Box<WrittenWindow>),
    Closed(Box<Closed>),
}

struct WrittenWindow {
    flight: Flight,
    effect: Effect,
    report: Result<WindowReport, LoadError>,
}

pub(super) struct Engine {
    account: AccountContext,
    held: HeldLease,
    goal: Goal,
    stop: CancellationToken,
    pulse: Arc<Pulse>,
    profile: Arc<SharedProfile>,
    known_profile: ApiProfile,
    model: Model,
    time_zone: TimeZoneCheck,
    kept_from: Option<DateTime<Utc>>,
    watermark: DateTime<Utc>,
    until: DateTime<Utc>,
    /// Up to here the head's queue was filled.
    filled_until: DateTime<Utc>,
    history: Option<History>,
    /// The head is first.
    sources: Vec<Source>,
    gaps: Vec<Window>,
    reads: JoinSet<ReadTask>,
    in_flight: HashMap<Id, Flight>,
    read: VecDeque<(Flight, WasRead)>,
    /// Refused, and undecided why as long as something newer is on its way.
    deferred: Vec<(Flight, ReadError)>,
    writes: JoinSet<Written>,
    opens: JoinSet<(SourceId, Result<i64, LoadError>)>,
    looks: JoinSet<Result<Look, LoadError>>,
    is_look_due: bool,
    books_checked_at: DateTime<Utc>,
    has_looked: bool,
    head_is_done: bool,
    ticks: Ticks,
    windows_begun: u64,
    windows_written: u64,
    failures_in_a_row: usize,
    read_again: usize,
    rests_until: Option<Instant>,
    ended: Vec<i64>,
    /// Of what the goal asks for.
    report: Option<RunReport>,
    /// Of all else.
    others: Option<RunReport>,
}

impl Engine {
    /// Begins from the ledger.
    pub(super) async fn begin(
        account: &AccountContext,
        held: HeldLease,
        goal: Goal,
        stop: CancellationToken,
        pulse: Arc<Pulse>,
    ) -> Result<Self, (HeldLease, LoadError)> {
        let prepared = match Box::pin(prepare(account, &held)).await {
            Ok(prepared) => prepared,
            Err(error) => return Err((held, error)),
        };
        failpoint::reach("run.leased");
        Ok(Self {
            account: account.clone(),
            held,
            goal,
            stop,
            pulse,
            model: Model::new(prepared.density, limits(account, &prepared.profile.get())),
            profile: prepared.profile,
            known_profile: prepared.known,
            time_zone: TimeZoneCheck::default(),
            kept_from: prepared.kept_from,
            watermark: prepared.watermark,
            until: account.head(),
            filled_until: account.head(),
            history: None,
            sources: vec![Source::new(None)],
            gaps: Vec::new(),
            reads: JoinSet::new(),
            in_flight: HashMap::new(),
            read: VecDeque::new(),
            deferred: Vec::new(),
            writes: JoinSet::new(),
            opens: JoinSet::new(),
            looks: JoinSet::new(),
            is_look_due: true,
            books_checked_at: account.clock.now(),
            has_looked: false,
            head_is_done: false,
            ticks: Ticks::default(),
            windows_begun: 0,
            windows_written: 0,
            failures_in_a_row: 0,
            read_again: 0,
            rests_until: None,
            ended: Vec::new(),
            report: None,
            others: None,
        })
    }

    /// Works until the goal is reached or it is told to stop, and gives the lease back.
    pub(super) async fn run(mut self) -> RunReport {
        let worked = loop {
            let worked = self.work().await;
            let wound_up = self.wind_up(&worked).await;
            match (worked, &self.goal, wound_up) {
                (Ok(Why::Rests), Goal::Serve(_), Ok(())) => {
                    let until = Instant::now() + REST_AFTER_FAILURES;
                    self.rests_until = Some(until);
                    self.failures_in_a_row = 0;
                }
                (Err(error), ..) | (Ok(_), _, Err(error)) => break Err(error),
                (Ok(why), ..) => break Ok(why),
            }
        };
        self.held.release().await;
        failpoint::reach("run.released");
        let report = match worked {
            Ok(Why::Finished) => self.report,
            // Before anything came of what was asked for.
            Ok(_) => both(self.report, self.others),
            Err(error) => {
                let ended = RunReport::not_begun(self.account.name(), &error);
                both(self.report, Some(ended))
            }
        };
        report.unwrap_or_else(|| RunReport::idle(self.watermark))
    }

    async fn work(&mut self) -> Result<Why, LoadError> {
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut notes = tokio::time::interval_at(Instant::now() + NOTE_EVERY, NOTE_EVERY);
        notes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beats = tokio::time::interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let wake = match &self.goal {
            Goal::Serve(schedule) => Arc::clone(&schedule.wake),
            _ => Arc::default(),
        };
        let hands_over = !matches!(self.goal, Goal::Serve(_));
        loop {
            self.begin_look();
            self.begin_windows();
            self.begin_write();
            if self.is_finished() {
                return Ok(Why::Finished);
            }
            tokio::select! {
                biased;
                () = self.held.lost.cancelled() => return Err(LoadError::LeaseLost),
                () = self.stop.cancelled() => return Ok(Why::Stopped),
                () = self.held.awaited.cancelled(), if hands_over => return Ok(Why::HandedOver),
                Some(written) = self.writes.join_next() => if self.was_written(joined(written))? {
                    return Ok(Why::Rests);
                },
                Some(read) = self.reads.join_next_with_id() => self.was_read(read),
                Some(opened) = self.opens.join_next() => self.was_opened(joined(opened))?,
                Some(look) = self.looks.join_next() => {
                    let look = joined(look)?;
                    self.take_in(look);
                }
                () = wake.notified() => self.is_look_due = true,
                _ = looks.tick() => self.is_look_due = true,
                // Reads are watched one by one.
                _ = beats.tick() => if self.writes.is_empty() && self.opens.is_empty() && self.looks.is_empty() {
                    self.pulse.beat();
                },
                _ = notes.tick() => self.note_progress(),
            }
        }
    }

    fn is_finished(&self) -> bool {
        match &self.goal {
            Goal::Serve(_) => false,
            Goal::Request(id) => self.ended.contains(id),
            Goal::Everything(_) => {
                self.has_looked
                    && self.head_is_done
                    && self.sources.len() == 1
                    && self.in_flight.is_empty()
                    && self.writes.is_empty()
            }
        }
    }

    fn begin_windows(&mut self) {
        if self.rests_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.model.limits = limits(&self.account, &self.profile.get());
        let mut passed_over = Vec::new();
        while let Some(place) = self.most_urgent(&passed_over) {
            let began = match self.sources[place].run {
                Run::NotBegun => {
                    self.open_run(place);
                    true
                }
                Run::Opening => false,
                Run::Open(_) => self.begin_window(place),
            };
            if !began {
                passed_over.push(self.sources[place].id());
            }
        }
    }

    /// The source of the next window.
    fn most_urgent(&self, passed_over: &[SourceId]) -> Option<usize> {
        let has_room = |source: &Source| match source.priority(self.until) {
            Priority::Head => self.on_their_way() <= WINDOWS_IN_FLIGHT,
            Priority::Other => self.on_their_way() < self.windows_in_flight(),
        };
        let waiting = self.sources.iter().enumerate().filter(|(_, source)| {
            source.has_work()
                && !source.is_resting()
                && !matches!(source.run, Run::Opening)
                && !passed_over.contains(&source.id())
                && has_room(source)
        });
        if self.windows_begun % TURN_OF_THE_LONGEST_WAIT == TURN_OF_THE_LONGEST_WAIT - 1 {
            waiting.min_by_key(|(_, source)| source.served)
        } else {
            waiting.min_by_key(|(_, source)| source.urgency(self.until))
        }
        .map(|(place, _)| place)
    }

    /// Windows that are read, wait to be written, or are written.
    fn on_their_way(&self) -> usize {
        self.in_flight.len() + self.read.len() + self.writes.len()
    }

    fn windows_in_flight(&self) -> usize {
        // No window of an API that ignores ranges is drained.
        if self.profile.get().range == Some(Range::Ignored) {
            1
        } else {
            WINDOWS_IN_FLIGHT
        }
    }

    fn open_run(&mut self, place: usize) {
        let kind = self.kind_of(place);
        let source = &mut self.sources[place];
        source.run = Run::Opening;
        let id = source.id();
        let request = source.request.as_ref();
        let (policy, range) = (
            request.and_then(|request| request.policy.clone()),
            request.map(|request| request.range),
        );
        let (account, lease, watermark) = (self.account.clone(), self.held.lease.clone(), self.watermark);
        self.opens.spawn(async move {
            let new = NewRun {
                lease: &lease,
                kind,
                at: account.clock.now(),
                request_id: id,
                policy: policy.as_deref(),
                range,
                watermark,
            };
            let opening = || runs::open(&account.pool, &new);
            (id, conflict::retry(account.name(), opening).await)
        });
    }

    fn was_opened(&mut self, (id, opened): (SourceId, Result<i64, LoadError>)) -> Result<(), LoadError> {
        let run_id = opened?;
        failpoint::reach("run.opened");
        let Some(place) = self.place(id) else {
            return Ok(());
        };
        let kind = self.kind_of(place);
        if kind != Kind::Verify {
            self.profile.change(ApiProfile::begin_run);
        }
        let span = error_span!("run", account = self.account.name(), kind = kind.as_str(), run_id);
        let source = &mut self.sources[place];
        if let Work::Windows(queue) = &source.work {
            let (records, windows) = queue.expected_left(&self.model.density);
            span.in_scope(|| {
                info!(
                    windows_expected = windows,
                    records_expected = records.round().abs(),
                    watermark = %telemetry::instant(self.watermark),
                    "run started"
                );
            });
        }
        source.run = Run::Open(Box::new(OpenRun {
            id: run_id,
            kind,
            began: Instant::now(),
            progress: Progress::from(self.watermark),
            watermark: self.watermark,
            span,
        }));
        if id.is_none()
            && let Some(history) = self.history.take()
        {
            self.try_history(history.served_from);
        }
        Ok(())
    }

    fn kind_of(&self, place: usize) -> Kind {
        match (&self.sources[place].request, &self.goal) {
            (None, Goal::Everything(kind)) => *kind,
            (None, _) => Kind::Poll,
            (Some(request), _) => match request.purpose {
                Purpose::Refresh | Purpose::Open => Kind::Refresh,
                Purpose::Verify => Kind::Verify,
                _ => Kind::Backfill,
            },
        }
    }

    /// `false`: its next window has to wait.
    fn begin_window(&mut self, place: usize) -> bool {
        let in_flight = self.on_their_way();
        let priority = self.sources[place].priority(self.until);
        let source = &mut self.sources[place];
        let (planned, task) = match &mut source.work {
            Work::Windows(queue) => {
                let Step::Read(planned) = queue.next(&self.model, in_flight) else {
                    return false;
                };
                let is_being_read = self
                    .in_flight
                    .values()
                    .any(|flight| flight.fetch.planned.window.overlaps(planned.window));
                if is_being_read {
                    // Whoever reads it may serve this source, too.
                    queue.again(planned.window);
                    return false;
                }
                (planned, Task::Window)
            }
            Work::Days(days) => {
                let (Some(first), Some(last)) = (days.front(), days.back()) else {
                    return false;
                };
                let all = Window {
                    start: first.start,
                    end: last.end,
                };
                let request = source.request.as_ref();
                let task = Task::Compare {
                    days: std::mem::take(days).into(),
                    model: Box::new(self.model.clone()),
                    request: request.map_or(0, |request| request.id),
                    by_identity: request.is_some_and(|request| request.by_identity),
                };
                (Planned::whole(all), task)
            }
        };
        self.begin_task(place, planned, task, priority);
        true
    }

    fn begin_task(&mut self, place: usize, planned: Planned, task: Task, priority: Priority) {
        let fetch = Fetch::begin(planned, self.account.clock.now(), Arc::default());
        let Some(writer) = self.writer(place, planned.window) else {
            return;
        };
        let source = &mut self.sources[place];
        let Run::Open(run) = &source.run else { return };
        let span = error_span!(parent: &run.span, "window", range = %planned.window);
        self.windows_begun += 1;
        source.served = self.windows_begun;
        source.in_flight += 1;
        let flight = Flight {
            source: source.id(),
            fetch,
            span,
        };
        self.spawn_read(flight, task, priority, writer);
    }

    fn spawn_read(&mut self, flight: Flight, task: Task, priority: Priority, writer: Writer) {
        let source = WindowSource {
            account: self.account.clone(),
            profile: Arc::clone(&self.profile),
            priority,
        };
        let mut fetch = flight.fetch.clone();
        let span = flight.span.clone();
        let (pulse, stall) = (Arc::clone(fetch.tally.pulse()), self.account.settings.stall);
        let finding = async move {
            let found = tokio::select! {
                found = source.find(task, &mut fetch, writer) => found,
                () = falls_silent(&pulse, stall) => Ok(Found::Silent),
            };
            (fetch, found)
        };
        let task = self.reads.spawn(finding.instrument(span));
        self.in_flight.insert(task.id(), flight);
    }

    /// Asks further for a window that was read.
    fn go_on(&mut self, flight: Flight, task: Task) {
        let Some(place) = self.place(flight.source) else {
            return;
        };
        let Some(writer) = self.writer(place, flight.fetch.planned.window) else {
            return;
        };
        let priority = self.sources[place].priority(self.until);
        self.spawn_read(flight, task, priority, writer);
    }

    fn writer(&self, place: usize, window: Window) -> Option<Writer> {
        let source = &self.sources[place];
        let Run::Open(run) = &source.run else {
            return None;
        };
        Some(Writer {
            account: self.account.clone(),
            lease: self.held.lease.clone(),
            run_id: run.id,
            purpose: source.purpose(window, &self.gaps),
            kept_from: self.kept_from,
            basis: self.profile.get().basis,
        })
    }

    fn was_read(&mut self, read: Result<(Id, ReadTask), JoinError>) {
        let id = read.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(mut flight) = self.in_flight.remove(&id) else {
            return;
        };
        let found = match read {
            Ok((_, (fetch, found))) => {
                flight.fetch = fetch;
                Ok(found)
            }
            Err(error) => Err(error),
        };
        self.read.push_back((flight, found));
    }

    fn begin_write(&mut self) {
        while self.writes.is_empty() {
            let Some((flight, found)) = self.read.pop_front() else {
                return;
            };
            self.write(flight, found);
        }
    }

    fn write(&mut self, flight: Flight, found: Result<Result<Found, LoadError>, JoinError>) {
        let _span = flight.span.clone().entered();
        match found {
            Ok(Ok(Found::Window(Ok(fetched)))) => self.write_fetched(flight, fetched),
            Ok(Ok(Found::Window(Err(error)))) if error.is_refusal() => self.refused(flight, error),
            Ok(Ok(Found::Window(Err(error)))) => self.fail(flight, WindowFailure::of_reading(&error)),
            Ok(Ok(Found::Silent)) => self.fail(flight, WindowFailure::silent()),
            Ok(Ok(Found::IsEdge { edge, is_edge, error })) => {
                if is_edge {
                    self.end_history(flight, edge);
                } else {
                    self.refused_otherwise(flight, &error);
                }
            }
            Ok(Ok(Found::History(still))) => self.note_history(flight, still),
            Ok(Ok(Found::Compared(report))) => {
                let effect = if report.failure.is_some() {
                    Effect::Tried
                } else {
                    Effect::Nothing
                };
                self.spawn_write(flight, effect, async move |_, _| Ok(report));
            }
            Ok(Err(error)) => {
                self.spawn_write(flight, Effect::Nothing, async move |_, _| Err(error));
            }
            Err(error) => self.fail(flight, WindowFailure::of_task(&error)),
        }
    }

    fn write_fetched(&mut self, mut flight: Flight, mut fetched: Fetched) {
        let window = flight.fetch.planned.window;
        let Some(place) = self.place(flight.source) else {
            return;
        };
        let source = &mut self.sources[place];
        if source.horizon.served(window)
            && let Work::Windows(queue) = &mut source.work
        {
            queue.unpark();
        }
        if fetched.reading.verdict == Verdict::Elsewhere && self.profile.get().range == Some(Range::Ignored) {
            // Its gap must not grow at every poll.
            return self.fail(flight, WindowFailure::elsewhere());
        }
        self.time_zone.see(fetched.rows.interactions.values());
        let Some(settled) = self.settled(&flight.fetch) else {
            let why = "not read: it has not happened yet at the API";
            return self.put_aside(flight, Problem::warning("not_happened_yet", why, ""));
        };
        let rest = window.without(settled.planned.window);
        self.sources[place].tried.extend(rest);
        flight.fetch = settled.clone();
        let window = settled.planned.window;
        let (status, effect) = self.effect_of(window, &fetched);
        if fetched.reading.strays_in.is_some() {
            // Its parts are read next and would count twice.
            fetched.rows = Rows::default();
        }
        self.spawn_write(flight, effect, async move |writer, _| {
            writer.store(&settled, fetched, status).await
        });
    }

    fn effect_of(&mut self, window: Window, Fetched { reading, rows }: &Fetched) -> (Status, Effect) {
        let starts = rows.starts();
        match reading.verdict {
            Verdict::Drained => {
                if !starts.is_empty() {
                    self.profile.change(|profile| {
                        profile.range = profile.range.filter(|range| *range != Range::Ignored);
                    });
                }
                (Status::Drained, Effect::Drained(starts))
            }
            Verdict::Elsewhere => {
                self.profile
                    .change(|profile| profile.range = Some(Range::Ignored));
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

    /// The part that has happened at the API, as our clock may be fast.
    fn settled(&self, fetch: &Fetch) -> Option<Fetch> {
        let Window { start, end } = fetch.planned.window;
        let head = self.account.head_at(fetch.began);
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

    fn fail(&mut self, flight: Flight, failure: WindowFailure) {
        self.spawn_write(flight, Effect::Tried, async move |writer, fetch| {
            writer.fail(&fetch, failure).await
        });
    }

    fn put_aside(&mut self, flight: Flight, why: Problem) {
        self.spawn_write(flight, Effect::Tried, async move |writer, fetch| {
            writer.put_aside(&fetch, &why).await
        });
    }

    fn spawn_write<F>(
        &mut self,
        flight: Flight,
        effect: Effect,
        write: impl FnOnce(Writer, Fetch) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<WindowReport, LoadError>> + Send + 'static,
    {
        let place = self.place(flight.source);
        let Some(writer) = place.and_then(|place| self.writer(place, flight.fetch.planned.window)) else {
            return;
        };
        let span = flight.span.clone();
        let writing = async move {
            let report = write(writer, flight.fetch.clone()).await;
            Written::Window(Box::new(WrittenWindow {
                flight,
                effect,
                report,
            }))
        };
        self.writes.spawn(writing.instrument(span));
    }

    /// `true`: too much fails, all has to rest.
    fn was_written(&mut self, written: Written) -> Result<bool, LoadError> {
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

    fn learn_from(&mut self, flight: &Flight, effect: Effect, report: WindowReport) -> bool {
        let planned = flight.fetch.planned;
        let window = planned.window;
        let Some(place) = self.place(flight.source) else {
            return false;
        };
        self.watermark = report.watermark.unwrap_or(self.watermark);
        let has_failed = report.failure.is_some();
        let leaves_streak = matches!(effect, Effect::Nothing);
        if report.again {
            self.again(place, window);
        } else {
            match effect {
                Effect::Drained(starts) if !has_failed => self.drained(place, &flight.fetch, &starts),
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

    fn is_too_much(&mut self, place: usize, next: Option<Next>) -> bool {
        match next {
            Some(Next::EndRun) => return true,
            Some(Next::ContinueIfFew) => {
                self.failures_in_a_row += 1;
                // What cannot be read may lie side by side.
                self.queue(place, super::plan::Queue::turn_round);
            }
            Some(Next::Continue) | None => self.failures_in_a_row = 0,
        }
        self.failures_in_a_row >= FAILURES_IN_A_ROW
    }

    fn drained(&mut self, place: usize, fetch: &Fetch, starts: &[DateTime<Utc>]) {
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

    fn again(&mut self, place: usize, window: Window) {
        self.read_again += 1;
        if self.read_again > MOST_READ_AGAIN {
            self.sources[place].tried.push(window);
        } else {
            self.queue(place, |queue| queue.again(window));
        }
    }

    fn queue(&mut self, place: usize, change: impl FnOnce(&mut super::plan::Queue)) {
        if let Work::Windows(queue) = &mut self.sources[place].work {
            change(queue);
        }
    }

    fn place(&self, id: SourceId) -> Option<usize> {
        self.sources.iter().position(|source| source.id() == id)
    }

    /// Records what was on its way, and closes all runs.
    async fn wind_up(&mut self, worked: &Result<Why, LoadError>) -> Result<(), LoadError> {
        while let Some(read) = self.reads.try_join_next_with_id() {
            self.was_read(read);
        }
        // Otherwise they send requests while others are written.
        self.reads.shutdown().await;
        self.looks.shutdown().await;
        let mut ended = Ok(());
        if worked.is_ok() {
            ended = self.write_rest().await;
        } else {
            // A COMMIT on its way is let through.
            while self.writes.join_next().await.is_some() {}
        }
        while let Some(opened) = self.opens.join_next().await {
            let _ = self.was_opened(joined(opened));
        }
        self.read.clear();
        self.deferred.clear();
        self.in_flight.clear();
        let closings: Vec<Closing> = (0..self.sources.len())
            .filter_map(|place| self.stop_run(place, worked))
            .collect();
        for closing in closings {
            let closed = closing.run().await;
            let result = self.was_closed(closed);
            ended = ended.and(result);
        }
        for source in &mut self.sources {
            source.in_flight = 0;
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
            let place = self.place(flight.source);
            let compares = place.is_some_and(|place| matches!(self.sources[place].work, Work::Days(_)));
            // A comparison records its windows itself.
            if compares || flight.fetch.tally.requests() == 0 {
                continue;
            }
            let Some(writer) = place.and_then(|place| self.writer(place, flight.fetch.planned.window)) else {
                continue;
            };
            let why = Problem::warning("run_ended", "not read: the run ended before", "");
            let report = writer.put_aside(&flight.fetch, &why).await?;
            if let Some(Run::Open(run)) = place.map(|place| &mut self.sources[place].run) {
                run.progress.add(report);
            }
        }
        Ok(())
    }

    fn note_progress(&self) {
        for source in &self.sources {
            let Run::Open(run) = &source.run else { continue };
            let (pool, run_id, counters) = (self.account.pool.clone(), run.id, run.progress.counters);
            let left = self.headway_of(source, run).requests_left;
            tokio::spawn(async move {
                let noted = runs::note_progress(&pool, run_id, &counters, left);
                match tokio::time::timeout(NOTE_EVERY, noted).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => debug!(error = %chain(&error), "could not note how far the run is"),
                    Err(_) => debug!("could not note how far the run is in time"),
                }
            });
        }
    }

    fn publish_headway(&self) {
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
        match &source.work {
            Work::Windows(queue) => {
                let reading: f64 = flights().map(|flight| flight.fetch.planned.expected).sum();
                let (records, windows) = queue.expected_left(&self.model.density);
                Headway::new(
                    run.progress.counters,
                    records + reading,
                    windows + flights().count(),
                )
            }
            Work::Days(_) => {
                let mut counters = run.progress.counters;
                flights().for_each(|flight| counters += flight.fetch.counters());
                Headway::new(counters, 0.0, flights().count())
            }
        }
    }
}

struct Prepared {
    kept_from: Option<DateTime<Utc>>,
    watermark: DateTime<Utc>,
    profile: Arc<SharedProfile>,
    known: ApiProfile,
    density: Density,
}

async fn prepare(account: &AccountContext, held: &HeldLease) -> Result<Prepared, LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    let kept_from = account.kept_from().await?;
    left_out::check_key(pool, account.settings.policy.key.as_ref()).await?;
    accounts::check(pool, account_id).await?;
    let at = account.clock.now();
    let preparation = Preparation {
        account: account.api.account(),
        default_start: head(at - DEFAULT_START, Duration::ZERO),
        kept_from,
        at,
    };
    let preparing = || runs::prepare(pool, &held.lease, &preparation);
    let ready = conflict::retry(account.name(), preparing).await?;
    if ready.coverage_began_anew {
        warn!("the account's filters have changed: coverage begins anew, everything is read again");
    }
    // Unreadable (newer version, manual edit): learn again.
    let known: ApiProfile =
        serde_json::from_value(accounts::traits(pool, account_id).await?).unwrap_or_default();
    let profile = Arc::new(SharedProfile::default());
    profile.set(known.clone().of_an_earlier_process());
    let mut density = Density::default();
    for (window, records) in recent_counts(pool, account_id, WINDOWS_REMEMBERED).await? {
        density.observe_count(window, records);
    }
    Ok(Prepared {
        kept_from,
        watermark: ready.watermark,
        profile,
        known,
        density,
    })
}

fn both(one: Option<RunReport>, other: Option<RunReport>) -> Option<RunReport> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}

fn limits(account: &AccountContext, profile: &ApiProfile) -> Limits {
    Limits {
        reach: profile.reach() as u64,
        totals: profile.gives_totals(),
        longest: profile.longest_window(),
        time_zone_offset: account.api.account().time_zone_offset,
    }
}

/// A task of the engine that panicked ends the engine, which is begun anew from the ledger.
fn joined<T>(task: Result<T, JoinError>) -> T {
    task.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
}
