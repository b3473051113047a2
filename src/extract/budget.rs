//! The request budget of one account: never more than so many requests in any 60 seconds, nor more
//! than so many in flight, and what is wanted most goes first.
//!
//! The server counts when a request arrives, which we do not know: some time between sending it
//! and having its answer. A request therefore occupies its place from before it is sent until
//! the whole span after it ended. Whatever the latency, any span of the server's then holds no
//! more arrivals than the limit, and a full budget is used but for one round trip a span.
//!
//! The limits may change while requests wait. What was spent is remembered for the longest span
//! that there is, whatever the limits are now, so that new ones hold from the first request on.

mod hour;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::info;

use crate::config::{BudgetSpan, RequestLimits};

use hour::Refusals;

/// Clocks of two machines do not tick alike, and timers fire late but also round down.
const MARGIN: Duration = Duration::from_millis(100);

/// Of a hundred places, so many are left to live requests alone: a poll that finds a minute used up
/// would wait for the next one. A small budget has none to spare.
const RESERVED_PERCENT: usize = 3;
const SMALL_BUDGET: usize = 20;

/// So many ended requests are remembered where the limits ask for no more: those of an account
/// without limits would be without number.
const REMEMBERED: usize = 10_000;

/// A shorter wait is nothing that anybody would ask about.
const WORTH_SAYING: Duration = Duration::from_secs(5);

/// Who goes first where places are short: what people wait for, then what may have changed, then
/// the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// New interactions.
    Live,
    /// Interactions that may have changed since they were loaded.
    Refresh,
    /// A past range that somebody asked for.
    Backfill,
}

/// So many requests in any span of this kind.
#[derive(Debug, Clone, Copy)]
struct Limit {
    requests: usize,
    /// So many of them are left to live requests alone.
    reserved: usize,
    span: BudgetSpan,
}

impl From<(BudgetSpan, u32)> for Limit {
    fn from((span, requests): (BudgetSpan, u32)) -> Self {
        let requests = requests as usize;
        let is_small = requests < SMALL_BUDGET;
        Self {
            requests,
            reserved: if is_small {
                0
            } else {
                (requests * RESERVED_PERCENT).div_ceil(100)
            },
            span,
        }
    }
}

impl Limit {
    /// When a request that ended then takes up no place any more.
    fn free_at(self, ended: Instant) -> Instant {
        ended + self.span.length() + MARGIN
    }

    /// Requests in any span, if no more than those of this priority are wanted.
    fn requests(self, priority: Priority) -> usize {
        match priority {
            Priority::Live => self.requests,
            Priority::Refresh | Priority::Backfill => self.requests - self.reserved,
        }
    }
}

/// How much of a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetUse {
    /// Over which span.
    pub span: BudgetSpan,
    /// Requests that occupy a place now: in flight, or ended within the span.
    pub used: usize,
    /// Requests that may.
    pub limit: usize,
}

/// Hands out places for requests by priority, and first come, first served within one.
#[derive(Debug)]
pub struct Budget {
    places: Mutex<Places>,
    /// A request ended, or another one may be the first in the queue.
    changed: Notify,
}

#[derive(Debug)]
struct Places {
    configured: RequestLimits,
    limits: Vec<Limit>,
    in_flight: usize,
    /// When requests ended, oldest first, as far back as the longest span.
    ended: VecDeque<Instant>,
    paused_until: Option<Instant>,
    refusals: Refusals,
    /// Who waits for a place; only the first may take one.
    queue: BTreeSet<Turn>,
    /// The number of the next one to come.
    next: u64,
}

/// A rank in the queue: by priority, then by arrival.
type Turn = (Priority, u64);

enum Admission {
    Now,
    At(Instant),
    /// Only the end of a request in flight, or of the wait of who is before us, can tell.
    AfterAChange,
}

/// A place in the budget, held while a request is on its way.
#[derive(Debug)]
pub struct Place<'a>(&'a Budget);

/// A rank in the queue, left however the wait ends: also when it is given up.
struct Waiting<'a> {
    budget: &'a Budget,
    turn: Turn,
}

