//! Polls, one runner per account.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::ledger::problems::Problem;
use crate::ledger::runs::Outcome;
use crate::sync::{AccountWorker, Job};
use crate::time::clock::Clock;

use super::bell::{Bell, missed};
use super::guard::guard;
use crate::config::Cron;

/// The next tick may be a day away.
const AFTER_FAILURE: Duration = Duration::from_secs(300);

/// Polls at once and at every tick.
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
            () = again(outcome, worker.settings.lease) => debug!(account = worker.api.account().name, "looking again"),
            () = bell.notified() => debug!(account = worker.api.account().name, "the bell rang"),
            () = missed(due, clock.as_ref()) => warn!(
                account = worker.api.account().name,
                due = due.map(crate::telemetry::instant),
                "the scheduler did not ring, polling all the same"
            ),
        }
    }
}

pub(super) async fn run_guarded(
    worker: &Arc<AccountWorker>,
    job: Job,
    stop: &CancellationToken,
) -> Option<Outcome> {
    let (began, pulse) = (Instant::now(), Arc::default());
    let run = {
        let (worker, job) = (Arc::clone(worker), job.clone());
        let (stop, pulse) = (stop.clone(), Arc::clone(&pulse));
        async move { worker.run_watched(&job, &stop, &pulse).await.outcome }
    };
    let ended = guard(run, &pulse, worker.settings.stall).await;
    if let Err(crash) = ended {
        let account = &worker.api.account().name;
        error!(account, error = %crash, remedy = crash.remedy(), "run crashed");
        let problem = Problem::failed("crashed", crash.to_string(), crash.remedy());
        worker.crashed(&job, problem, began.elapsed());
    }
    ended.ok()
}

async fn again(outcome: Option<Outcome>, lease: Duration) {
    match pause_after(outcome, lease) {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

/// A lease may be free after its lifetime.
fn pause_after(outcome: Option<Outcome>, lease: Duration) -> Option<Duration> {
    match outcome {
        Some(Outcome::Skipped | Outcome::Interrupted) => Some(lease),
        Some(Outcome::Failed) | None => Some(AFTER_FAILURE),
        Some(Outcome::Succeeded) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_succeeded_waits_until_it_is_rung_for() {
        let lease = Duration::from_secs(30);
        assert_eq!(pause_after(Some(Outcome::Succeeded), lease), None);
        assert_eq!(pause_after(Some(Outcome::Skipped), lease), Some(lease));
        assert_eq!(pause_after(Some(Outcome::Interrupted), lease), Some(lease));
        assert_eq!(pause_after(Some(Outcome::Failed), lease), Some(AFTER_FAILURE));
        assert_eq!(pause_after(None, lease), Some(AFTER_FAILURE), "it crashed");
    }
}
