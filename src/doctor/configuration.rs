//! Checks the parsed configuration.

use crate::config::Config;

use super::finding::Finding;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
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
