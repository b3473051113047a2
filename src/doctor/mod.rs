//! Checks everything, changes nothing, takes no lease.

mod account;
mod clocks;
mod configuration;
mod database;
mod disk;
mod finding;
mod paging;
mod reach;

pub use finding::{Finding, Report};

use std::sync::Arc;

use crate::config::Config;
use crate::time::clock::Clock;

/// Runs all checks in order.
pub async fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Report {
    let mut report = Report::default();
    report.findings.extend(configuration::findings(config));
    let database = database::examine(config, clock.as_ref(), &mut report.findings).await;
    for account in &config.accounts {
        let pool = database.as_ref().map(|database| &database.pool);
        account::examine(account, config.sync.settle, pool, clock, &mut report).await;
    }
    if let Some(database) = database {
        database.close().await;
    }
    report
}
