//! One run of one account: lease, plan, drive, close.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error_span, warn};

use crate::extract::ApiClient;
use crate::failpoint;
use crate::ledger::accounts;
use crate::ledger::conflict;
use crate::ledger::leases;
use crate::ledger::problems::Problem;
use crate::ledger::runs::{self, Finished, Kind, NewRun, OpenRun, Outcome};
use crate::ledger::{LoadError, Purpose, Status};
use crate::postgres::Pool;
use crate::telemetry::{self, chain};
use crate::time::clock::Clock;
use crate::time::pulse::Pulse;
use crate::time::window::Window;
use crate::transform::privacy::Policy;
use crate::warehouse::left_out::{self, StoreLimits};
use crate::warehouse::retention;
use crate::warehouse::{Committed, WindowCommit, commit_window};

use super::density::Density;
use super::headway::Headway;
use super::job::Job;
use super::lease::{Held, LeaseKeeper};
use super::liveness::{Liveness, first_window_after, stalled_after};
use super::plan::head;
use super::report::{Progress, RunReport};
use super::time_zone::TimeZoneCheck;
use super::traits::{ApiTraits, SharedTraits};
use super::work::Task;

const CHECK_LEDGER: TimeDelta = TimeDelta::hours(1);

pub(super) const DEFAULT_START: TimeDelta = TimeDelta::days(30);

/// Timeout for a yielding run, or longer by the budget.
const PATIENCE_WITH_BACKFILL: Duration = Duration::from_secs(600);
const LOOK_FOR_LEASE: Duration = Duration::from_secs(1);

/// One proves nothing: a backfill may be releasing the lease or opening its run.
const ASKED_IN_VAIN: u32 = 2;

/// Loads one account.
#[derive(Debug)]
pub struct AccountWorker {
    /// The account's API.
    pub api: Arc<ApiClient>,
    /// The database.
    pub pool: Pool,
    /// Settings.
    pub settings: WorkerSettings,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Lease holder name.
    pub holder: String,
    /// Progress of the current run.
    pub headway: watch::Sender<Option<Headway>>,
    /// Whether it makes progress.
    pub liveness: Arc<Liveness>,
    pub(super) traits: Arc<SharedTraits>,
    pub(super) time_zone: TimeZoneCheck,
    pub(super) lease: LeaseKeeper,
    /// Windows that share interactions would block each other.
    commits: AsyncMutex<()>,
    pub(super) spent_learned_at: AsyncMutex<Option<Instant>>,
    pub(super) density: Mutex<Option<Density>>,
    kept_from: Mutex<Option<DateTime<Utc>>>,
    ledger_checked_at: AsyncMutex<Option<DateTime<Utc>>>,
}

/// Settings of a worker.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// How far behind now windows end.
    pub settle: Duration,
    /// How late an interaction may be published.
    pub late: TimeDelta,
    /// How long bulk missing lasts until it is marked without an operator.
    pub missing_confirm: TimeDelta,
    /// Lease duration without renewal.
    pub lease: Duration,
    /// Allowed time without progress.
    pub stall: Duration,
    /// Whether raw records are kept.
    pub keep_raw: bool,
    /// Maximum age; `None` if unlimited.
    pub retention: Option<TimeDelta>,
    /// Privacy rules.
    pub policy: Arc<Policy>,
}

/// The midnight (UTC) from which interactions are kept.
pub fn kept_from(now: DateTime<Utc>, retention: TimeDelta) -> Option<DateTime<Utc>> {
    let kept = now.checked_sub_signed(retention)?;
    Some(kept.date_naive().and_time(NaiveTime::MIN).and_utc())
}

impl AccountWorker {
    /// Takes leases as `holder`.
    pub fn new(
        api: ApiClient,
        pool: Pool,
        settings: WorkerSettings,
        clock: Arc<dyn Clock>,
        holder: String,
    ) -> Self {
        Self {
            api: Arc::new(api),
            pool,
            settings,
            clock,
            holder,
            headway: watch::Sender::new(None),
            liveness: Arc::default(),
            traits: Arc::default(),
            time_zone: TimeZoneCheck::default(),
            lease: LeaseKeeper::default(),
            commits: AsyncMutex::default(),
            spent_learned_at: AsyncMutex::default(),
            density: Mutex::default(),
            kept_from: Mutex::default(),
            ledger_checked_at: AsyncMutex::default(),
        }
    }

    /// Allowed time without progress.
    pub fn stalled_after(&self) -> Duration {
        stalled_after(self.settings.stall, self.api.account().limits)
    }

