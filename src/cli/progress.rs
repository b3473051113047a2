//! Progress of long work: a bar or log lines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::config::RefreshPolicy;
use crate::ledger::{LoadError, requests};
use crate::postgres::Database;
use crate::status::pace::Pace;
use crate::sync::{self, AccountContext, Headway, RunReport, Wish};
use crate::telemetry::{self, chain, logging::Screen};
use crate::time::pulse::Pulse;

use super::waiting::Waiting;

const LINE_EVERY: Duration = Duration::from_secs(10);

const BAR_EVERY: Duration = Duration::from_millis(500);

const BAR: &str = "{prefix} [{bar:24}] {pos}/{len} requests, {msg}";

#[derive(Debug)]
pub(super) struct Watched<'a> {
    pub(super) worker: AccountContext,
    database: &'a Database,
    waiting: &'a Waiting,
    earlier: Earlier,
    interrupted: CancellationToken,
    _shown: AbortOnDropHandle<()>,
}

/// Earlier runs, because each run counts from zero.
#[derive(Debug, Clone, Default)]
struct Earlier(Arc<Mutex<Option<Headway>>>);

impl Earlier {
    fn lock(&self) -> MutexGuard<'_, Option<Headway>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn headway(&self, worker: &AccountContext) -> Option<Headway> {
        let earlier = self.lock();
        let Some(now) = *worker.headway.borrow() else {
            return *earlier;
        };
        let mut counters = earlier.unwrap_or_default().counters;
        counters += now.counters;
        Some(Headway { counters, ..now })
    }

    fn add(&self, worker: &AccountContext, report: &RunReport) {
        let mut earlier = self.lock();
        if let Some(last) = worker.headway.send_replace(None) {
            let mut counters = earlier.unwrap_or_default().counters;
            counters += report.counters;
            *earlier = Some(Headway { counters, ..last });
        }
    }
}

impl<'a> Watched<'a> {
    pub(super) fn new(
        worker: AccountContext,
        screen: &Screen,
        (database, waiting): (&'a Database, &'a Waiting),
        interrupted: CancellationToken,
    ) -> Self {
        let earlier = Earlier::default();
        let pace = Pace::new(worker.api.account().limits);
        let shown = (worker.clone(), earlier.clone(), pace);
        let shown = match screen.bar() {
            Some(bar) => tokio::spawn(show_bar(shown, bar, waiting.is_waiting())),
            None => tokio::spawn(show_lines(shown)),
        };
        Self {
            worker,
            database,
            waiting,
            earlier,
            interrupted,
            _shown: AbortOnDropHandle::new(shown),
        }
    }

    pub(super) fn account(&self) -> &str {
        &self.worker.api.account().name
    }

    pub(super) async fn catch_up(&self, policies: &[RefreshPolicy], stop: &CancellationToken) -> RunReport {
        let pass = async || self.ended(sync::catch_up(&self.worker, policies, stop).await);
        self.waiting.through(self.database, stop, pass).await
    }

    /// Also the request, where there is anything to read. Ctrl-C cancels it; other ends leave it.
    pub(super) async fn fulfil(&self, wish: &Wish<'_>, stop: &CancellationToken) -> (Option<i64>, RunReport) {
        let request = Mutex::new(None);
        let fulfil = async || {
            let (id, report) = sync::fulfil(&self.worker, wish, stop).await;
            let mut request = request.lock().unwrap_or_else(PoisonError::into_inner);
            *request = id.or(*request);
            self.ended(report)
        };
        let report = self.waiting.through(self.database, stop, fulfil).await;
        let request = request.into_inner().unwrap_or_else(PoisonError::into_inner);
        if self.interrupted.is_cancelled()
            && let Some(id) = request
            && let Err(error) = requests::cancel(&self.worker.pool, id).await
        {
            warn!(error = %chain(&error), request = id, "could not cancel the request");
        }
        (request, report)
    }

    pub(super) async fn clean_up(&self, stop: &CancellationToken) -> Result<(), LoadError> {
        let clean_up = async || self.worker.clean_up(stop, &Pulse::default()).await;
        self.waiting.through(self.database, stop, clean_up).await
    }

    /// Asks the ledger, as often as the database goes away meanwhile.
    pub(super) async fn look<T>(
        &self,
        stop: &CancellationToken,
        look: impl AsyncFnMut() -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        self.waiting.through(self.database, stop, look).await
    }

    fn ended(&self, report: RunReport) -> RunReport {
        self.earlier.add(&self.worker, &report);
        report
    }
}

type Shown = (AccountContext, Earlier, Pace);

async fn show_lines((worker, earlier, mut pace): Shown) {
    let began = Instant::now();
    pace.see(Duration::ZERO, 0);
    let mut ticks = tokio::time::interval_at(began + LINE_EVERY, LINE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(headway) = earlier.headway(&worker) {
            pace.see(began.elapsed(), headway.counters.requests);
            info!(
                account = worker.api.account().name,
                requests = headway.counters.requests,
                requests_left = headway.requests_left,
                records = headway.counters.records,
                eta_seconds = pace.eta(headway.requests_left).map(|eta| eta.as_secs()),
                "progress"
            );
        }
    }
}

struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn show_bar((worker, earlier, mut pace): Shown, bar: ProgressBar, is_waiting: Arc<AtomicBool>) {
    let began = Instant::now();
    let bar = Bar(bar);
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.0.set_style(style);
    }
    bar.0.set_message("planning");
    bar.0.set_prefix(worker.api.account().name.clone());
    let mut ticks = tokio::time::interval(BAR_EVERY);
    loop {
        ticks.tick().await;
        if is_waiting.load(Ordering::Relaxed) {
            bar.0.set_message("waiting for the database");
            continue;
        }
        let Some(headway) = earlier.headway(&worker) else {
            continue;
        };
        let done = headway.counters.requests;
        pace.see(began.elapsed(), done);
        bar.0.set_length(done + headway.requests_left);
        bar.0.set_position(done);
        bar.0
            .set_message(message(&headway, pace.eta(headway.requests_left)));
    }
}

fn message(headway: &Headway, eta: Option<Duration>) -> String {
    let interactions = format!("{} interactions", headway.counters.records);
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
        assert_eq!(message(&headway, None), "1200 interactions");
        assert_eq!(
            message(&headway, Some(Duration::from_secs(65))),
            "1200 interactions, about 1 min 5 s left"
        );
    }
}
