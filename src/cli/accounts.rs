//! The accounts that a command works on, all at once; the worst failure counts.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{AccountConfig, Config};
use crate::doctor::proxy_variable;
use crate::extract::ApiClient;
use crate::ledger::problems::Failure;
use crate::ledger::runs::Outcome;
use crate::postgres::{Pool, is_loopback};
use crate::sync::{AccountContext, AccountSettings, RunReport};
use crate::telemetry::logging::Screen;
use crate::time::clock::{Clock, SystemClock};

use crate::warehouse::reporting::MayChange;

use super::exit::CommandError;
use super::progress::WatchedAccount;
use super::shell::with_database;

pub(super) fn select(config: &Config, name: Option<&str>) -> Result<Config, CommandError> {
    config.require_accounts()?;
    let mut config = config.clone();
    let Some(name) = name else { return Ok(config) };
    let known: Vec<String> = config
        .accounts
        .iter()
        .map(|account| account.name.clone())
        .collect();
    config.accounts.retain(|account| account.name == name);
    if config.accounts.is_empty() {
        return Err(CommandError::Usage(format!(
            "--account: there is no account {name:?}; known: {}",
            known.join(", ")
        )));
    }
    Ok(config)
}

pub(super) async fn run_all(
    config: &Config,
    screen: &Screen,
    may_change: MayChange,
    run: impl AsyncFn(&WatchedAccount<'_>, &CancellationToken) -> RunReport,
) -> Result<(), CommandError> {
    config.require_accounts()?;
    with_database(config, async |shell| {
        shell.apply_reporting(may_change).await?;
        let contexts = contexts(config, &shell.database.pool)?.into_iter();
        let accounts: Vec<WatchedAccount<'_>> = contexts
            .map(|context| WatchedAccount::new(context, screen, shell))
            .collect();
        let reports = join_all(accounts.iter().map(|account| run(account, &shell.stop))).await;
        if let Some(worst) = reports.iter().filter_map(failure).max() {
            return Err(CommandError::Runs(worst));
        }
        let is_interrupted = reports
            .iter()
            .any(|report| report.outcome == Outcome::Interrupted);
        if is_interrupted {
            Err(CommandError::Interrupted)
        } else {
            Ok(())
        }
    })
    .await
}

fn failure(report: &RunReport) -> Option<Failure> {
    match report.outcome {
        Outcome::Succeeded | Outcome::Interrupted => None,
        Outcome::Failed => report.failure(),
        Outcome::Skipped => Some(Failure::Other),
    }
}

pub(super) fn contexts(config: &Config, pool: &Pool) -> Result<Vec<AccountContext>, CommandError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
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
    let holder = lease_holder();
    let contexts = config.accounts.iter().map(|account| {
        announce_connection(account);
        let api = ApiClient::new(account.clone(), Arc::clone(&clock))?;
        let (pool, settings) = (pool.clone(), settings.clone());
        Ok(AccountContext::new(
            api,
            pool,
            settings,
            Arc::clone(&clock),
            holder.clone(),
        ))
    });
    contexts.collect()
}

/// Host and process for readers, UUID for uniqueness.
fn lease_holder() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let (host, process) = (host.to_string_lossy(), std::process::id());
    format!("{host}:{process}:{}", uuid::Uuid::new_v4().simple())
}

/// An accidental proxy is a common cause of failures.
fn announce_connection(account: &AccountConfig) {
    let (name, url) = (&account.name, &account.base_url);
    if let Some(variable) = proxy_variable(url.scheme()) {
        info!(
            account = name,
            variable, "requests to the API go through a proxy, as this variable says"
        );
    }
    if url.scheme() == "http" && !is_loopback(url.host_str().unwrap_or_default()) {
        warn!(
            account = name,
            "base_url is not https: tokens and personal data cross the network in the clear"
        );
    }
}
