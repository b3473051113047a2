//! Deletes what is too old, at each tick.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::config::Cron;
use crate::sync::{AccountContext, guard};

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Cleans up at once and at every tick.
pub async fn clean_up(account: AccountContext, cron: Cron, wake: Arc<Notify>, stop: CancellationToken) {
    let mut last = None;
    while !stop.is_cancelled() {
        let tick = cron.last_before(account.clock.now());
        if last.replace(tick) != Some(tick) {
            let pulse = Arc::default();
            let cleaning = {
                let (account, stop, pulse) = (account.clone(), stop.clone(), Arc::clone(&pulse));
                async move { account.clean_up(&stop, &pulse).await }
            };
            if let Err(crash) = guard(cleaning, &pulse, account.settings.stall).await {
                let name = account.name();
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
