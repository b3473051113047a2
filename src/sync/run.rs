//! One run for one account: take the lease, open the books, drive the windows, close the books.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span, warn};

use crate::clock::Clock;
use crate::extract::ApiClient;
use crate::load::leases::{self, Lease};
use crate::load::runs::{self, Finished, Kind, NewRun};
use crate::load::wanted::{self, Wanted};
use crate::load::{LoadError, spent_by_others};
use crate::observe::{self, chain};

use super::heartbeat::Heartbeat;
use super::job::Job;
use super::plan;
use super::report::{Progress, RunReport};
use super::window::{Next, load_window};

/// What others spent longer ago than this is in no budget.
const HOUR: Duration = Duration::from_secs(3_600);

/// How far back an account is loaded where nobody says.
const DEFAULT_START: TimeDelta = TimeDelta::days(30);

/// So many windows in a row that failed through no fault of their own, and the newest get a turn:
/// what blocks the old end must not keep today's away. So many again, and the rest is left to
/// the next run.
const FAILURES_IN_A_ROW: usize = 3;

/// Loads one account. Everything that it needs is passed in.
#[derive(Debug)]
pub struct AccountWorker {
    /// The account's API.
    pub api: ApiClient,
    /// The database.
    pub pool: PgPool,
    /// How it works.
    pub settings: WorkerSettings,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Who takes the lease: this process, by a name of its own.
    pub holder: String,
    knows_what_others_spent: AtomicBool,
    /// Held by the one run that goes on.
    turn: tokio::sync::Mutex<()>,
}

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// How far behind now windows are read.
    pub settle: Duration,
    /// How long a lease lasts without a heartbeat.
    pub lease: Duration,
    /// Whether records are kept as received.
    pub keep_raw: bool,
}

impl AccountWorker {
    /// A worker that takes leases as `holder`.
    pub fn new(
        api: ApiClient,
        pool: PgPool,
        settings: WorkerSettings,
        clock: Arc<dyn Clock>,
        holder: String,
    ) -> Self {
        Self {
            api,
            pool,
            settings,
            clock,
            holder,
            knows_what_others_spent: AtomicBool::new(false),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Brings the account up to now, as far as it goes.
    ///
    /// `stop` ends it after what is being written is written; a window that is still being
    /// fetched is let go. Nothing that goes wrong here is left unsaid: every error is in the log.
    pub async fn run(&self, job: &Job, stop: &CancellationToken) -> RunReport {
        let account = self.api.account();
        let kind = job.kind();
        // The lease knows no difference between two runs of ours: the second would be skipped.
        let _turn = self.turn.lock().await;
        let span = info_span!(
            "run",
            account = account.name,
            kind = kind.as_str(),
            run_id = tracing::field::Empty
        );
        async {
            let began = Instant::now();
            let report = match self.run_under_lease(kind, stop).await {
                Ok(Some(report)) => report,
                Ok(None) => RunReport::skipped(),
                Err(error) => RunReport::not_begun(&error),
            };
            observe::run_finished(&account.name, kind, report.outcome, began.elapsed());
            report.log(kind, began.elapsed());
            report
        }
        .instrument(span)
        .await
    }

    async fn run_under_lease(
        &self,
        kind: Kind,
        stop: &CancellationToken,
    ) -> Result<Option<RunReport>, LoadError> {
        let account = self.api.account();
        let lasts = self.settings.lease;
        let Some(lease) = leases::acquire(&self.pool, &account.account_id, &self.holder, lasts).await? else {
            return Ok(None);
        };
        let heartbeat = Heartbeat::start(self.pool.clone(), lease.clone(), lasts, stop);
        let report = self.keep_books(&lease, &heartbeat, kind, stop).await;
        drop(heartbeat);
        if let Err(error) = lease.release(&self.pool).await {
            warn!(error = %chain(&error), "could not release the lease, it ends by itself");
        }
        report.map(Some)
    }

    async fn keep_books(
        &self,
        lease: &Lease,
        heartbeat: &Heartbeat,
        kind: Kind,
        stop: &CancellationToken,
    ) -> Result<RunReport, LoadError> {
        self.learn_what_others_spent().await?;
        let at = self.clock.now();
        let default_start = plan::head(at - DEFAULT_START, Duration::ZERO);
        let run = NewRun {
            lease,
            kind,
            account: self.api.account(),
            default_start,
            at,
            range: None,
            read_since: None,
        };
        let run = runs::open(&self.pool, &run).await?;
        if run.coverage_began_anew {
            warn!("the account's filters have changed: coverage begins anew, everything is read again");
        }
        tracing::Span::current().record("run_id", run.id);
        let mut progress = Progress::from(run.watermark);
        if let Err(error) = self.drive(lease, heartbeat, run.id, &mut progress, stop).await {
            progress.ended_by(&error);
        }
        let finished = Finished {
            run_id: run.id,
            outcome: progress.outcome,
            counters: progress.counters,
            watermark: progress.watermark,
            at: self.clock.now(),
            error: progress.error.as_deref(),
        };
        if let Err(error) = runs::finish(&self.pool, &finished).await {
            warn!(error = %chain(&error), "could not close the run's books, the next run does");
        }
        Ok(progress.into_report(run.watermark))
    }

    /// Drives every window that is wanted and not covered through, oldest first while that goes well.
    async fn drive(
        &self,
        lease: &Lease,
        heartbeat: &Heartbeat,
        run_id: i64,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> Result<(), LoadError> {
        let settle = self.settings.settle;
        let head = plan::head(self.clock.now(), settle);
        let stretches = wanted::unread(&self.pool, &lease.account_id, &Wanted::New, head, settle).await?;
        let windows = plan::windows(&stretches);
        info!(windows = windows.len(), watermark = %observe::instant(progress.watermark), "run started");
        let mut windows = VecDeque::from(windows);
        let (mut failures_in_a_row, mut newest_first) = (0, false);
        while let Some(window) = if newest_first {
            windows.pop_back()
        } else {
            windows.pop_front()
        } {
            let span = info_span!("window", range = %window);
            let loading = load_window(self, lease, run_id, window, &heartbeat.enough);
            let Some(report) = loading.instrument(span).await? else {
                break;
            };
            failures_in_a_row = match progress.add(report) {
                Some(Next::EndRun) => break,
                Some(Next::ContinueIfFew) => failures_in_a_row + 1,
                Some(Next::Continue) | None => 0,
            };
            if failures_in_a_row == FAILURES_IN_A_ROW {
                if newest_first {
                    break;
                }
                (failures_in_a_row, newest_first) = (0, true);
            }
        }
        if heartbeat.lost() {
            return Err(LoadError::LeaseLost);
        }
        if stop.is_cancelled() {
            progress.interrupted("told to stop");
        }
        Ok(())
    }

    /// Enters into the budget, once, what another process has spent of it in the last hour: the
    /// API's minute does not begin anew with ours.
    async fn learn_what_others_spent(&self) -> Result<(), LoadError> {
        if !self.knows_what_others_spent.load(Ordering::Relaxed) {
            let account = self.api.account();
            self.api
                .remember_spent(spent_by_others(&self.pool, &account.account_id, &self.holder, HOUR).await?);
            self.knows_what_others_spent.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
