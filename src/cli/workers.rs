//! Builds what is needed to work on each account.

use std::sync::Arc;

use tracing::{info, warn};

use crate::config::{AccountConfig, Config};
use crate::extract::ApiClient;
use crate::postgres::{Pool, is_loopback};
use crate::sync::{AccountContext, AccountSettings};
use crate::time::clock::Clock;

use super::exit::CommandError;

pub(super) fn build(
    config: &Config,
    pool: &Pool,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<AccountContext>, CommandError> {
    let holder = holder();
    let settings = AccountSettings {
        settle: config.sync.settle,
        late: config.sync.late,
        missing_confirm: config.sync.missing_confirm,
        lease: config.sync.lease,
        stall: config.sync.stall,
        keep_raw: config.storage.raw,
        retention: config.storage.retention,
        policy: Arc::new(config.privacy.clone()),
    };
    announce_proxies();
    config
        .accounts
        .iter()
        .map(|account| {
            warn_of_plain_http(account);
            let api = ApiClient::new(account.clone(), Arc::clone(clock))?;
            Ok(AccountContext::new(
                api,
                pool.clone(),
                settings.clone(),
                Arc::clone(clock),
                holder.clone(),
            ))
        })
        .collect()
}

/// Host and process for readers, UUID for uniqueness.
fn holder() -> String {
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    format!(
        "{}:{}:{}",
        host.unwrap_or_default(),
        std::process::id(),
        uuid::Uuid::new_v4().simple()
    )
}

fn warn_of_plain_http(account: &AccountConfig) {
    let host = account.base_url.host_str().unwrap_or_default();
    if account.base_url.scheme() == "http" && !is_loopback(host) {
        warn!(
            account = account.name,
            "base_url is not https: tokens and personal data cross the network in the clear"
        );
    }
}

/// An accidental proxy is a common cause of failures.
fn announce_proxies() {
    for name in [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
            info!(
                variable = name,
                "requests to the API go through a proxy, as this variable says"
            );
        }
    }
}
