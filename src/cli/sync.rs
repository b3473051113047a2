//! `sync`: one pass up to now, due refreshes included.

use crate::config::Config;
use crate::ledger::runs::Outcome;
use crate::telemetry::logging::Screen;

use super::accounts;
use super::exit::CommandError;

pub(super) async fn sync(config: &Config, screen: &Screen) -> Result<(), CommandError> {
    let policies = config.sync.policies();
    accounts::run_all(config, screen, async |watched, stop| {
        let mut report = watched.catch_up(&policies, stop).await;
        if watched.clean_up(stop).await.is_err() && report.outcome == Outcome::Succeeded {
            report.outcome = Outcome::Failed;
        }
        report
    })
    .await
}
