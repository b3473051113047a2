//! One runner for each account: it answers the bell, one run at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, error, warn};

use crate::clock::Clock;
use crate::load::runs::{Kind, Outcome};
use crate::sync::AccountWorker;

use super::Cron;

/// A due instant that is past by more than this without a ring is answered all the same.
const PATIENCE: TimeDelta = TimeDelta::minutes(1);

/// How often the wall clock is looked at while waiting. It may jump, or have been asleep.
const LOOK: Duration = Duration::from_secs(1);

/// Rings an account's runner. Rings that come during a run are answered by one run after it.
pub type Bell = Arc<Notify>;

/// Rings all bells whenever the pattern is due, until the scheduler that it returns is shut down.
///
/// # Errors
/// The scheduler does not start.
pub async fn ring(cron: &Cron, bells: Vec<Bell>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new_async_tz(cron.pattern(), Utc, move |_, _| {
        bells.iter().for_each(|bell| bell.notify_one());
        Box::pin(async {})
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

/// Answers an account's bell until `stop`: at once, to catch up, and then at every ring.
pub async fn answer(
    worker: Arc<AccountWorker>,
    bell: Bell,
    cron: Cron,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let outcome = run_guarded(&worker, &stop).await;
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

/// Runs once. A panic ends that run, not the runner.
async fn run_guarded(worker: &Arc<AccountWorker>, stop: &CancellationToken) -> Option<Outcome> {
    let (worker, stop) = (Arc::clone(worker), stop.clone());
    let account = worker.api.account().name.clone();
    let run = tokio::spawn(async move { worker.run(Kind::Poll, &stop).await.outcome });
    match AbortOnDropHandle::new(run).await {
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

/// Returns when a lease that kept us from the account may have ended: its holder may have died,
/// and then nobody but us loads the account.
async fn lease_over(outcome: Option<Outcome>, worker: &AccountWorker) {
    match outcome {
        Some(Outcome::Skipped) => tokio::time::sleep(worker.settings.lease).await,
        _ => std::future::pending().await,
    }
}

/// Returns when `due` is past by more than our patience, by the wall clock.
async fn missed(due: Option<DateTime<Utc>>, clock: &dyn Clock) {
    let Some(due) = due else {
        return std::future::pending().await;
    };
    while clock.now() <= due + PATIENCE {
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug)]
    struct SetClock(Mutex<DateTime<Utc>>);

    impl Clock for SetClock {
        fn now(&self) -> DateTime<Utc> {
            *self.0.lock().unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_ring_that_never_comes_is_missed_a_minute_after_it_was_due() {
        let clock = SetClock(Mutex::new(DateTime::UNIX_EPOCH));
        let due = Some(DateTime::UNIX_EPOCH + TimeDelta::minutes(5));
        let early = tokio::time::timeout(Duration::from_secs(3_600), missed(due, &clock)).await;
        assert!(early.is_err(), "only the wall clock counts, and it stands still");
        *clock.0.lock().unwrap() += TimeDelta::hours(12);
        assert!(
            tokio::time::timeout(Duration::from_secs(2), missed(due, &clock))
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn the_scheduler_rings_every_bell_and_rings_do_not_pile_up() {
        let bells = [Bell::default(), Bell::default()];
        let mut scheduler = ring(&Cron::parse("* * * * * *").unwrap(), bells.to_vec())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        scheduler.shutdown().await.unwrap();
        for bell in &bells {
            tokio::time::timeout(Duration::from_millis(1), bell.notified())
                .await
                .unwrap();
            assert!(
                tokio::time::timeout(Duration::from_millis(1), bell.notified())
                    .await
                    .is_err()
            );
        }
    }
}
