//! The runner of each account that refreshes: tiers of lookback, the nearest past first.
//!
//! It stands beside the runner that polls and never waits for it; within the worker they share the
//! lease, and the budget's priorities let the poll go first.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::config::RefreshTier;
use crate::ledger::runs::Outcome;
use crate::sync::{AccountWorker, Job};
use crate::telemetry;
use crate::time::clock::Clock;

use super::bell::{Bell, missed};
use super::due::{Due, Ended, Next};
use super::runner::run_guarded;
use crate::config::Cron;

/// How often which part of the past is read again.
#[derive(Debug)]
pub struct Tier {
    /// When it is due.
    pub every: Cron,
    /// How far back it reads.
    pub lookback: TimeDelta,
    /// Rings when it is due.
    pub bell: Bell,
}

/// Refreshes an account until `stop`, each tier when its bell rings. Of tiers that are due, the one
/// of the smallest lookback runs first, and a larger one that runs makes way for it.
///
/// At the start every tier is due since its last ring before: what was read since then counts, so a
/// restart neither repeats nor forgets one. With `follow_open`, the tier of the smallest lookback
/// also reads sessions without an end again that began no longer ago than that.
pub async fn refresh(
    worker: Arc<AccountWorker>,
    tiers: Vec<Tier>,
    follow_open: Option<TimeDelta>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    Refresher::new(worker, tiers, follow_open, clock, stop)
        .answer()
        .await;
}

/// A refresh that is due, for whoever runs once and not for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRefresh {
    /// What it has to read.
    pub job: Job,
    /// When a tier of smaller lookback is due next, for which it makes way; `None` where there is none.
    pub makes_way_at: Option<DateTime<Utc>>,
}

