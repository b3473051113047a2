//! What commands ask for, and how they watch it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::ledger::problems::Problem;
use crate::ledger::requests::{self, NewRequest, RequestProgress};
use crate::ledger::runs::{Kind, Outcome};
use crate::ledger::{Counters, LoadError, Purpose, accounts, from_bigint, gaps};
use crate::time::Window;
use crate::warehouse::compare;

use super::account::{AccountContext, Headway, HeldLease};
use super::compare::DayComparison;
use super::engine::{self, Goal};
use super::policies;
use super::report::RunReport;
use super::serve::LOOK_FOR_LEASE;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// In looks, so once a minute.
const SAY_EVERY: u32 = 60;

#[derive(Debug, thiserror::Error)]
pub enum WishError {
    #[error(
        "account {0} was loaded with other filters (selected_fields, channels, queues, bots, direction, extra_body): use the \
         configuration of the daemon, or let `run` or `sync` load it with these first"
    )]
    OtherFilters(String),
    #[error(transparent)]
    Ledger(#[from] LoadError),
}

/// Attaches to the same request if it is open. `None`: all of it is read already.
///
/// # Errors
/// Other filters, an impossible sync state, a failing database.
pub async fn ask(account: &AccountContext, wish: &NewRequest<'_>) -> Result<Option<i64>, WishError> {
    accounts::check(&account.pool, account.account_id()).await?;
    match accounts::has_other_filters(&account.pool, account.api.account()).await? {
        Some(true) => return Err(WishError::OtherFilters(account.name().to_owned())),
        Some(false) => {}
        None => introduce(account).await?,
    }
    let by = (account.account_id(), account.holder.as_str());
    let asked = requests::ask(&account.pool, by, wish).await?;
    Ok(asked.filter(|asked| asked.is_open).map(|asked| asked.id))
}

async fn introduce(account: &AccountContext) -> Result<(), LoadError> {
    let preparation = account.preparation(account.kept_from().await?);
    accounts::prepare(&account.pool, &preparation).await?;
    Ok(())
}

/// Reads all there is now; skipped if another worker has the account.
pub async fn pass(account: &AccountContext, kind: Kind, stop: &CancellationToken) -> RunReport {
    match HeldLease::acquire(account).await {
        Ok(Some(held)) => {
            engine::work(
                account,
                held,
                Goal::Everything(kind),
                stop.clone(),
                Arc::default(),
            )
            .await
        }
        Ok(None) => {
            debug!(account = account.name(), "another worker has the account");
            RunReport::skipped()
        }
        Err(error) => RunReport::not_begun(account.name(), &error),
    }
}

/// Reads all there is now, and refreshes what is due; waits for the lease holder if there is one.
pub async fn catch_up(account: &AccountContext, stop: &CancellationToken) -> RunReport {
    loop {
        let requests = match policies::ask_all(account, account.head(), account.clock.now(), None).await {
            Ok(requests) => requests,
            Err(error) => return RunReport::not_begun(account.name(), &error),
        };
        let report = pass(account, Kind::Sync, stop).await;
        if report.outcome == Outcome::Skipped {
            let watched = watch_all(account, requests, stop).await;
            return watched.unwrap_or_else(|error| RunReport::not_asked(account.name(), &error));
        }
        let has_lost_the_lease = report.outcome == Outcome::Interrupted && !report.was_cancelled();
        if !has_lost_the_lease || stop.is_cancelled() {
            return report;
        }
        stop.run_until_cancelled(tokio::time::sleep(LOOK_FOR_LEASE * 3))
            .await;
    }
}

/// What is new becomes a request too, so that it can be watched.
async fn watch_all(
    account: &AccountContext,
    requests: Vec<i64>,
    stop: &CancellationToken,
) -> Result<RunReport, WishError> {
    let settle = account.sync.settle;
    let unread = gaps::unread(&account.pool, account.account_id(), account.head(), settle).await?;
    let wish = NewRequest::of(Purpose::Backfill, &unread);
    let new = ask(account, &wish).await?;
    let mut all = RunReport::new();
    for id in new.into_iter().chain(requests) {
        let report = see_through(account, id, stop).await;
        let ends = report.outcome == Outcome::Interrupted;
        all = all.and(report);
        if ends {
            break;
        }
    }
    // A daemon reads what is new by itself.
    if stop.is_cancelled()
        && let Some(id) = new
    {
        requests::cancel(&account.pool, id).await?;
    }
    Ok(all)
}

