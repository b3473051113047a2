//! What work on an account needs, its lease, and what is published.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, warn};

use crate::config::{Config, RequestLimits, StorageConfig, SyncConfig};
use crate::extract::{ApiClient, PAGE_SIZE};
use crate::ledger::leases::{self, Lease};
use crate::ledger::problems::Problem;
use crate::ledger::runs::{Outcome, Preparation};
use crate::ledger::{Counters, LoadError};
use crate::postgres::Pool;
use crate::telemetry::chain;
use crate::time::Clock;
use crate::transform::privacy::Policy;
use crate::warehouse::interactions;
use crate::warehouse::left_out::StoreLimits;

use super::engine::{REQUESTS_OF_A_WINDOW, WINDOWS_IN_FLIGHT};
use super::plan::head;
use super::report::RunReport;

const DEFAULT_START: TimeDelta = TimeDelta::days(30);

const BEATS_PER_LEASE: u32 = 3;

/// Bounds how late a waiting daemon is noticed.
const LONGEST_BEAT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct AccountContext {
    pub api: Arc<ApiClient>,
    pub pool: Pool,
    pub sync: Arc<SyncConfig>,
    pub storage: Arc<StorageConfig>,
    pub policy: Arc<Policy>,
    pub clock: Arc<dyn Clock>,
    pub holder: String,
    pub headway: watch::Sender<Option<Headway>>,
    pub health: watch::Sender<Health>,
}

/// The midnight (UTC) from which interactions are kept.
pub fn kept_from(now: DateTime<Utc>, retention: TimeDelta) -> Option<DateTime<Utc>> {
    let kept = now.checked_sub_signed(retention)?;
    Some(kept.date_naive().and_time(NaiveTime::MIN).and_utc())
}

impl AccountContext {
    pub fn new(api: ApiClient, pool: Pool, config: &Config, clock: Arc<dyn Clock>, holder: String) -> Self {
        Self {
            api: Arc::new(api),
            pool,
            sync: Arc::clone(&config.sync),
            storage: Arc::clone(&config.storage),
            policy: Arc::clone(&config.privacy),
            clock,
            holder,
            headway: watch::Sender::default(),
            health: watch::Sender::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.api.account().name
    }

    pub fn account_id(&self) -> &str {
        &self.api.account().account_id
    }

    pub fn stalled_after(&self) -> Duration {
        stalled_after(self.sync.stall, self.api.account().limits)
    }

    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// By the earlier of all clocks, since deletion is final.
    pub(super) async fn kept_from(&self) -> Result<Option<DateTime<Utc>>, LoadError> {
        let Some(retention) = self.storage.retention else {
            return Ok(None);
        };
        let now = self.clock.now().min(self.api.now());
        let now = interactions::cautious_now(&self.pool, now).await?;
        Ok(kept_from(now, retention))
    }

    /// Follows the slower clock, ours or the API's.
    pub(super) fn head(&self) -> DateTime<Utc> {
        self.head_at(std::time::Instant::now())
    }

    pub(super) fn head_at(&self, then: std::time::Instant) -> DateTime<Utc> {
        let now = self.clock.now().min(self.api.now());
        let ago = self.clock.elapsed(then);
        head(now, self.sync.settle.saturating_add(ago))
    }

    pub(super) fn preparation(&self, kept_from: Option<DateTime<Utc>>) -> Preparation<'_> {
        let at = self.clock.now();
        Preparation {
            account: self.api.account(),
            default_start: head(at - DEFAULT_START, Duration::ZERO),
            kept_from,
            at,
        }
    }

    pub(super) fn limits_of_storing(&self, kept_from: Option<DateTime<Utc>>) -> StoreLimits<'_> {
        StoreLimits {
            account_id: self.account_id(),
            key: self.policy.key.as_ref(),
            kept_from,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headway {
    pub counters: Counters,
    pub requests_left: u64,
}

impl Headway {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate, never negative"
    )]
    pub(super) fn new(counters: Counters, records_left: f64, windows_left: usize) -> Self {
        let pages = records_left / PAGE_SIZE as f64;
        // Nine pages per window, the last half full.
        let requests_left = (pages * 1.06).ceil() as u64;
        Self {
            counters,
            requests_left: requests_left.max(windows_left as u64),
        }
    }
}

/// `sync.stall_seconds`, or longer if the budget delays the first window.
pub fn stalled_after(stall: Duration, limits: RequestLimits) -> Duration {
    // A used-up budget pauses for a whole span, and windows in flight all end late.
    let requests_before = (WINDOWS_IN_FLIGHT as u64 + 1) * REQUESTS_OF_A_WINDOW;
    let spans = limits.spans();
    spans
        .map(|(span, limit)| span.length() + span.time_for(requests_before, limit))
        .fold(stall, Duration::max)
}

#[derive(Debug, Clone, Default)]
pub struct Health {
    working_since: Option<Instant>,
    problem: Option<Problem>,
}

impl Health {
    pub(super) fn begin(&mut self) {
        self.working_since = self.working_since.or(Some(Instant::now()));
    }

    pub(super) fn progress(&mut self) {
        self.working_since = self.working_since.map(|_| Instant::now());
    }

