//! The configuration: it can be read, or we would not be here; what else there is to say of it.

use crate::config::Config;
use crate::sync::Failure;

use super::finding::Finding;

/// Further things that are allowed and yet worth a word are findings of their own here.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    vec![accounts(config)]
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
