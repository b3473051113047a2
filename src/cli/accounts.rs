//! Accounts that a command works on, all at once; the worst failure counts.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::config::{AccountConfig, Config};
use crate::extract::ApiClient;
use crate::ledger::LoadError;
use crate::ledger::problems::Failure;
use crate::ledger::requests::{self, NewRequest};
use crate::ledger::runs::Outcome;
use crate::postgres::{Pool, is_loopback};
use crate::status;
use crate::sync::{self, AccountContext, Headway, RunReport};
use crate::telemetry::{self, chain, logging::Screen};
use crate::time::{Clock, SystemClock};

use super::process::CommandError;
use super::shell::{Shell, with_database};

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
    may_change: bool,
    run: impl AsyncFn(&WatchedAccount<'_>) -> RunReport,
) -> Result<(), CommandError> {
    config.require_accounts()?;
    with_database(config, async |shell| {
        shell.apply_reporting(may_change).await?;
        let contexts = contexts(config, &shell.database.pool)?.into_iter();
        let accounts: Vec<WatchedAccount<'_>> = contexts
            .map(|context| WatchedAccount::new(context, screen, shell))
            .collect();
        let reports = join_all(accounts.iter().map(|account| run(account))).await;
        if let Some(worst) = reports.iter().filter_map(failure).max() {
            return Err(CommandError::Runs(worst));
        }
        let mut cut_short = reports
            .iter()
            .filter(|report| report.outcome == Outcome::Interrupted);
        match cut_short.next() {
            None => Ok(()),
            Some(report) if report.was_cancelled() => Err(CommandError::Cancelled),
            Some(_) => Err(CommandError::Interrupted),
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
    let holder = lease_holder();
    let contexts = config.accounts.iter().map(|account| {
        announce_connection(account);
        let api = ApiClient::new(account.clone(), Arc::clone(&clock))?;
        Ok(AccountContext::new(
            api,
            pool.clone(),
            config,
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

/// The variable that sets a proxy.
fn proxy_variable(scheme: &str) -> Option<&'static str> {
    let of_scheme = match scheme {
        "https" => ["HTTPS_PROXY", "https_proxy"],
        _ => ["HTTP_PROXY", "http_proxy"],
    };
    let mut names = of_scheme.into_iter().chain(["ALL_PROXY", "all_proxy"]);
    names.find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
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

const LOG_INTERVAL: Duration = Duration::from_secs(10);

const BAR_INTERVAL: Duration = Duration::from_millis(500);

/// Shown until the handle is dropped; without a terminal there is no bar.
pub(super) fn show(
    screen: &Screen,
    (account, unit): (&str, &str),
    mut look: impl FnMut(Option<&ProgressBar>) + Send + 'static,
) -> AbortOnDropHandle<()> {
    let bar = screen.bar().inspect(|bar| {
        let template = format!("{{prefix}} [{{bar:24}}] {{pos}}/{{len}} {unit}{{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_prefix(account.to_owned());
    });
    AbortOnDropHandle::new(tokio::spawn(async move {
        let interval = if bar.is_some() { BAR_INTERVAL } else { LOG_INTERVAL };
        let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            look(bar.as_ref());
        }
    }))
}

pub(super) struct WatchedAccount<'a> {
    pub(super) context: AccountContext,
    pub(super) shell: &'a Shell<'a>,
    attempt_began: watch::Sender<Instant>,
    _shown: AbortOnDropHandle<()>,
}

impl<'a> WatchedAccount<'a> {
    pub(super) fn new(context: AccountContext, screen: &Screen, shell: &'a Shell<'a>) -> Self {
        let began = watch::Sender::new(Instant::now());
        let look = {
            let (context, began) = (context.clone(), began.clone());
            move |bar: Option<&ProgressBar>| show_headway(&context, began.borrow().elapsed(), bar)
        };
        let shown = show(screen, (context.name(), "requests"), look);
        Self {
            context,
            shell,
            attempt_began: began,
            _shown: shown,
        }
    }

    pub(super) async fn catch_up(&self) -> RunReport {
        let pass = async || {
            self.attempt(sync::catch_up(&self.context, &self.shell.stop))
                .await
        };
        self.shell.repeat(RunReport::was_cut_off, pass).await
    }

    /// Ctrl-C cancels the request; other ends leave it open.
    pub(super) async fn fulfil(&self, wish: &NewRequest<'_>) -> (Option<i64>, RunReport) {
        let mut request = None;
        let fulfil = async || {
            let (id, report) = self
                .attempt(sync::fulfil(&self.context, wish, &self.shell.stop))
                .await;
            request = id.or(request);
            report
        };
        let mut report = self.shell.repeat(RunReport::was_cut_off, fulfil).await;
        if self.shell.interrupted.is_cancelled()
            && let Some(id) = request
        {
            match requests::cancel(&self.context.pool, id).await {
                Ok(()) if report.outcome == Outcome::Interrupted => report.cancelled(),
                Ok(()) => {}
                Err(error) => warn!(error = %chain(&error), request = id, "could not cancel the request"),
            }
        }
        (request, report)
    }

    pub(super) async fn clean_up(&self) -> Result<(), LoadError> {
        self.look(async || self.context.clean_up(&self.shell.stop).await)
            .await
    }

    /// Again whenever the database goes away.
    pub(super) async fn look<T>(
        &self,
        look: impl AsyncFnMut() -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let was_cut_off = |seen: &Result<T, _>| seen.as_ref().is_err_and(LoadError::is_unreachable);
        self.shell.repeat(was_cut_off, look).await
    }

    async fn attempt<T>(&self, work: impl Future<Output = T>) -> T {
        self.attempt_began.send_replace(Instant::now());
        let done = work.await;
        self.context.headway.send_replace(None);
        done
    }
}

fn show_headway(context: &AccountContext, took: Duration, bar: Option<&ProgressBar>) {
    let Some(headway) = *context.headway.borrow() else {
        if let Some(bar) = bar {
            bar.set_message(", planning");
        }
        return;
    };
    let (requests, requests_left) = (headway.counters.requests, headway.requests_left);
    let limits = context.api.account().limits;
    let eta = status::eta(took, requests, requests_left, Some(limits));
    if let Some(bar) = bar {
        bar.set_length(requests + requests_left);
        bar.set_position(requests);
        bar.set_message(message(&headway, eta));
    } else {
        info!(
            account = context.name(),
            requests,
            requests_left,
            records = headway.counters.records,
            eta_seconds = eta.map(|eta| eta.as_secs()),
            "progress"
        );
    }
}

fn message(headway: &Headway, eta: Option<Duration>) -> String {
    let interactions = format!(", {} interactions", headway.counters.records);
    match eta.and_then(|eta| i64::try_from(eta.as_secs()).ok()) {
        Some(seconds) => format!("{interactions}, about {} left", telemetry::span(seconds)),
        None => interactions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Counters;

    #[test]
    fn the_bar_says_how_much_came_and_how_long_the_rest_takes() {
        let counters = Counters {
            records: 1_200,
            ..Counters::default()
        };
        let headway = Headway {
            counters,
            requests_left: 7,
        };
        assert_eq!(message(&headway, None), ", 1200 interactions");
        assert_eq!(
            message(&headway, Some(Duration::from_secs(65))),
            ", 1200 interactions, about 1 min 5 s left"
        );
    }
}