/// Also gives the request, if there is anything to read.
pub async fn fulfil(
    account: &AccountContext,
    wish: &NewRequest<'_>,
    stop: &CancellationToken,
) -> (Option<i64>, RunReport) {
    match ask(account, wish).await {
        Ok(Some(id)) => (Some(id), see_through(account, id, stop).await),
        Ok(None) => (None, RunReport::new()),
        Err(error) => (None, RunReport::not_asked(account.name(), &error)),
    }
}

/// Watches the request while a daemon has it, else works on it; the ledger says how it ended.
pub async fn see_through(account: &AccountContext, id: i64, stop: &CancellationToken) -> RunReport {
    let mut watch = Watch::default();
    let mut yields_until = Instant::now();
    loop {
        let held = if yields_until > Instant::now() {
            Ok(None)
        } else {
            HeldLease::acquire(account).await
        };
        let worked = match held {
            Ok(Some(held)) => {
                let goal = Goal::Request(id);
                Some(engine::work(account, held, goal, stop.clone(), Arc::default()).await)
            }
            Ok(None) => None,
            Err(error) => return RunReport::not_begun(account.name(), &error),
        };
        let was_interrupted = |worked: &RunReport| worked.outcome == Outcome::Interrupted;
        let yields = !stop.is_cancelled() && worked.as_ref().is_some_and(was_interrupted);
        if yields {
            yields_until = Instant::now() + LOOK_FOR_LEASE * 3;
        }
        let progress = match (requests::progress(&account.pool, id).await, &worked) {
            (Ok(Some(progress)), _) => progress,
            (Ok(None), _) => return RunReport::of_cancelled_request().said(),
            (Err(_), Some(worked)) if worked.was_cut_off() => return worked.clone(),
            (Err(error), _) => return RunReport::not_begun(account.name(), &error),
        };
        match (worked, RunReport::of_request(&progress)) {
            (Some(worked), Some(ended)) => return worked.or_worse(ended),
            (None, Some(ended)) => return ended.said(),
            (Some(worked), None) if !yields => return worked.or_worse(RunReport::left_open()),
            (_, None) => {
                if let Some(stalled) = watch.look(account, id, &progress) {
                    return stalled;
                }
            }
        }
        let paused = stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
        if paused.is_none() {
            return RunReport::left_open();
        }
    }
}

/// What is served and loaded, else all: other days would differ.
pub async fn loaded(account: &AccountContext, range: Window) -> Result<Window, LoadError> {
    let edges = compare::loaded(&account.pool, account.account_id()).await?;
    let within = |edge: &DateTime<Utc>| range.start < *edge && *edge < range.end;
    let [served_from, until] = edges.map(|edge| edge.filter(within));
    let cut = Window::new(served_from.unwrap_or(range.start), until.unwrap_or(range.end));
    if cut == range || cut.end <= cut.start {
        return Ok(range);
    }
    info!(
        account = account.name(),
        range = %range,
        cut_to = %cut,
        "the range reaches past what is served and loaded, it is cut"
    );
    Ok(cut)
}

pub async fn compared(account: &AccountContext, request: i64) -> Result<Vec<DayComparison>, LoadError> {
    let progress = requests::progress(&account.pool, request).await?;
    let days = progress.and_then(|progress| progress.compared);
    let mut days: Vec<DayComparison> = days
        .and_then(|days| serde_json::from_value(days).ok())
        .unwrap_or_default();
    days.sort_by_key(|day| day.from);
    Ok(days)
}

#[derive(Default)]
struct Watch {
    looks: u32,
    made_before: Option<u64>,
}

impl Watch {
    /// `Some`: it has stalled.
    fn look(&mut self, account: &AccountContext, id: i64, progress: &RequestProgress) -> Option<RunReport> {
        let counters = progress.counters();
        // The pace is that of the requests since then.
        let before = *self.made_before.get_or_insert(counters.requests);
        let requests = counters.requests.saturating_sub(before);
        let headway = progress.requests_left.map(|left| Headway {
            counters: Counters { requests, ..counters },
            requests_left: from_bigint(left),
        });
        account.headway.send_replace(headway);
        if self.looks.is_multiple_of(SAY_EVERY) {
            info!(
                account = account.name(),
                request = id,
                "another worker has the account and reads it, watching"
            );
        }
        self.looks += 1;
        let quiet = Duration::try_from_secs_f64(progress.quiet_seconds).unwrap_or_default();
        let watched = LOOK_EVERY * self.looks;
        (quiet.min(watched) > account.stalled_after()).then(|| RunReport::of_failure(stalled()).said())
    }
}

fn stalled() -> Problem {
    Problem::failed(
        "stalled",
        "nothing has come of it for too long (sync.stall_seconds); the request stays",
        "see `status`, and the log of the worker that has the account",
    )
}
