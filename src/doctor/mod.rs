//! Checks everything, changes nothing, takes no lease.

mod account;
mod clocks;
mod database;
mod disk;
mod finding;
mod paging;
mod reach;

pub use finding::{Finding, Report};
pub use reach::proxy_variable;

use std::sync::Arc;

use crate::config::Config;
use crate::time::clock::Clock;

pub async fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Report {
    let mut report = Report::default();
    report.findings.extend(configuration(config));
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

fn configuration(config: &Config) -> Vec<Finding> {
    let names: Vec<&str> = config
        .accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    let accounts = if names.is_empty() {
        Finding::failed("it can be read, but no account is configured")
            .remedy("set accounts.<name>.base_url, .account_id, .stream_id and credentials")
    } else {
        Finding::ok(format!("accounts: {}", names.join(", ")))
    };
    let mut findings = vec![accounts.check("configuration")];
    if !config.trimmed_secrets.is_empty() {
        let keys = config.trimmed_secrets.join(", ");
        let found = format!("used without the white space or the byte order mark around it: {keys}");
        findings.push(Finding::ok(found).check("secrets"));
    }
    findings
}