impl Budget {
    /// A budget within these limits.
    pub fn new(limits: RequestLimits) -> Self {
        Self {
            places: Mutex::new(Places {
                configured: limits,
                limits: limits.spans().map(Limit::from).collect(),
                in_flight: 0,
                ended: VecDeque::new(),
                paused_until: None,
                refusals: Refusals::default(),
                queue: BTreeSet::new(),
                next: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// Waits until a request may be sent. Nobody gets a place while somebody of a higher priority
    /// waits, even if that one came while the other was already waiting for the minute to pass.
    ///
    /// May be dropped at any time: whoever is next in the queue goes on.
    pub async fn admit(&self, priority: Priority) -> Place<'_> {
        let waiting = self.queue_up(priority);
        let mut said = false;
        loop {
            // Listening begins before looking, or a change in between would be missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.admission(waiting.turn) {
                Admission::Now => return Place(self),
                Admission::At(at) => {
                    let wait = at.saturating_duration_since(Instant::now());
                    if wait >= WORTH_SAYING && !std::mem::replace(&mut said, true) {
                        info!(wait_seconds = wait.as_secs(), "waiting for the request budget");
                    }
                    // Who may take the place is looked at again when it is free.
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = changed => {}
                    }
                }
                Admission::AfterAChange => changed.await,
            }
        }
    }

    fn queue_up(&self, priority: Priority) -> Waiting<'_> {
        let mut places = self.places();
        let turn = (priority, places.next);
        places.next += 1;
        places.queue.insert(turn);
        drop(places);
        Waiting { budget: self, turn }
    }

    /// Takes a place if there is one now, and nobody goes before `turn`.
    fn admission(&self, turn: Turn) -> Admission {
        let mut places = self.places();
        if places.queue.first() != Some(&turn) || places.in_flight >= places.configured.max_in_flight {
            return Admission::AfterAChange;
        }
        places.admission(Instant::now(), turn.0)
    }

    /// Lets no request of the account out for `pause`: the API asked for it.
    pub fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut places = self.places();
        places.paused_until = places.paused_until.max(Some(until));
    }

    /// Takes into account what an earlier process spent, or else a restart would begin with a
    /// whole budget inside a minute that is already used up.
    ///
    /// `requests` are numbers of requests, each with how long ago the last of them ended, in any
    /// order. What is longer ago than the monotonic clock can tell is left out.
    pub fn spent_before(&self, requests: impl IntoIterator<Item = (usize, Duration)>) {
        let mut places = self.places();
        // More than a whole limit at one instant holds nothing back any longer: memory stays bounded.
        let most = places.remembered();
        let now = Instant::now();
        let spent = requests
            .into_iter()
            .filter_map(|(requests, ago)| Some((requests.min(most), now.checked_sub(ago)?)))
            .flat_map(|(requests, ended)| std::iter::repeat_n(ended, requests));
        places.ended.extend(spent);
        // They belong in front of what this process did, and admission relies on the order.
        places.ended.make_contiguous().sort();
        places.forget(now);
    }

    /// How much of each limit is used now.
    pub fn uses(&self) -> Vec<BudgetUse> {
        let (places, now) = (self.places(), Instant::now());
        let uses = places.limits.iter().map(|limit| BudgetUse {
            span: limit.span,
            used: places.in_flight
                + places
                    .ended
                    .iter()
                    .filter(|ended| limit.free_at(**ended) > now)
                    .count(),
            limit: limit.requests,
        });
        uses.collect()
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Takes a place if there is one now.
    fn admission(&mut self, now: Instant, priority: Priority) -> Admission {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        let mut at = self.paused_until;
        self.forget(now);
        for limit in &self.limits {
            let recent = self.ended.partition_point(|ended| limit.free_at(*ended) <= now);
            let taken = self.in_flight + self.ended.len() - recent;
            let Some(excess) = taken.checked_sub(limit.requests(priority)) else {
                continue;
            };
            match self.ended.get(recent + excess) {
                Some(ended) => at = at.max(Some(limit.free_at(*ended))),
                None => return Admission::AfterAChange,
            }
        }
        match at {
            Some(at) => Admission::At(at),
            None => {
                self.in_flight += 1;
                Admission::Now
            }
        }
    }

    /// How many ended requests are remembered, at most: all that a limit can ask for.
    fn remembered(&self) -> usize {
        let limits = self.limits.iter().map(|limit| limit.requests);
        limits.fold(REMEMBERED, usize::max)
    }

    /// Lets go of what no limit can ask for.
    fn forget(&mut self, now: Instant) {
        let most = self.remembered();
        let longest = BudgetSpan::LONGEST.length() + MARGIN;
        while self.ended.len() > most || self.ended.front().is_some_and(|ended| *ended + longest <= now) {
            self.ended.pop_front();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.0.places();
        places.in_flight -= 1;
        let now = Instant::now();
        places.ended.push_back(now);
        places.forget(now);
        drop(places);
        self.0.changed.notify_waiters();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.budget.places().queue.remove(&self.turn);
        self.budget.changed.notify_waiters();
    }
}
