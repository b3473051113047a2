//! Whether an account gets on: for how long there has been work without anything coming of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::load::runs::Outcome;

use super::report::Failure;

/// What an account's polls have come to, for those who watch from outside.
#[derive(Debug, Default)]
pub struct Liveness(Mutex<State>);

#[derive(Debug, Default, Clone, Copy)]
struct State {
    /// Since when there is work and no progress; `None` where there is no work.
    since: Option<Instant>,
    failure: Option<Failure>,
}

impl Liveness {
    /// A poll begins: there may be work.
    pub(super) fn begin(&self) {
        self.change(|state| state.since = state.since.or(Some(Instant::now())));
    }

    /// Something was stored.
    pub(super) fn progress(&self) {
        self.change(|state| state.since = state.since.map(|_| Instant::now()));
    }

    /// A poll has ended. One that failed leaves work behind.
    pub(super) fn ended(&self, outcome: Outcome, failure: Option<Failure>) {
        self.change(|state| match outcome {
            Outcome::Failed => state.failure = failure,
            Outcome::Succeeded | Outcome::Skipped | Outcome::Interrupted => *state = State::default(),
        });
    }

    /// For how long there has been work and nothing was stored; zero where there is no work.
    pub fn idle_for(&self) -> Duration {
        self.get().since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// What was wrong with the newest poll that has ended.
    pub fn failure(&self) -> Option<Failure> {
        self.get().failure
    }

    fn get(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn pass(seconds: u32) {
        tokio::time::advance(SECOND * seconds).await;
    }

    #[tokio::test(start_paused = true)]
    async fn failing_again_and_again_is_one_stall() {
        let liveness = Liveness::default();
        for _ in 0..3 {
            liveness.begin();
            pass(10).await;
            liveness.ended(Outcome::Failed, Some(Failure::Other));
            pass(10).await;
        }
        assert_eq!(liveness.idle_for(), SECOND * 60);
        assert_eq!(liveness.failure(), Some(Failure::Other));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_stored_counts_from_anew_and_what_is_done_counts_no_more() {
        let liveness = Liveness::default();
        liveness.begin();
        pass(10).await;
        liveness.progress();
        pass(3).await;
        assert_eq!(liveness.idle_for(), SECOND * 3);
        liveness.ended(Outcome::Succeeded, None);
        pass(100).await;
        assert_eq!((liveness.idle_for(), liveness.failure()), (Duration::ZERO, None));
        liveness.progress();
        assert_eq!(liveness.idle_for(), Duration::ZERO, "a refresh is no poll");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stands_by_does_not_stall() {
        let liveness = Liveness::default();
        for _ in 0..3 {
            liveness.begin();
            liveness.ended(Outcome::Skipped, None);
            pass(1_000).await;
        }
        assert_eq!(liveness.idle_for(), Duration::ZERO);
    }
}
