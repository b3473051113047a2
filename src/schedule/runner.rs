//! One runner for each account: it answers the poll's bell, one run at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, error, warn};

use crate::clock::Clock;
use crate::load::runs::Outcome;
use crate::sync::{AccountWorker, Job};

use super::bell::{Bell, missed};
use super::cron::Cron;

/// How often a run is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Answers an account's bell until `stop`: at once, to catch up, and then at every ring.
pub async fn answer(
    worker: Arc<AccountWorker>,
    bell: Bell,
    cron: Cron,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let outcome = run_guarded(&worker, Job::Poll, &stop).await;
        let due = cron.next_after(clock.now());
        tokio::select! {
            () = stop.cancelled() => break,
            () = lease_over(outcome, &worker) => debug!(account = worker.api.account().name, "looking again"),
            () = bell.notified() => debug!(account = worker.api.account().name, "the bell rang"),
            () = missed(due, clock.as_ref()) => warn!(
                account = worker.api.account().name,
                due = due.map(crate::observe::instant),
                "the scheduler did not ring, polling all the same"
            ),
        }
    }
}

/// Runs once. A panic ends that run, not the runner; so does nothing coming of it for too long.
pub(super) async fn run_guarded(
    worker: &Arc<AccountWorker>,
    job: Job,
    stop: &CancellationToken,
) -> Option<Outcome> {
    let (worker, stop) = (Arc::clone(worker), stop.clone());
    let account = worker.api.account().name.clone();
    let watched = Arc::clone(&worker);
    let run = AbortOnDropHandle::new(tokio::spawn(async move { worker.run(&job, &stop).await.outcome }));
    let ended = tokio::select! {
        ended = run => ended,
        // Whatever it hangs on is dropped with it.
        () = hangs(&watched) => {
            error!(
                account,
                stalled_seconds = watched.liveness.idle_for().as_secs(),
                remedy = "see what the log says before; the next run begins anew",
                "run failed: nothing has come of it for too long"
            );
            return None;
        }
    };
    match ended {
        Ok(outcome) => Some(outcome),
        Err(error) => {
            if error.is_panic() {
                error!(
                    account,
                    remedy = "report it with the lines before this one",
                    "run failed: it panicked"
                );
            }
            None
        }
    }
}

/// Returns once a run that has just begun must be hanging on something.
async fn hangs(worker: &AccountWorker) {
    let (began, limit) = (Instant::now(), worker.stalled_after());
    while worker.liveness.idle_for().min(began.elapsed()) < limit {
        tokio::time::sleep(LOOK).await;
    }
}

/// Returns when a lease that kept us from the account may have ended: its holder may have died,
/// and then nobody but us loads the account.
async fn lease_over(outcome: Option<Outcome>, worker: &AccountWorker) {
    match outcome {
        Some(Outcome::Skipped) => tokio::time::sleep(worker.settings.lease).await,
        _ => std::future::pending().await,
    }
}