    /// Observed behaviour.
    pub fn traits(&self) -> ApiTraits {
        self.traits.get()
    }

    pub(super) fn kept_from(&self) -> Option<DateTime<Utc>> {
        *self.kept_from.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn reckon_retention(&self) -> Result<(), LoadError> {
        if let Some(retention) = self.settings.retention {
            let now = self.clock.now().min(self.api.now());
            let now = retention::cautious_now(&self.pool, now).await?;
            *self.kept_from.lock().unwrap_or_else(PoisonError::into_inner) = kept_from(now, retention);
        }
        Ok(())
    }

    async fn check_books(&self, account_id: &str) -> Result<(), LoadError> {
        let now = self.clock.now();
        let mut checked = self.ledger_checked_at.lock().await;
        let thoroughly = checked.is_none_or(|at| (now - at).abs() >= CHECK_LEDGER);
        accounts::check(&self.pool, account_id, thoroughly).await?;
        if thoroughly {
            *checked = Some(now);
        }
        Ok(())
    }

    /// Follows the slower clock, ours or the API's.
    pub(super) fn head(&self) -> DateTime<Utc> {
        self.head_at(Instant::now())
    }

    pub(super) fn head_at(&self, then: Instant) -> DateTime<Utc> {
        let now = self.clock.now().min(self.api.now());
        let ago = self.clock.elapsed(then);
        head(now, self.settings.settle.saturating_add(ago))
    }

    pub(super) fn limits_of_storing(&self) -> StoreLimits<'_> {
        StoreLimits {
            account_id: &self.api.account().account_id,
            key: self.settings.policy.key.as_ref(),
            kept_from: self.kept_from(),
        }
    }

    /// Does the job. `stop` ends it after the current write. Errors are logged.
    pub async fn run(&self, job: &Job, stop: &CancellationToken) -> RunReport {
        self.run_watched(job, stop, &Arc::default()).await
    }

    /// The same, with a pulse.
    pub async fn run_watched(&self, job: &Job, stop: &CancellationToken, pulse: &Arc<Pulse>) -> RunReport {
        let run = Box::pin(self.run_under_lease(job, stop, pulse));
        if *job == Job::Poll {
            self.liveness.begin();
        }
        let report = self.watch(job.kind(), job.gives_way(), run).await;
        if *job == Job::Poll {
            self.liveness.ended(&report);
        }
        report
    }

    /// Counts a crash as a failed run.
    pub fn crashed(&self, job: &Job, problem: Problem, took: Duration) {
        telemetry::run_finished(
            &self.api.account().name,
            job.kind().as_str(),
            Outcome::Failed.as_str(),
            took,
        );
        if *job == Job::Poll {
            self.liveness.ended(&RunReport::crashed(problem));
        }
    }

    pub(super) async fn watch(
        &self,
        kind: Kind,
        gives_way: bool,
        run: impl Future<Output = Result<Option<RunReport>, LoadError>>,
    ) -> RunReport {
        let account = self.api.account();
        let span = error_span!(
            "run",
            account = account.name,
            kind = kind.as_str(),
            run_id = tracing::field::Empty
        );
        async {
            let began = Instant::now();
            let report = match run.await {
                Ok(Some(report)) => report,
                Ok(None) => RunReport::skipped(),
                Err(error) => {
                    telemetry::database_error(&account.name, error.kind());
                    RunReport::not_begun(&error)
                }
            };
            if report.outcome == Outcome::Skipped && gives_way {
                debug!("another worker has the account");
            } else if report.was_idle {
                debug!("nothing to read");
            } else {
                telemetry::run_finished(
                    &account.name,
                    kind.as_str(),
                    report.outcome.as_str(),
                    began.elapsed(),
                );
                report.log(kind, began.elapsed());
            }
            report
        }
        .instrument(span)
        .await
    }

    async fn run_under_lease(
        &self,
        job: &Job,
        stop: &CancellationToken,
        pulse: &Arc<Pulse>,
    ) -> Result<Option<RunReport>, LoadError> {
        let leasing = self.hold_lease(job.gives_way(), stop);
        let Some(held) = pulse.while_waiting(leasing).await? else {
            return Ok(None);
        };
        failpoint::reach("run.leased");
        let report = Box::pin(self.keep_books(&held, job, stop, pulse)).await;
        failpoint::reach("run.closed");
        self.lease.release(held, &self.pool).await;
        failpoint::reach("run.released");
        report.map(Some)
    }

