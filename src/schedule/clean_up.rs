//! One runner for each account that deletes what has become too old.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, warn};

use crate::clock::Clock;
use crate::sync::AccountWorker;

use super::bell::{Bell, missed};
use super::cron::Cron;

/// Cleans up at once, and then at every ring, until `stop`. Rings that come meanwhile are one.
pub async fn clean_up(
    worker: Arc<AccountWorker>,
    bell: Bell,
    cron: Cron,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let (guarded, until) = (Arc::clone(&worker), stop.clone());
        let cleaned = tokio::spawn(async move { guarded.clean_up(&until).await });
        if let Err(ended) = AbortOnDropHandle::new(cleaned).await
            && ended.is_panic()
        {
            error!(
                account = worker.api.account().name,
                remedy = "report it with the lines before this one",
                "cleaning up failed: it panicked"
            );
        }
        let due = cron.next_after(clock.now());
        tokio::select! {
            () = stop.cancelled() => break,
            () = bell.notified() => {}
            () = missed(due, clock.as_ref()) => warn!(
                account = worker.api.account().name,
                due = due.map(crate::observe::instant),
                "the scheduler did not ring, cleaning up all the same"
            ),
        }
    }
}
