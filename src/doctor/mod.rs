//! Checks everything, changes nothing, takes no lease.

mod account;
mod clocks;
mod configuration;
mod database;
mod disk;
mod finding;
mod names;
mod paging;
mod reach;
mod readers;

pub use finding::{Finding, Level, Report};

use std::sync::Arc;

use crate::config::Config;
use crate::time::clock::Clock;

/// Runs all checks in order.
pub async fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Report {
    let mut report = Report::default();
    for finding in configuration::findings(config) {
        report.add(finding);
    }
    let database = database::examine(config, clock.as_ref(), &mut report).await;
    for account in &config.accounts {
        let pool = database.as_ref().map(|database| &database.pool);
        account::examine(account, config.sync.settle, pool, clock, &mut report).await;
    }
    if let Some(database) = database {
        database.close().await;
    }
    report
}
