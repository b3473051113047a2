//! When work comes due. The scheduler only hints: workers look at the clock every few seconds, so a lost
//! hint, a clock jump or a machine that slept delays nothing.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::config::Cron;
use crate::sync::AccountContext;
use crate::time::Crash;

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Wakes all at each tick, until the scheduler is shut down.
///
/// # Errors
/// The scheduler does not start.
pub async fn wake(
    patterns: impl IntoIterator<Item = Cron>,
    sleepers: &[Arc<Notify>],
) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for pattern in patterns {
        let sleepers = sleepers.to_vec();
        let job = Job::new_async_tz(pattern.pattern(), Utc, move |_, _| {
            sleepers.iter().for_each(|sleeper| sleeper.notify_one());
            Box::pin(async {})
        })?;
        scheduler.add(job).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

/// At once, and at every tick.
pub async fn clean_up(account: AccountContext, wake: Arc<Notify>, stop: CancellationToken) {
    let mut last = None;
    while !stop.is_cancelled() {
        let tick = account.storage.clean_up.last_before(account.clock.now());
        if last.replace(tick) != Some(tick) {
            let cleaning = AssertUnwindSafe(account.clean_up(&stop));
            if cleaning.catch_unwind().await.is_err() {
                let (name, crash) = (account.name(), Crash::Panicked);
                error!(account = name, error = %crash, remedy = crash.remedy(), "cleaning up crashed");
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = wake.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_tick_wakes_all_and_ticks_do_not_pile_up() {
        let sleepers = [Arc::<Notify>::default(), Arc::default()];
        let every_second = Cron::parse("* * * * * *").unwrap();
        let mut scheduler = wake([every_second], &sleepers).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        scheduler.shutdown().await.unwrap();
        for sleeper in &sleepers {
            let woken = async || tokio::time::timeout(Duration::from_millis(1), sleeper.notified()).await;
            woken().await.unwrap();
            assert!(woken().await.is_err());
        }
    }
}
