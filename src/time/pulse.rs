use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub struct Pulse(Mutex<LastBeat>);

#[derive(Debug)]
struct LastBeat {
    at: Instant,
    waiting: usize,
}

struct WaitGuard<'a>(&'a Pulse);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(LastBeat {
            at: Instant::now(),
            waiting: 0,
        }))
    }
}

impl Pulse {
    pub fn beat(&self) {
        self.last_beat().at = Instant::now();
    }

    /// Waits without counting as silent.
    pub async fn while_waiting<T>(&self, waiting: impl Future<Output = T>) -> T {
        self.last_beat().waiting += 1;
        let _guard = WaitGuard(self);
        waiting.await
    }

    /// Zero while waiting.
    pub fn silent_for(&self) -> Duration {
        let last = self.last_beat();
        if last.waiting > 0 {
            Duration::ZERO
        } else {
            last.at.elapsed()
        }
    }

    fn last_beat(&self) -> MutexGuard<'_, LastBeat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        let mut last = self.0.last_beat();
        last.waiting -= 1;
        last.at = Instant::now();
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
    async fn waiting_is_not_silence_and_counting_begins_anew_after_it() {
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
