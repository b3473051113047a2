//! Deletes expired data.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::sync::AccountWorker;
use crate::time::clock::Clock;

use super::bell::{Bell, missed};
use super::guard::guard;
use crate::config::Cron;

/// Cleans up at once and at every tick.
pub async fn clean_up(
    worker: Arc<AccountWorker>,
    bell: Bell,
    cron: Cron,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let pulse = Arc::default();
        let cleaning = {
            let (worker, stop, pulse) = (Arc::clone(&worker), stop.clone(), Arc::clone(&pulse));
            async move { worker.clean_up(&stop, &pulse).await }
        };
        if let Err(crash) = guard(cleaning, &pulse, worker.settings.stall).await {
            let account = &worker.api.account().name;
            error!(account, error = %crash, remedy = crash.remedy(), "cleaning up crashed");
        }
        let due = cron.next_after(clock.now());
        tokio::select! {
            () = stop.cancelled() => break,
            () = bell.notified() => {}
            () = missed(due, clock.as_ref()) => warn!(
                account = worker.api.account().name,
                due = due.map(crate::telemetry::instant),
                "the scheduler did not ring, cleaning up all the same"
            ),
        }
    }
}
