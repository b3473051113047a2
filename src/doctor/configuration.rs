//! Checks the parsed configuration.

use crate::config::Config;
use crate::sync::Failure;

use super::finding::Finding;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![accounts(config)];
    findings.extend(trimmed_secrets(config));
    findings
}

fn trimmed_secrets(config: &Config) -> Option<Finding> {
    let keys = &config.trimmed_secrets;
    let found = format!(
        "used without the white space or the byte order mark around it: {}",
        keys.join(", ")
    );
    (!keys.is_empty()).then(|| Finding::ok("secrets", found))
}

fn accounts(config: &Config) -> Finding {
    const CHECK: &str = "configuration";
    let names: Vec<&str> = config
        .accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    if names.is_empty() {
        return Finding::failed(
            CHECK,
            "it can be read, but no account is configured",
            Failure::Other,
        )
        .remedy("set accounts.<name>.base_url, .account_id, .stream_id and credentials");
    }
    Finding::ok(CHECK, format!("accounts: {}", names.join(", ")))
}
