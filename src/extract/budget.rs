//! The request budget of one account. A request holds its place until a whole span after it ended, so no span
//! of the server exceeds the limit, whatever the latency.

mod hour;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::info;

use crate::config::{BudgetSpan, RequestLimits};

use hour::Refusals;

/// Clock drift and timer rounding.
const MARGIN: Duration = Duration::from_millis(100);

/// Bounds memory for accounts without limits.
const REMEMBERED: usize = 10_000;

const WORTH_SAYING: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Head,
    /// Evenly paced, so that places for the head come free as evenly; never takes the last one in flight.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BudgetUse {
    #[serde(rename = "span_seconds")]
    pub span: BudgetSpan,
    pub used: usize,
    pub limit: usize,
}

/// By priority, then arrival.
#[derive(Debug)]
pub struct Budget {
    state: Mutex<BudgetState>,
    changed: Notify,
}

#[derive(Debug)]
struct BudgetState {
    limits: RequestLimits,
    in_flight: usize,
    ended: VecDeque<Instant>,
    paused_until: Option<Instant>,
    /// At an even pace. The head may ignore it; others make up for that.
    due_at: Option<Instant>,
    refusals: Refusals,
    queue: BTreeSet<Turn>,
    next: u64,
}

type Turn = (Priority, u64);

enum Admission {
    Now,
    At(Instant),
    AfterAChange,
}

/// Of a request in flight.
#[derive(Debug)]
pub struct Place<'a>(&'a Budget);

struct Waiting<'a> {
    budget: &'a Budget,
    turn: Turn,
}

impl Budget {
    pub fn new(limits: RequestLimits) -> Self {
        Self {
            state: Mutex::new(BudgetState {
                limits,
                in_flight: 0,
                ended: VecDeque::new(),
                paused_until: None,
                due_at: None,
                refusals: Refusals::default(),
                queue: BTreeSet::new(),
                next: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// Cancel-safe.
    pub async fn admit(&self, priority: Priority) -> Place<'_> {
        let waiting = self.queue_up(priority);
        let mut said = false;
        loop {
            // Before the check, or a change is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let admission = self.state().admission(waiting.turn, Instant::now());
            match admission {
                Admission::Now => return Place(self),
                Admission::At(at) => {
                    let wait = at.saturating_duration_since(Instant::now());
                    if wait >= WORTH_SAYING && !std::mem::replace(&mut said, true) {
                        info!(wait_seconds = wait.as_secs(), "waiting for the request budget");
                    }
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
        let mut state = self.state();
        let turn = (priority, state.next);
        state.next += 1;
        state.queue.insert(turn);
        drop(state);
        Waiting { budget: self, turn }
    }

    /// Gives what is left.
    pub fn pause(&self, pause: Duration) -> Duration {
        let (mut state, now) = (self.state(), Instant::now());
        let until = state
            .paused_until
            .map_or(now + pause, |until| until.max(now + pause));
        state.paused_until = Some(until);
        until - now
    }

    pub fn spent_before(&self, requests: impl IntoIterator<Item = (usize, Duration)>) {
        let mut state = self.state();
        // More has no effect.
        let most = state.remembered();
        let now = Instant::now();
        let spent = requests
            .into_iter()
            .filter_map(|(requests, ago)| Some((requests.min(most), now.checked_sub(ago)?)))
            .flat_map(|(requests, ended)| std::iter::repeat_n(ended, requests));
        state.ended.extend(spent);
        state.ended.make_contiguous().sort();
        state.forget(now);
    }

    pub fn uses(&self) -> Vec<BudgetUse> {
        let (state, now) = (self.state(), Instant::now());
        let uses = state.limits.spans().map(|(span, limit)| BudgetUse {
            span,
            used: state.taken(span, now),
            limit: limit as usize,
        });
        uses.collect()
    }

    /// Of the last hour, by minutes passed; requests in flight count in the newest minute.
    pub fn spent_by_minute(&self) -> Vec<i32> {
        let (state, now) = (self.state(), Instant::now());
        let mut spent = vec![i32::try_from(state.in_flight).unwrap_or(i32::MAX)];
        for ended in state.ended.iter().rev() {
            let minutes = now.saturating_duration_since(*ended).as_secs() / 60;
            let minute = usize::try_from(minutes).unwrap_or(usize::MAX);
            if minute >= 60 {
                break;
            }
            if spent.len() <= minute {
                spent.resize(minute + 1, 0);
            }
            spent[minute] += 1;
        }
        spent
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BudgetState {
    fn admission(&mut self, turn: Turn, now: Instant) -> Admission {
        let priority = turn.0;
        if self.queue.first() != Some(&turn) || self.in_flight >= self.most_in_flight(priority) {
            return Admission::AfterAChange;
        }
        self.paused_until = self.paused_until.filter(|until| *until > now);
        let mut at = self.paused_until;
        self.forget(now);
        if priority == Priority::Other {
            at = at.max(self.due_at.filter(|due| *due > now));
        }
        for (span, limit) in self.limits.spans() {
            let Some(excess) = self.taken(span, now).checked_sub(limit as usize) else {
                continue;
            };
            match self.ended.get(self.free(span, now) + excess) {
                Some(ended) => at = at.max(Some(free_at(*ended, span))),
                None => return Admission::AfterAChange,
            }
        }
        match at {
            Some(at) => Admission::At(at),
            None => {
                let due_at = self.due_at.map_or(now, |due| due.max(now));
                self.due_at = Some(due_at + self.limits.time_for(1));
                self.in_flight += 1;
                Admission::Now
            }
        }
    }

    /// In flight, or ended within the span.
    fn taken(&self, span: BudgetSpan, now: Instant) -> usize {
        self.in_flight + self.ended.len() - self.free(span, now)
    }

    /// Ended earlier.
    fn free(&self, span: BudgetSpan, now: Instant) -> usize {
        self.ended.partition_point(|ended| free_at(*ended, span) <= now)
    }

    fn most_in_flight(&self, priority: Priority) -> usize {
        let most = self.limits.max_in_flight;
        match priority {
            Priority::Head => most,
            Priority::Other => most.saturating_sub(1).max(1),
        }
    }

    fn remembered(&self) -> usize {
        let limits = self.limits.spans().map(|(_, limit)| limit as usize);
        limits.fold(REMEMBERED, usize::max)
    }

    fn forget(&mut self, now: Instant) {
        let most = self.remembered();
        let is_old = |ended: &Instant| free_at(*ended, BudgetSpan::Hour) <= now;
        while self.ended.len() > most || self.ended.front().is_some_and(is_old) {
            self.ended.pop_front();
        }
    }
}

fn free_at(ended: Instant, span: BudgetSpan) -> Instant {
    ended + span.length() + MARGIN
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        let now = Instant::now();
        state.ended.push_back(now);
        state.forget(now);
        drop(state);
        self.0.changed.notify_waiters();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.budget.state().queue.remove(&self.turn);
        self.budget.changed.notify_waiters();
    }
}