    /// A failed poll leaves work. So does a lost lease, until another worker has it.
    pub(super) fn ended(&mut self, report: &RunReport) {
        match report.outcome {
            Outcome::Failed => self.problem.clone_from(&report.problem),
            Outcome::Interrupted => {}
            Outcome::Succeeded | Outcome::Skipped => *self = Self::default(),
        }
    }

    pub fn idle_for(&self) -> Duration {
        self.working_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Of the newest uninterrupted poll.
    pub fn problem(&self) -> Option<Problem> {
        self.problem.clone()
    }
}

#[derive(Debug)]
pub(super) struct HeldLease {
    pub(super) lease: Lease,
    pub(super) lost: CancellationToken,
    /// A daemon waits for the lease.
    pub(super) awaited: CancellationToken,
    released: CancellationToken,
    heartbeat: AbortOnDropHandle<()>,
}

impl HeldLease {
    /// `None`: another worker has it.
    pub(super) async fn acquire(account: &AccountContext) -> Result<Option<Self>, LoadError> {
        let (pool, api, lasts) = (account.pool.clone(), Arc::clone(&account.api), account.sync.lease);
        let taken = leases::acquire(&pool, account.account_id(), &account.holder, lasts).await?;
        let Some(taken) = taken else { return Ok(None) };
        api.budget.spent_before(taken.spent);
        let [lost, awaited, released] = std::array::from_fn(|_| CancellationToken::new());
        let beating = {
            let (lost, awaited, released) = (lost.clone(), awaited.clone(), released.clone());
            let lease = taken.lease.clone();
            async move {
                let beat = (lasts / BEATS_PER_LEASE).min(LONGEST_BEAT);
                let next_beat = async || released.run_until_cancelled(tokio::time::sleep(beat)).await;
                while next_beat().await.is_some() {
                    match lease.renew(&pool, lasts, &api.budget.spent_by_minute()).await {
                        Ok(true) => awaited.cancel(),
                        Ok(false) => {}
                        Err(LoadError::LeaseLost) => return lost.cancel(),
                        // The fencing token in every commit decides.
                        Err(error) => warn!(error = %chain(&error), "could not renew the lease"),
                    }
                }
                if let Err(error) = lease.release(&pool, &api.budget.spent_by_minute()).await {
                    warn!(error = %chain(&error), "could not release the lease, it ends by itself");
                }
            }
        };
        Ok(Some(Self {
            lease: taken.lease,
            lost,
            awaited,
            released,
            heartbeat: AbortOnDropHandle::new(tokio::spawn(beating.in_current_span())),
        }))
    }

    /// By the heartbeat itself: a renewal after the release would lock out others.
    pub(super) async fn release(self) {
        self.released.cancel();
        let _ = self.heartbeat.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ended(outcome: Outcome) -> RunReport {
        RunReport {
            outcome,
            ..RunReport::skipped()
        }
    }

    async fn pass(seconds: u32) {
        tokio::time::advance(SECOND * seconds).await;
    }

    #[test]
    fn a_budget_that_was_used_up_at_once_is_given_its_whole_span() {
        let minutes = |per_minute, per_hour| {
            let limits = RequestLimits::of(per_minute, per_hour);
            stalled_after(SECOND, limits).as_secs() / 60
        };
        assert_eq!(minutes(0, 0), 0);
        assert_eq!(minutes(60, 0), 1);
        assert_eq!(minutes(60, 600), 64);
        assert_eq!(minutes(1, 0), 45);
        let unlimited = RequestLimits::of(0, 0);
        assert_eq!(stalled_after(SECOND * 1_200, unlimited), SECOND * 1_200);
    }

    #[tokio::test(start_paused = true)]
    async fn failing_again_and_again_is_one_stall() {
        let mut health = Health::default();
        for _ in 0..3 {
            health.begin();
            pass(10).await;
            let problem = Problem::failed("api_transport", "broke", "");
            health.ended(&RunReport::of_failure(problem));
            pass(10).await;
        }
        assert_eq!(health.idle_for(), SECOND * 60);
        assert!(health.problem().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_restarts_with_progress_and_ends_with_the_run() {
        let mut health = Health::default();
        health.begin();
        pass(10).await;
        health.progress();
        pass(3).await;
        assert_eq!(health.idle_for(), SECOND * 3);
        health.ended(&ended(Outcome::Succeeded));
        pass(100).await;
        assert_eq!((health.idle_for(), health.problem()), (Duration::ZERO, None));
        health.progress();
        assert_eq!(health.idle_for(), Duration::ZERO, "a refresh is no poll");
    }

    #[tokio::test(start_paused = true)]
    async fn losing_the_lease_repeatedly_counts_as_one_stall() {
        let mut health = Health::default();
        for _ in 0..3 {
            health.begin();
            pass(10).await;
            health.ended(&ended(Outcome::Interrupted));
        }
        assert_eq!(health.idle_for(), SECOND * 30);
        health.begin();
        health.ended(&ended(Outcome::Skipped));
        assert_eq!(health.idle_for(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stands_by_does_not_stall() {
        let mut health = Health::default();
        for _ in 0..3 {
            health.begin();
            health.ended(&ended(Outcome::Skipped));
            pass(1_000).await;
        }
        assert_eq!(health.idle_for(), Duration::ZERO);
    }
}
