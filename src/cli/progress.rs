use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::config::RefreshPolicy;
use crate::ledger::{LoadError, requests};
use crate::status::pace::Pace;
use crate::sync::{self, AccountContext, Headway, RunReport, Wish};
use crate::telemetry::{self, chain, logging::Screen};
use crate::time::pulse::Pulse;

use super::exit::CommandError;
use super::shell::{LedgerAnswer, Outage, Shell};

const LOG_INTERVAL: Duration = Duration::from_secs(10);

const BAR_INTERVAL: Duration = Duration::from_millis(500);

pub(super) trait ProgressView: Send + 'static {
    fn draw(&mut self, bar: &ProgressBar);
    fn log(&mut self);
}

/// Shown until the handle is dropped.
pub(super) fn show(
    screen: &Screen,
    (account, unit): (&str, &str),
    mut progress: impl ProgressView,
) -> AbortOnDropHandle<()> {
    let bar = screen.bar().map(|bar| {
        let template = format!("{{prefix}} [{{bar:24}}] {{pos}}/{{len}} {unit}{{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_prefix(account.to_owned());
        ClearedBar(bar)
    });
    AbortOnDropHandle::new(tokio::spawn(async move {
        let interval = if bar.is_some() { BAR_INTERVAL } else { LOG_INTERVAL };
        let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match &bar {
                Some(bar) => progress.draw(&bar.0),
                None => progress.log(),
            }
        }
    }))
}

struct ClearedBar(ProgressBar);

impl Drop for ClearedBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

pub(super) struct WatchedAccount<'a> {
    pub(super) context: AccountContext,
    shell: &'a Shell<'a>,
    earlier: EarlierRuns,
    _shown: AbortOnDropHandle<()>,
}

/// Each run counts from zero.
#[derive(Debug, Clone, Default)]
struct EarlierRuns(Arc<Mutex<Option<Headway>>>);

impl EarlierRuns {
    fn lock(&self) -> MutexGuard<'_, Option<Headway>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn headway(&self, context: &AccountContext) -> Option<Headway> {
        let earlier = self.lock();
        let Some(now) = *context.headway.borrow() else {
            return *earlier;
        };
        let mut counters = earlier.unwrap_or_default().counters;
        counters += now.counters;
        Some(Headway { counters, ..now })
    }

    fn add(&self, context: &AccountContext, report: &RunReport) {
        let mut earlier = self.lock();
        if let Some(last) = context.headway.send_replace(None) {
            let mut counters = earlier.unwrap_or_default().counters;
            counters += report.counters;
            *earlier = Some(Headway { counters, ..last });
        }
    }
}

impl<'a> WatchedAccount<'a> {
    pub(super) fn new(context: AccountContext, screen: &Screen, shell: &'a Shell<'a>) -> Self {
        let earlier = EarlierRuns::default();
        let mut pace = Pace::new(context.api.account().limits);
        pace.see(Duration::ZERO, 0);
        let progress = AccountProgress {
            context: context.clone(),
            earlier: earlier.clone(),
            pace,
            began: Instant::now(),
            outage: Arc::clone(&shell.outage),
        };
        let shown = show(screen, (context.name(), "requests"), progress);
        Self {
            context,
            shell,
            earlier,
            _shown: shown,
        }
    }

    pub(super) fn account(&self) -> &str {
        self.context.name()
    }

    pub(super) async fn catch_up(&self, policies: &[RefreshPolicy], stop: &CancellationToken) -> RunReport {
        let pass = async || self.ended(sync::catch_up(&self.context, policies, stop).await);
        self.shell.retry(stop, pass).await
    }

    /// Ctrl-C cancels the request; other ends leave it open.
    pub(super) async fn fulfil(&self, wish: &Wish<'_>, stop: &CancellationToken) -> (Option<i64>, RunReport) {
        let mut request = None;
        let fulfil = async || {
            let (id, report) = sync::fulfil(&self.context, wish, stop).await;
            request = id.or(request);
            self.ended(report)
        };
        let report = self.shell.retry(stop, fulfil).await;
        if self.shell.interrupted.is_cancelled()
            && let Some(id) = request
            && let Err(error) = requests::cancel(&self.context.pool, id).await
        {
            warn!(error = %chain(&error), request = id, "could not cancel the request");
        }
        (request, report)
    }

    pub(super) async fn clean_up(&self, stop: &CancellationToken) -> Result<(), CommandError> {
        let clean_up = async || Ok(self.context.clean_up(stop, &Pulse::default()).await?);
        self.shell.retry(stop, clean_up).await
    }

    /// Asks the ledger, again whenever the database goes away.
    pub(super) async fn look<T>(
        &self,
        stop: &CancellationToken,
        mut look: impl AsyncFnMut() -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        self.shell
            .retry(stop, async || LedgerAnswer(look().await))
            .await
            .0
    }

    fn ended(&self, report: RunReport) -> RunReport {
        self.earlier.add(&self.context, &report);
        report
    }
}

struct AccountProgress {
    context: AccountContext,
    earlier: EarlierRuns,
    pace: Pace,
    began: Instant,
    outage: Arc<Outage>,
}

impl AccountProgress {
    fn headway(&mut self) -> Option<(Headway, Option<Duration>)> {
        let headway = self.earlier.headway(&self.context)?;
        self.pace.see(self.began.elapsed(), headway.counters.requests);
        Some((headway, self.pace.eta(headway.requests_left)))
    }
}

impl ProgressView for AccountProgress {
    fn draw(&mut self, bar: &ProgressBar) {
        if self.outage.is_being_waited_for() {
            bar.set_message(", waiting for the database");
        } else if let Some((headway, eta)) = self.headway() {
            let done = headway.counters.requests;
            bar.set_length(done + headway.requests_left);
            bar.set_position(done);
            bar.set_message(message(&headway, eta));
        } else {
            bar.set_message(", planning");
        }
    }

    fn log(&mut self) {
        if let Some((headway, eta)) = self.headway() {
            info!(
                account = self.context.name(),
                requests = headway.counters.requests,
                requests_left = headway.requests_left,
                records = headway.counters.records,
                eta_seconds = eta.map(|eta| eta.as_secs()),
                "progress"
            );
        }
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
    use crate::ledger::Counters;

    use super::*;

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
