//! Begins an engine, its runs and its windows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error_span, info, warn};

use crate::extract::Priority;
use crate::failpoint;
use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::runs::{Kind, NewRun};
use crate::ledger::{LoadError, Purpose, accounts, conflict, recent_counts, runs};
use crate::telemetry::{self, chain};
use crate::time::{Pulse, Window};
use crate::warehouse::left_out;

use super::super::account::{AccountContext, HeldLease};
use super::super::density::Density;
use super::super::plan::{Limits, Model, Planned};
use super::super::read::{ApiProfile, Knowledge, Range};
use super::super::report::RunReport;
use super::super::time_zone::TimeZoneCheck;
use super::read::{Task, WindowSource};
use super::source::{OpenRun, Run, Source, SourceId};
use super::write::{Fetch, Writer};
use super::{Engine, Flight, Goal, Opened, TURN_OF_THE_LONGEST_WAIT, WINDOWS_AS_ROWS, WINDOWS_IN_FLIGHT};

/// About two weeks of polls.
const WINDOWS_REMEMBERED: i64 = 4_000;

/// Works under the lease until the goal is reached or it is stopped, then releases it.
pub(in crate::sync) async fn work(
    account: &AccountContext,
    held: HeldLease,
    goal: Goal,
    stop: CancellationToken,
    pulse: Arc<Pulse>,
) -> RunReport {
    match Box::pin(prepare(account, &held)).await {
        Ok(prepared) => {
            failpoint::reach("run.leased");
            let engine = Engine::new(account, held, goal, stop, pulse, prepared);
            Box::pin(engine.run()).await
        }
        Err(error) => {
            held.release().await;
            RunReport::not_begun(account.name(), &error)
        }
    }
}

impl Engine {
    fn new(
        account: &AccountContext,
        held: HeldLease,
        goal: Goal,
        stop: CancellationToken,
        pulse: Arc<Pulse>,
        prepared: Prepared,
    ) -> Self {
        let profile = prepared.known.clone().of_an_earlier_process();
        let limits = Limits::of(&profile, account.api.account().time_zone_offset);
        Self {
            account: account.clone(),
            held,
            goal,
            stop,
            pulse,
            model: Model::new(prepared.density, limits),
            profile,
            room_for_rows: Arc::new(Semaphore::new(WINDOWS_AS_ROWS)),
            known_profile: prepared.known,
            time_zone: TimeZoneCheck::default(),
            kept_from: prepared.kept_from,
            until: account.head(),
            filled_until: account.head(),
            history: None,
            sources: vec![Source::default()],
            gaps: Vec::new(),
            reads: JoinSet::new(),
            in_flight: HashMap::new(),
            read: VecDeque::new(),
            writes: JoinSet::new(),
            opens: JoinSet::new(),
            looks: JoinSet::new(),
            is_look_due: true,
            head_is_done: false,
            looked_at: None,
            windows_begun: 0,
            windows_written: 0,
            failures_in_a_row: 0,
            rests_until: None,
            goal_has_ended: false,
            report: RunReport::new(),
            others: RunReport::new(),
        }
    }

