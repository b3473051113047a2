//! Caches answers, so that frequent requests share one query.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Shorter than probe intervals.
const REUSED_FOR: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Fresh<T>(Mutex<Option<(Instant, T)>>);

impl<T: Clone> Fresh<T> {
    pub(super) async fn get(&self, make: impl Future<Output = T>) -> T {
        let mut kept = self.0.lock().await;
        if let Some((made_at, answer)) = &*kept
            && made_at.elapsed() < REUSED_FOR
        {
            return answer.clone();
        }
        let answer = make.await;
        *kept = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_made_once_a_second() {
        let (fresh, made) = (Fresh::default(), AtomicU32::new(0));
        let ask = || {
            fresh.get(async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                made.fetch_add(1, Ordering::Relaxed)
            })
        };
        assert_eq!(tokio::join!(ask(), ask(), ask()), (0, 0, 0));
        tokio::time::advance(REUSED_FOR).await;
        assert_eq!(ask().await, 1);
    }
}