    /// Waits for a yielding run of another process.
    pub(super) async fn hold_lease(
        &self,
        gives_way: bool,
        stop: &CancellationToken,
    ) -> Result<Option<Arc<Held>>, LoadError> {
        let account_id = &self.api.account().account_id;
        let deadline =
            Instant::now() + PATIENCE_WITH_BACKFILL.max(first_window_after(self.api.account().limits));
        let mut unheard = 0;
        loop {
            let held = self
                .lease
                .hold(&self.pool, account_id, &self.holder, self.settings.lease)
                .await?;
            if held.is_some() || gives_way || stop.is_cancelled() || Instant::now() >= deadline {
                return Ok(held);
            }
            let is_heard = leases::ask_for(&self.pool, account_id).await?;
            unheard = if is_heard { 0 } else { unheard + 1 };
            if unheard >= ASKED_IN_VAIN {
                return Ok(None);
            }
            stop.run_until_cancelled(tokio::time::sleep(LOOK_FOR_LEASE)).await;
        }
    }

    async fn keep_books(
        &self,
        held: &Held,
        job: &Job,
        stop: &CancellationToken,
        pulse: &Arc<Pulse>,
    ) -> Result<RunReport, LoadError> {
        self.reckon_retention().await?;
        left_out::check_key(&self.pool, self.settings.policy.key.as_ref()).await?;
        self.check_books(&held.lease.account_id).await?;
        self.learn_what_others_spent().await?;
        let at = self.clock.now();
        let until = self.head();
        let range = job.range(until);
        let read_since = job.read_since(self.resumed(held, job, range).await?, at);
        let new = NewRun {
            lease: &held.lease,
            kind: job.kind(),
            policy: job.policy(),
            account: self.api.account(),
            default_start: head(at - DEFAULT_START, Duration::ZERO),
            kept_from: self.kept_from(),
            at,
            range,
            read_since,
        };
        let preparing = || runs::prepare(&self.pool, &new);
        let account = conflict::retry(&self.api.account().name, preparing).await?;
        if account.coverage_began_anew {
            warn!("the account's filters have changed: coverage begins anew, everything is read again");
        }
        let wanted = job.wanted(until, read_since, at, self.settings.late);
        let agenda = self.agenda(job, wanted, until).await?;
        if agenda.is_empty_for(job) && !runs::newest_did_not_succeed(&self.pool, &new).await? {
            return Ok(RunReport::idle(account.watermark));
        }
        let opening = || runs::open(&self.pool, &new, account);
        let run = conflict::retry(&self.api.account().name, opening).await?;
        failpoint::reach("run.opened");
        tracing::Span::current().record("run_id", run.id);
        let mut progress = Progress::from(run.watermark);
        let task = Task {
            held,
            run: &run,
            job,
            pulse,
            until,
            stop,
        };
        if let Err(error) = Box::pin(self.work(&task, agenda, &mut progress)).await {
            telemetry::database_error(&self.api.account().name, error.kind());
            progress.ended_by(&error);
        }
        failpoint::reach("run.closing");
        self.close_books(&run, &progress).await;
        Ok(progress.into_report(run.watermark))
    }

    async fn resumed(
        &self,
        held: &Held,
        job: &Job,
        range: Option<Window>,
    ) -> Result<Option<DateTime<Utc>>, LoadError> {
        match (job, range) {
            (Job::Backfill { refetch: true, .. }, Some(range)) => {
                runs::unfinished_since(&self.pool, &held.lease.account_id, job.kind(), range).await
            }
            _ => Ok(None),
        }
    }

    pub(super) async fn close_books(&self, run: &OpenRun, progress: &Progress) {
        let finished = Finished {
            run_id: run.id,
            outcome: progress.outcome,
            tried_all: progress.tried_all,
            counters: progress.counters,
            watermark: progress.watermark,
            at: self.clock.now(),
            problem: progress.problem.as_ref(),
            api_clock_ahead: self.api.clock_skew(),
            time_zone_disagreement_minutes: self.time_zone.verdict().minutes(),
        };
        let finishing = || runs::finish(&self.pool, &finished);
        if let Err(error) = conflict::retry(&self.api.account().name, finishing).await {
            warn!(error = %chain(&error), "could not close the run's books, the next run does");
        }
    }

    /// If the database falls silent, the window is read again.
    pub(super) async fn commit(&self, commit: &WindowCommit<'_>) -> Result<Committed, LoadError> {
        let _turn = self.commits.lock().await;
        let committed =
            conflict::retry(&self.api.account().name, || commit_window(&self.pool, commit)).await?;
        // Rereads and partial windows are no progress.
        if commit.status == Status::Drained && matches!(commit.purpose, Purpose::New | Purpose::Gap) {
            self.liveness.progress();
        }
        Ok(committed)
    }
}
