//! Refreshes, beside the poll runner.

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

/// A refresh tier.
#[derive(Debug)]
pub struct Tier {
    /// Its name in the configuration.
    pub name: String,
    /// Schedule.
    pub every: Cron,
    /// How far back.
    pub lookback: TimeDelta,
    /// Trigger.
    pub bell: Bell,
}

/// Refreshes until `stop`; smaller tiers interrupt larger ones. Restarts neither repeat nor skip a tick.
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

/// A refresh due now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRefresh {
    /// What to read.
    pub job: Job,
    /// Next tick of a smaller tier.
    pub makes_way_at: Option<DateTime<Utc>>,
}

/// Smallest lookback first.
pub fn due_now(
    tiers: &[RefreshTier],
    follow_open: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> impl Iterator<Item = DueRefresh> {
    tiers.iter().enumerate().filter_map(move |(place, tier)| {
        let since = tier.every.last_before(now)?;
        let smaller = tiers[..place].iter();
        Some(DueRefresh {
            job: refresh_of(place, (&tier.name, tier.lookback), since, follow_open, now),
            makes_way_at: smaller.filter_map(|tier| tier.every.next_after(now)).min(),
        })
    })
}

fn refresh_of(
    place: usize,
    (name, lookback): (&str, TimeDelta),
    since: DateTime<Utc>,
    follow_open: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Job {
    // One tier suffices.
    let is_most_frequent = place == 0;
    Job::Refresh {
        policy: name.to_owned(),
        lookback,
        since,
        open_since: follow_open.filter(|_| is_most_frequent).map(|age| now - age),
        unsettled: is_most_frequent,
    }
}

trait Runs: Clone + Send + Sync + 'static {
    fn run(&self, job: Job, stop: CancellationToken) -> impl Future<Output = Option<Outcome>> + Send;

    fn account(&self) -> &str;

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
    tiers: Vec<Tier>,
    due: Due,
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

    async fn run(&mut self, tier: usize, since: DateTime<Utc>) {
        let Tier { name, lookback, .. } = &self.tiers[tier];
        let job = refresh_of(tier, (name, *lookback), since, self.follow_open, self.clock.now());
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
            // The lease was lost.
            Some(Outcome::Skipped | Outcome::Interrupted) => Ended::Taken(self.worker.lease()),
            Some(Outcome::Failed) | None => Ended::Failed,
        };
        self.due.finished(tier, ended, Instant::now());
    }

    /// Cancel safe.
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
        // Later instants predate a clock jump.
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

#[derive(Debug, Clone, Copy)]
struct Rung {
    tier: usize,
    missed: bool,
}
