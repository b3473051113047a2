//! Serves an account: takes the lease, runs engines, and ends one that hangs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, error, info, warn};

use crate::ledger::LoadError;
use crate::ledger::leases::{self, Lease};
use crate::ledger::problems::Problem;
use crate::ledger::runs::{Kind, Outcome};
use crate::telemetry::{self, chain};
use crate::time::Pulse;

use super::account::{AccountContext, Health};
use super::engine::{self, Goal, Schedule};
use super::report::RunReport;

/// How soon a command's handed-over lease is taken.
pub(super) const LOOK_FOR_LEASE: Duration = Duration::from_secs(5);

const BEATS_PER_LEASE: u32 = 3;

/// Bounds how late a waiting daemon is noticed.
const LONGEST_BEAT: Duration = Duration::from_secs(5);

const LOOK: Duration = Duration::from_secs(1);

/// One engine after the other, until stopped; each begins from the ledger.
pub async fn serve(account: AccountContext, schedule: Schedule, stop: CancellationToken) {
    let mut stands_by = false;
    while !stop.is_cancelled() {
        let (began, pulse) = (Instant::now(), Arc::<Pulse>::default());
        let serving = serve_once(
            account.clone(),
            schedule.clone(),
            stop.clone(),
            Arc::clone(&pulse),
        );
        let served = guard(serving, &pulse, account.settings.stall).await;
        let was_taken = matches!(served, Ok(Outcome::Skipped));
        if was_taken && !stands_by {
            info!(
                account = account.name(),
                "another worker has the account, standing by"
            );
        }
        stands_by = was_taken;
        if let Err(crash) = served {
            error!(account = account.name(), error = %crash, remedy = crash.remedy(), "run crashed");
            let (kind, failed) = (Kind::Poll.as_str(), Outcome::Failed.as_str());
            telemetry::run_finished(account.name(), kind, failed, began.elapsed());
            let report = RunReport::crashed(Problem::failed("crashed", crash.to_string(), crash.remedy()));
            account.health.send_modify(|health| health.ended(&report));
        }
        stop.run_until_cancelled(tokio::time::sleep(LOOK_FOR_LEASE)).await;
    }
}

async fn serve_once(
    account: AccountContext,
    schedule: Schedule,
    stop: CancellationToken,
    pulse: Arc<Pulse>,
) -> Outcome {
    account.health.send_modify(Health::begin);
    let report = match HeldLease::acquire(&account).await {
        Ok(Some(held)) => {
            let goal = Goal::Serve(Box::new(schedule));
            engine::work(&account, held, goal, stop, pulse).await
        }
        Ok(None) => match leases::ask_for(&account.pool, account.account_id()).await {
            Ok(()) => RunReport::skipped(),
            Err(error) => RunReport::not_begun(account.name(), &error),
        },
        Err(error) => RunReport::not_begun(account.name(), &error),
    };
    account.health.send_modify(|health| health.ended(&report));
    report.outcome
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
        let (pool, api, lasts) = (
            account.pool.clone(),
            Arc::clone(&account.api),
            account.settings.lease,
        );
        let taken = leases::acquire(&pool, account.account_id(), &account.holder, lasts).await?;
        let Some(taken) = taken else { return Ok(None) };
        api.remember_spent(taken.spent);
        let [lost, awaited, released] = std::array::from_fn(|_| CancellationToken::new());
        let beating = {
            let (lost, awaited, released) = (lost.clone(), awaited.clone(), released.clone());
            let lease = taken.lease.clone();
            async move {
                let beat = (lasts / BEATS_PER_LEASE).min(LONGEST_BEAT);
                let next_beat = async || released.run_until_cancelled(tokio::time::sleep(beat)).await;
                while next_beat().await.is_some() {
                    match lease.renew(&pool, lasts, &api.spent_by_minute()).await {
                        Ok(true) => awaited.cancel(),
                        Ok(false) => {}
                        Err(LoadError::LeaseLost) => return lost.cancel(),
                        // The fencing token in every commit decides.
                        Err(error) => warn!(error = %chain(&error), "could not renew the lease"),
                    }
                }
                if let Err(error) = lease.release(&pool, &api.spent_by_minute()).await {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Crash {
    #[error("it panicked")]
    Panicked,
    #[error("nothing has come of it for too long")]
    Hung,
}

impl Crash {
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Panicked => "report it with the lines before this one",
            Self::Hung => "see what the log says before; the next run begins anew",
        }
    }
}

/// Aborts work whose pulse is silent for `limit`.
///
/// # Errors
/// It panicked or hung.
pub async fn guard<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    pulse: &Pulse,
    limit: Duration,
) -> Result<T, Crash> {
    let work = AbortOnDropHandle::new(tokio::spawn(work));
    tokio::select! {
        // Nothing else aborts it, so an error is a panic.
        ended = work => ended.map_err(|_| Crash::Panicked),
        () = falls_silent(pulse, limit) => Err(Crash::Hung),
    }
}

pub(super) async fn falls_silent(pulse: &Pulse, limit: Duration) {
    while pulse.silent_for() < limit {
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn work_that_hangs_is_ended_and_work_that_waits_is_not() {
        let pulse = Arc::new(Pulse::default());
        let hung = guard(std::future::pending::<()>(), &pulse, MINUTE).await;
        assert_eq!(hung, Err(Crash::Hung));
        let waiting = Arc::clone(&pulse);
        let work = async move { waiting.while_waiting(tokio::time::sleep(MINUTE * 60)).await };
        pulse.beat();
        assert_eq!(guard(work, &pulse, MINUTE).await, Ok(()));
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_alone() {
        let work = async { assert!(std::hint::black_box(false), "meant to panic") };
        assert_eq!(guard(work, &Pulse::default(), MINUTE).await, Err(Crash::Panicked));
    }
}