    pub(super) fn begin_windows(&mut self) {
        if self.rests_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.model.limits = Limits::of(&self.profile, self.model.limits.time_zone_offset);
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

    fn most_urgent(&self, passed_over: &[SourceId]) -> Option<usize> {
        // If the API ignores ranges, no window can be drained.
        let is_ignored = self.profile.range == Some(Range::Ignored);
        let has_room = |source: &Source| match source.priority(self.until) {
            Priority::Head => self.on_their_way() <= WINDOWS_IN_FLIGHT,
            Priority::Other if is_ignored => self.on_their_way() < 1,
            Priority::Other => self.on_their_way() < WINDOWS_IN_FLIGHT,
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

    /// Read, waiting to be written, or being written.
    fn on_their_way(&self) -> usize {
        self.in_flight.len() + self.read.len() + self.writes.len()
    }

    fn open_run(&mut self, place: usize) {
        let kind = self.kind_of(place);
        let source = &mut self.sources[place];
        source.run = Run::Opening;
        let (id, request) = (source.id(), source.request.clone());
        let (account, lease) = (self.account.clone(), self.held.lease.clone());
        self.opens.spawn(async move {
            let new = NewRun {
                lease: &lease,
                kind,
                at: account.clock.now(),
                request_id: id,
                policy: request.as_ref().and_then(|request| request.policy.as_deref()),
            };
            let opening = || runs::open(&account.pool, &new);
            let (run_id, watermark) = conflict::retry(account.name(), opening).await?;
            Ok((id, run_id, watermark))
        });
    }

    pub(super) fn was_opened(&mut self, opened: Result<Opened, LoadError>) -> Result<(), LoadError> {
        let (id, run_id, watermark) = opened?;
        failpoint::reach("run.opened");
        let Some(place) = self.place(id) else {
            return Ok(());
        };
        let kind = self.kind_of(place);
        let span = error_span!("run", account = self.account.name(), kind = kind.as_str(), run_id);
        let source = &mut self.sources[place];
        if kind != Kind::Verify {
            self.profile.begin_run();
            let (records, windows) = source.queue.expected_left(&self.model.density);
            span.in_scope(|| {
                info!(
                    windows_expected = windows,
                    records_expected = records.round().abs(),
                    watermark = %telemetry::instant(watermark),
                    "run started"
                );
            });
        }
        source.run = Run::Open(Box::new(OpenRun {
            id: run_id,
            began: Instant::now(),
            report: RunReport::new(),
            span,
        }));
        if id.is_none()
            && let Some(history) = self.history.take()
        {
            self.try_history(history.served_from);
        }
        Ok(())
    }

    pub(super) fn kind_of(&self, place: usize) -> Kind {
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
        let days = std::mem::take(&mut source.days);
        if let (Some(request), Some(first), Some(last)) = (&source.request, days.first(), days.last()) {
            let all = Window::new(first.start, last.end);
            let task = Task::Compare {
                request: request.id,
                by_identity: request.by_identity,
                model: Box::new(self.model.clone()),
                days,
            };
            self.begin_task(place, Planned::whole(all), task, priority);
            return true;
        }
        let Some(planned) = source.queue.next(&self.model, in_flight) else {
            return false;
        };
        if self.being_read().any(|window| window.overlaps(planned.window)) {
            // The window in flight may serve this source too.
            self.sources[place].queue.again(planned.window);
            return false;
        }
        self.begin_task(place, planned, Task::Window, priority);
        true
    }

    pub(super) fn begin_task(&mut self, place: usize, planned: Planned, task: Task, priority: Priority) {
        let fetch = Fetch::begin(planned, self.account.clock.now());
        let source = &mut self.sources[place];
        let Run::Open(run) = &source.run else { return };
        let span = error_span!(parent: &run.span, "window", range = %planned.window);
        self.windows_begun += 1;
        source.served = self.windows_begun;
        source.in_flight += 1;
        let flight = Flight {
            source: source.id(),
            priority,
            fetch,
            span,
        };
        self.spawn_read(flight, task);
    }

    pub(super) fn spawn_read(&mut self, flight: Flight, task: Task) {
        let Some(writer) = self.writer(&flight) else {
            return;
        };
        let source = WindowSource {
            account: self.account.clone(),
            room_for_rows: Arc::clone(&self.room_for_rows),
            priority: flight.priority,
        };
        let (mut fetch, mut known) = (flight.fetch.clone(), Knowledge::of(self.profile.clone()));
        let span = flight.span.clone();
        let finding = async move {
            let found = source.find(task, &mut fetch, &mut known, writer).await;
            (fetch, known, found)
        };
        let task = self.reads.spawn(finding.instrument(span));
        self.in_flight.insert(task.id(), flight);
    }

    pub(super) fn writer(&self, flight: &Flight) -> Option<Writer> {
        let source = &self.sources[self.place(flight.source)?];
        let Run::Open(run) = &source.run else {
            return None;
        };
        Some(Writer {
            account: self.account.clone(),
            lease: self.held.lease.clone(),
            run_id: run.id,
            purpose: source.purpose(flight.fetch.planned.window, &self.gaps),
            kept_from: self.kept_from,
            basis: self.profile.basis,
        })
    }
}

struct Prepared {
    kept_from: Option<DateTime<Utc>>,
    known: ApiProfile,
    density: Density,
}

/// Why it must not is a problem until it may: no run tells it.
async fn may_begin(account: &AccountContext) -> Result<(), LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    let checked = match left_out::check_key(pool, account.policy.key.as_ref()).await {
        Ok(_) => accounts::check(pool, account_id).await.map(drop),
        Err(error) => Err(error),
    };
    if let Err(error @ (LoadError::ErasureKey | LoadError::Impossible(_))) = &checked {
        let why = chain(error).to_string();
        let raised = problems::raise(pool, account_id, ProblemCode::CannotBegin, &why).await;
        // The first error is the one to tell.
        raised.ok();
    }
    checked?;
    let clearing = || problems::clear(pool, account_id, ProblemCode::CannotBegin);
    conflict::retry(account.name(), clearing).await?;
    Ok(())
}

async fn prepare(account: &AccountContext, held: &HeldLease) -> Result<Prepared, LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    let kept_from = account.kept_from().await?;
    may_begin(account).await?;
    let preparation = account.preparation(kept_from);
    let preparing = || runs::prepare(pool, &held.lease, &preparation);
    if conflict::retry(account.name(), preparing).await? {
        warn!(
            account = account.name(),
            "the account's filters have changed: coverage begins anew, everything is read again"
        );
    }
    // Unreadable (newer version, manual edit): learn again.
    let known: ApiProfile =
        serde_json::from_value(accounts::traits(pool, account_id).await?).unwrap_or_default();
    let mut density = Density::default();
    for (window, records) in recent_counts(pool, account_id, WINDOWS_REMEMBERED).await? {
        density.observe_count(window, records);
    }
    Ok(Prepared {
        kept_from,
        known,
        density,
    })
}
