//! Looking for what is wrong or surprising before it costs anybody a day. Writes nothing, takes no
//! lease, makes no database.

mod account;
mod database;
mod finding;
mod paging;

pub use finding::{Finding, Level, Report};

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::sync::Failure;

/// Looks at everything, one after the other.
pub async fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Report {
    let mut report = Report::default();
    report.add(configuration(config));
    let database = database::examine(config, &mut report).await;
    for account in &config.accounts {
        let pool = database.as_ref().map(|database| &database.pool);
        account::examine(account, config.sync.settle, pool, clock, &mut report).await;
    }
    if let Some(database) = database {
        database.close().await;
    }
    report
}

fn configuration(config: &Config) -> Finding {
    let names: Vec<&str> = config
        .accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    if names.is_empty() {
        return Finding::failed(
            "configuration",
            "it can be read, but no account is configured",
            Failure::Other,
        )
        .remedy("set accounts.<name>.base_url, .account_id, .stream_id and credentials");
    }
    Finding::ok("configuration", format!("accounts: {}", names.join(", ")))
}
