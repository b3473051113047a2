//! When work comes due. The scheduler only hints: whoever works looks at the clock every few seconds, so that a
//! hint that never comes, a clock that jumps and a machine that slept delay nothing.

mod clean_up;

use std::sync::Arc;

use chrono::Utc;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::config::Cron;

pub use clean_up::clean_up;

/// Wakes all at each tick of each pattern until the scheduler is shut down.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
