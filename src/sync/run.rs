//! One run for one account: take the lease, open the books, drive the windows, close the books.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use crate::clock::Clock;
use crate::extract::ApiClient;
use crate::load::leases::{self, Lease};
use crate::load::runs::{self, Finished, Kind, Outcome};
use crate::load::{Counters, LoadError, accounts};
use crate::observe::{self, chain};

use super::heartbeat::Heartbeat;
use super::plan;
use super::window::{Next, WindowReport, load_window};

/// How far back an account is loaded where nobody says.
const DEFAULT_START: TimeDelta = TimeDelta::days(30);

/// So many windows in a row that the API let fail, and the rest is left to the next run.
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

/// What came of a run.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// How it ended.
    pub outcome: Outcome,
    /// All of its windows together.
    pub counters: Counters,
    /// The watermark at its end; `None` where it was skipped.
    pub watermark: Option<DateTime<Utc>>,
    /// What was wrong, where something was.
    pub failure: Option<Failure>,
}

/// Whose fault it was that a run did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The API refused us: sign-in or rights.
    Refused,
    /// The database is out of reach.
    DatabaseUnreachable,
    /// Anything else: the logs say.
    Other,
}

/// What the windows of a run came to.
#[derive(Debug)]
struct Progress {
    counters: Counters,
    watermark: DateTime<Utc>,
    outcome: Outcome,
    error: Option<String>,
    failure: Option<Failure>,
}

impl AccountWorker {
    /// Brings the account up to now, as far as it goes.
    ///
    /// `stop` ends it after what is being written is written; a window that is still being
    /// fetched is let go. Nothing that goes wrong here is left unsaid: every error is in the log.
    pub async fn run(&self, kind: Kind, stop: &CancellationToken) -> RunReport {
        let account = self.api.account();
        let span = info_span!(
            "run",
            account = account.name,
            kind = kind.as_str(),
            run_id = tracing::field::Empty
        );
        async {
            let began = std::time::Instant::now();
            let report = match self.run_under_lease(kind, stop).await {
                Ok(Some(report)) => report,
                Ok(None) => {
                    info!("another worker has the account, run skipped");
                    RunReport {
                        outcome: Outcome::Skipped,
                        counters: Counters::default(),
                        watermark: None,
                        failure: None,
                    }
                }
                Err(error) => {
                    error!(error = %chain(&error), remedy = error.remedy(), "run failed");
                    RunReport {
                        outcome: Outcome::Failed,
                        counters: Counters::default(),
                        watermark: None,
                        failure: Some(Failure::of(&error)),
                    }
                }
            };
            observe::run_finished(&account.name, kind, report.outcome, began.elapsed());
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
        let started_at = self.clock.now();
        let prepared = accounts::prepare(
            &self.pool,
            self.api.account(),
            plan::head(started_at - DEFAULT_START, Duration::ZERO),
        )
        .await?;
        if prepared.coverage_began_anew {
            warn!("the account's filters have changed: coverage begins anew, everything is read again");
        }
        let run_id = runs::start(&self.pool, lease, kind, prepared.watermark, started_at).await?;
        tracing::Span::current().record("run_id", run_id);
        let mut progress = Progress::from(prepared.watermark);
        if let Err(error) = self.drive(lease, heartbeat, run_id, &mut progress, stop).await {
            progress.ended_by(&error);
        }
        let finished = Finished {
            run_id,
            outcome: progress.outcome,
            counters: progress.counters,
            watermark: progress.watermark,
            at: self.clock.now(),
            error: progress.error.as_deref(),
        };
        if let Err(error) = runs::finish(&self.pool, &finished).await {
            warn!(error = %chain(&error), "could not close the run's books, the next run does");
        }
        log_finished(&progress, kind, prepared.watermark, finished.at - started_at);
        Ok(RunReport {
            outcome: progress.outcome,
            counters: progress.counters,
            watermark: Some(progress.watermark),
            failure: progress.failure,
        })
    }

    /// Drives every window that is wanted and not covered through, oldest first.
    async fn drive(
        &self,
        lease: &Lease,
        heartbeat: &Heartbeat,
        run_id: i64,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> Result<(), LoadError> {
        let head = plan::head(self.clock.now(), self.settings.settle);
        let stretches = accounts::uncovered(&self.pool, &lease.account_id, head).await?;
        let windows = plan::windows(&stretches);
        info!(windows = windows.len(), watermark = %observe::instant(progress.watermark), "run started");
        let mut failures_in_a_row = 0;
        for window in windows {
            let span = info_span!("window", range = %window);
            let Some(report) = load_window(self, lease, run_id, window, &heartbeat.enough)
                .instrument(span)
                .await?
            else {
                break;
            };
            let next = progress.add(report);
            failures_in_a_row = if next.is_some() { failures_in_a_row + 1 } else { 0 };
            match next {
                Some(Next::EndRun) => break,
                Some(Next::ContinueIfFew) if failures_in_a_row >= FAILURES_IN_A_ROW => break,
                _ => {}
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
}

impl Progress {
    fn from(watermark: DateTime<Utc>) -> Self {
        Self {
            counters: Counters::default(),
            watermark,
            outcome: Outcome::Succeeded,
            error: None,
            failure: None,
        }
    }

    /// Adds a window; says how to go on where it failed.
    fn add(&mut self, report: WindowReport) -> Option<Next> {
        self.counters += report.counters;
        self.watermark = report.watermark.unwrap_or(self.watermark);
        let failure = report.failure?;
        self.outcome = Outcome::Failed;
        self.error.get_or_insert(failure.error);
        self.failure = Some(if failure.refused {
            Failure::Refused
        } else {
            Failure::Other
        });
        Some(failure.next)
    }

    fn interrupted(&mut self, why: &str) {
        self.outcome = Outcome::Interrupted;
        self.error.get_or_insert(why.to_owned());
    }

    fn ended_by(&mut self, error: &LoadError) {
        if matches!(error, LoadError::LeaseLost) {
            warn!(
                remedy = error.remedy(),
                "another worker took over the account, stepping back"
            );
            self.interrupted("the lease was lost");
            return;
        }
        error!(error = %chain(error), remedy = error.remedy(), "run failed");
        self.outcome = Outcome::Failed;
        self.error.get_or_insert(chain(error).to_string());
        self.failure = Some(Failure::of(error));
    }
}

impl Failure {
    fn of(error: &LoadError) -> Self {
        if error.is_unreachable() {
            Self::DatabaseUnreachable
        } else {
            Self::Other
        }
    }
}

/// The one summary event of a run; `docs/operations.md` lists its fields as an interface.
#[expect(
    clippy::cast_precision_loss,
    reason = "a run takes far less than 2^52 milliseconds"
)]
fn log_finished(progress: &Progress, kind: Kind, watermark_before: DateTime<Utc>, took: TimeDelta) {
    let counters = &progress.counters;
    info!(
        kind = kind.as_str(),
        outcome = progress.outcome.as_str(),
        windows = counters.windows,
        pages = counters.pages,
        requests = counters.requests,
        records = counters.records,
        inserted = counters.inserted,
        updated = counters.updated,
        unchanged = counters.unchanged,
        rejected = counters.rejected,
        watermark_before = %observe::instant(watermark_before),
        watermark_after = %observe::instant(progress.watermark),
        seconds = took.num_milliseconds() as f64 / 1000.0,
        "run finished"
    );
}