/// The refreshes that are due now, smallest lookback first: of each tier, what nobody has read since it
/// was last due.
pub fn due_now(
    tiers: &[RefreshTier],
    follow_open: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> impl Iterator<Item = DueRefresh> {
    tiers.iter().enumerate().filter_map(move |(place, tier)| {
        let since = tier.every.last_before(now)?;
        let smaller = tiers[..place].iter();
        Some(DueRefresh {
            job: refresh_of(place, tier.lookback, since, follow_open, now),
            makes_way_at: smaller.filter_map(|tier| tier.every.next_after(now)).min(),
        })
    })
}

/// What a tier that became due at `since` has to read; `place` 0 is that of the smallest lookback.
fn refresh_of(
    place: usize,
    lookback: TimeDelta,
    since: DateTime<Utc>,
    follow_open: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Job {
    // Some things need one reader, and the most frequent is the one that is soonest there.
    let is_most_frequent = place == 0;
    Job::Refresh {
        lookback,
        since,
        open_since: follow_open.filter(|_| is_most_frequent).map(|age| now - age),
        unsettled: is_most_frequent,
    }
}

/// Who runs jobs: an account's worker.
trait Runs: Clone + Send + Sync + 'static {
    /// Runs once; `None` where it panicked.
    fn run(&self, job: Job, stop: CancellationToken) -> impl Future<Output = Option<Outcome>> + Send;

    fn account(&self) -> &str;

    /// How long a lease lasts without a heartbeat.
    fn lease(&self) -> Duration;
}

impl Runs for Arc<AccountWorker> {
    async fn run(&self, job: Job, stop: CancellationToken) -> Option<Outcome> {
        run_guarded(self, job, &stop).await
    }

    fn account(&self) -> &str {
        &self.api.account().name
    }

    fn lease(&self) -> Duration {
        self.settings.lease
    }
}

struct Refresher<W> {
    worker: W,
    /// Smallest lookback first.
    tiers: Vec<Tier>,
    due: Due,
    /// When each tier's bell should ring next.
    expected: Vec<Option<DateTime<Utc>>>,
    follow_open: Option<TimeDelta>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

impl<W: Runs> Refresher<W> {
    fn new(
        worker: W,
        mut tiers: Vec<Tier>,
        follow_open: Option<TimeDelta>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Self {
        tiers.sort_by_key(|tier| tier.lookback);
        let now = clock.now();
        Self {
            worker,
            due: Due::since(tiers.iter().map(|tier| tier.every.last_before(now))),
            expected: tiers.iter().map(|tier| tier.every.next_after(now)).collect(),
            tiers,
            follow_open,
            clock,
            stop,
        }
    }

    async fn answer(mut self) {
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            match self.due.next(Instant::now()) {
                Next::Run(tier, since) => self.run(tier, since).await,
                Next::Rest(until) => tokio::select! {
                    () = stop.cancelled() => break,
                    rung = self.rung() => self.hear(rung),
                    () = tokio::time::sleep_until(until) => {}
                },
                Next::Nothing => tokio::select! {
                    () = stop.cancelled() => break,
                    rung = self.rung() => self.hear(rung),
                },
            }
        }
    }

    /// Runs a tier, and stops it where one of smaller lookback becomes due.
    async fn run(&mut self, tier: usize, since: DateTime<Utc>) {
        let lookback = self.tiers[tier].lookback;
        let job = refresh_of(tier, lookback, since, self.follow_open, self.clock.now());
        let (worker, stop) = (self.worker.clone(), self.stop.child_token());
        let mut running = std::pin::pin!(worker.run(job, stop.clone()));
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut running => break outcome,
                rung = self.rung() => {
                    self.hear(rung);
                    if rung.tier < tier {
                        stop.cancel();
                    }
                }
            }
        };
        let ended = match outcome {
            Some(Outcome::Succeeded) => Ended::Done,
            Some(Outcome::Interrupted) if stop.is_cancelled() => Ended::Stopped,
            // Interrupted by nobody here: the lease was lost.
            Some(Outcome::Skipped | Outcome::Interrupted) => Ended::Taken(self.worker.lease()),
            Some(Outcome::Failed) | None => Ended::Failed,
        };
        self.due.finished(tier, ended, Instant::now());
    }

    /// Waits for the next ring of any tier, or until one is missed. May be dropped at any time.
    async fn rung(&self) -> Rung {
        let tiers = self.tiers.iter().zip(&self.expected).enumerate();
        let rings = tiers.map(|(tier, (Tier { bell, .. }, expected))| {
            Box::pin(async move {
                tokio::select! {
                    biased;
                    () = bell.notified() => Rung { tier, missed: false },
                    () = missed(*expected, self.clock.as_ref()) => Rung { tier, missed: true },
                }
            })
        });
        let rings: Vec<_> = rings.collect();
        if rings.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(rings).await.0
    }

    fn hear(&mut self, Rung { tier, missed }: Rung) {
        let (account, now) = (self.worker.account(), self.clock.now());
        let Tier { every, lookback, .. } = &self.tiers[tier];
        let lookback_minutes = lookback.num_minutes();
        if missed {
            warn!(
                account,
                lookback_minutes,
                due = self.expected[tier].map(telemetry::instant),
                "the scheduler did not ring, refreshing all the same"
            );
        } else {
            debug!(account, lookback_minutes, "the bell rang");
        }
        let ring = every.last_before(now).unwrap_or(now);
        self.expected[tier] = every.next_after(now);
        // One that is due later than it can be was reckoned before the clock was set back.
        for (Tier { every, .. }, expected) in self.tiers.iter().zip(&mut self.expected) {
            *expected = (*expected).min(every.next_after(now));
        }
        if let Some(since) = self.due.rang(tier, now, ring) {
            warn!(
                account,
                lookback_minutes,
                since = telemetry::instant(since),
                remedy = "raise requests_per_minute if the API allows more, or lengthen every or shorten lookback \
                          in sync.refresh",
                "a refresh tier did not finish before its next ring"
            );
        }
    }
}

/// A tier is due.
#[derive(Debug, Clone, Copy)]
struct Rung {
    tier: usize,
    /// It should have rung, and did not.
    missed: bool,
}
