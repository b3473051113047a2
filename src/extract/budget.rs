//! The request budget of one account: never more than so many requests in any 60 seconds.
//!
//! The server counts when a request arrives, which we do not know: some time between sending it
//! and having its answer. A request therefore occupies its place from before it is sent until
//! the whole span after it ended. Whatever the latency, any span of the server's then holds no
//! more arrivals than the limit, and a full budget is used but for one round trip a span.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Clocks of two machines do not tick alike, and timers fire late but also round down.
const MARGIN: Duration = Duration::from_millis(100);

/// So many requests in any span of this length.
#[derive(Debug, Clone, Copy)]
struct Limit {
    requests: usize,
    span: Duration,
}

/// Hands out places for requests, first come, first served.
#[derive(Debug)]
pub struct Budget {
    limits: Vec<Limit>,
    places: Mutex<Places>,
    released: Notify,
    /// Held by the one request that is waiting for a place; the others queue here, in order.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Places {
    in_flight: usize,
    /// When requests ended, oldest first, as far back as the longest span.
    ended: VecDeque<Instant>,
    paused_until: Option<Instant>,
}

enum Admission {
    Now,
    At(Instant),
    /// Only the end of a request in flight can tell.
    AfterARelease,
}

/// A place in the budget, held while a request is on its way.
#[derive(Debug)]
pub struct Place<'a>(&'a Budget);

/// Requests made on behalf of one window.
#[derive(Debug, Default)]
pub struct RequestCount(AtomicU64);

impl RequestCount {
    /// Requests so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Budget {
    /// A budget of so many requests in any minute and in any hour; 0 is no limit of that kind.
    pub fn new(requests_per_minute: u32, requests_per_hour: u32) -> Self {
        let limits = [(requests_per_minute, 60), (requests_per_hour, 3_600)]
            .into_iter()
            .filter(|(requests, _)| *requests > 0)
            .map(|(requests, seconds)| Limit {
                requests: requests as usize,
                span: Duration::from_secs(seconds) + MARGIN,
            })
            .collect();
        Self {
            limits,
            places: Mutex::default(),
            released: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Waits until a request may be sent.
    pub async fn admit(&self) -> Place<'_> {
        let _turn = self.turn.lock().await;
        loop {
            // Listening begins before looking, or a release in between would be missed.
            let mut released = std::pin::pin!(self.released.notified());
            released.as_mut().enable();
            let admission = self.places().admission(Instant::now(), &self.limits);
            match admission {
                Admission::Now => return Place(self),
                Admission::At(at) => tokio::time::sleep_until(at).await,
                Admission::AfterARelease => released.await,
            }
        }
    }

    /// Lets no request of the account out for `pause`: the API asked for it.
    pub fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut places = self.places();
        places.paused_until = places.paused_until.max(Some(until));
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Takes a place if there is one now.
    fn admission(&mut self, now: Instant, limits: &[Limit]) -> Admission {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        let mut at = self.paused_until;
        let longest = limits.iter().map(|limit| limit.span).max().unwrap_or_default();
        while self.ended.front().is_some_and(|ended| *ended + longest <= now) {
            self.ended.pop_front();
        }
        for limit in limits {
            let recent = self.ended.partition_point(|ended| *ended + limit.span <= now);
            let taken = self.in_flight + self.ended.len() - recent;
            let Some(excess) = taken.checked_sub(limit.requests) else {
                continue;
            };
            match self.ended.get(recent + excess) {
                Some(ended) => at = at.max(Some(*ended + limit.span)),
                None => return Admission::AfterARelease,
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
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.0.places();
        places.in_flight -= 1;
        if !self.0.limits.is_empty() {
            places.ended.push_back(Instant::now());
        }
        drop(places);
        self.0.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// When each of `latencies.len()` requests, all wanted at once, is sent, in milliseconds.
    fn sent(requests_per_minute: u32, latencies: &[u64]) -> Vec<u64> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let budget = Budget::new(requests_per_minute, 0);
            let begin = Instant::now();
            let requests = latencies.iter().map(async |latency| {
                let place = budget.admit().await;
                let sent = begin.elapsed();
                tokio::time::sleep(Duration::from_millis(*latency)).await;
                drop(place);
                u64::try_from(sent.as_millis()).unwrap()
            });
            futures_util::future::join_all(requests).await
        })
    }

    #[test]
    fn a_minutes_requests_may_go_at_once() {
        assert!(sent(60, &[0; 60]).iter().all(|at| *at == 0));
    }

    #[test]
    fn no_request_waits_without_a_limit() {
        assert!(sent(0, &[1_000; 500]).iter().all(|at| *at == 0));
    }

    #[test]
    fn the_sixty_first_waits_for_the_minute_after_the_first_answer() {
        assert_eq!(sent(60, &[200; 61])[60], 60_300);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_every_request_back() {
        let budget = Budget::new(0, 0);
        budget.pause(Duration::from_secs(7));
        budget.pause(Duration::from_secs(3));
        let begin = Instant::now();
        drop(budget.admit().await);
        assert_eq!(begin.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn the_hour_is_counted_beside_the_minute() {
        let budget = Budget::new(60, 90);
        let begin = Instant::now();
        for _ in 0..91 {
            drop(budget.admit().await);
        }
        assert_eq!(begin.elapsed().as_secs(), 3_600);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_minute_of_the_servers_holds_more_than_the_limit(
            limit in 1_u32..20,
            requests in prop::collection::vec((0_u64..90_000, 0.0_f64..=1.0), 1..80),
        ) {
            let latencies: Vec<u64> = requests.iter().map(|(latency, _)| *latency).collect();
            let mut arrivals: Vec<f64> = sent(limit, &latencies)
                .into_iter()
                .zip(&requests)
                // A request arrives at any moment between being sent and being answered.
                .map(|(sent, (latency, fraction))| sent as f64 + *latency as f64 * fraction)
                .collect();
            arrivals.sort_by(f64::total_cmp);
            for window in arrivals.windows(limit as usize + 1) {
                prop_assert!(window[limit as usize] - window[0] >= 60_000.0);
            }
        }
    }
}
