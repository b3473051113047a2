//! Detects work that hangs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Last sign of life.
#[derive(Debug)]
pub struct Pulse(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Instant,
    waiting: usize,
}

struct Waiting<'a>(&'a Pulse);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(State {
            last: Instant::now(),
            waiting: 0,
        }))
    }
}

impl Pulse {
    /// Records a sign of life.
    pub fn beat(&self) {
        self.state().last = Instant::now();
    }

    /// Waits without counting as silent.
    pub async fn while_waiting<T>(&self, waiting: impl Future<Output = T>) -> T {
        self.state().waiting += 1;
        let _waits = Waiting(self);
        waiting.await
    }

    /// Zero while waiting.
    pub fn silent_for(&self) -> Duration {
        let state = self.state();
        if state.waiting > 0 {
            Duration::ZERO
        } else {
            state.last.elapsed()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.waiting -= 1;
        state.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn work_is_silent_since_its_last_beat() {
        let pulse = Pulse::default();
        tokio::time::advance(SECOND * 5).await;
        assert_eq!(pulse.silent_for(), SECOND * 5);
        pulse.beat();
        tokio::time::advance(SECOND).await;
        assert_eq!(pulse.silent_for(), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_waits_is_not_silent_and_counts_anew_once_it_does_no_more() {
        let pulse = Pulse::default();
        let hour = tokio::time::sleep(SECOND * 3_600);
        tokio::join!(pulse.while_waiting(hour), async {
            tokio::time::sleep(SECOND * 3_599).await;
            assert_eq!(pulse.silent_for(), Duration::ZERO);
        });
        tokio::time::advance(SECOND).await;
        assert_eq!(pulse.silent_for(), SECOND);
        drop(Box::pin(pulse.while_waiting(std::future::pending::<()>())));
        tokio::time::advance(SECOND).await;
        assert_eq!(pulse.silent_for(), SECOND * 2, "what is given up waits no more");
    }
}
