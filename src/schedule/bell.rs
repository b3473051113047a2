//! Triggers and missed ticks.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::time::clock::Clock;

use crate::config::Cron;

/// Later ticks count as missed.
const PATIENCE: TimeDelta = TimeDelta::minutes(1);

const JUMP: TimeDelta = TimeDelta::seconds(30);

/// Timers do not notice clock jumps or sleep.
const LOOK: Duration = Duration::from_secs(1);

/// A trigger; unheard ticks merge.
pub type Bell = Arc<Notify>;

/// Triggers each pattern until the scheduler is shut down.
///
/// # Errors
/// The scheduler does not start.
pub async fn ring(
    chimes: impl IntoIterator<Item = (Cron, Vec<Bell>)>,
) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for (cron, bells) in chimes {
        let job = Job::new_async_tz(cron.pattern(), Utc, move |_, _| {
            bells.iter().for_each(|bell| bell.notify_one());
            Box::pin(async {})
        })?;
        scheduler.add(job).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

/// After a clock jump back, the scheduler waits too long.
pub(super) async fn missed(due: Option<DateTime<Utc>>, clock: &dyn Clock) {
    let Some(due) = due else {
        return std::future::pending().await;
    };
    let mut latest = clock.now();
    loop {
        let now = clock.now();
        if now > due + PATIENCE || now < latest - JUMP {
            return;
        }
        latest = latest.max(now);
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

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_does_not_hold_up_the_next_ring() {
        let noon = DateTime::UNIX_EPOCH + TimeDelta::hours(12);
        let clock = SetClock(Mutex::new(noon));
        let due = Some(noon + TimeDelta::minutes(5));
        let set_back = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            *clock.0.lock().unwrap() -= TimeDelta::hours(1);
        };
        let (heard, ()) = tokio::join!(
            tokio::time::timeout(Duration::from_secs(6), missed(due, &clock)),
            set_back
        );
        assert!(heard.is_ok());
    }

    #[tokio::test]
    async fn the_scheduler_rings_the_bells_of_every_pattern_and_rings_do_not_pile_up() {
        let bells = [Bell::default(), Bell::default()];
        let mut scheduler = ring(
            bells
                .iter()
                .map(|bell| (Cron::parse("* * * * * *").unwrap(), vec![Bell::clone(bell)])),
        )
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
