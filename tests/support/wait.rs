//! Waiting for what a test asserts. A fixed sleep is too long on most machines and too short on some.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, Location};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::AbortOnDropHandle;

/// No test waits longer than this for anything, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks again and again until `look` gives what was waited for, as `Ok`; `Err` is what it saw instead. Gives up
/// after [`PATIENCE`], and says then what was waited for, where, and what was seen last.
#[track_caller]
pub(crate) fn until<T, Seen: Debug, Look: AsyncFnMut() -> Result<T, Seen>>(
    what: &str,
    mut look: Look,
) -> impl Future<Output = T> + use<T, Seen, Look> {
    let (what, from) = (what.to_owned(), Location::caller());
    async move {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        while Instant::now() < deadline {
            match timeout_at(deadline, look()).await {
                Ok(Ok(wanted)) => return wanted,
                Ok(Err(seen)) => last = Some(seen),
                Err(_) => break,
            }
            sleep(PAUSE).await;
        }
        let seen = last.map_or_else(|| "nothing".to_owned(), |seen| format!("{seen:#?}"));
        panic!("{from}: waited {PATIENCE:?} for {what}; last seen: {seen}")
    }
}

/// A clock that stands still while this process gets no turn: what a busy machine takes away is not counted. It never
/// shows more than has passed.
pub(crate) struct Stopwatch {
    ticks: Arc<AtomicU32>,
    _ticking: AbortOnDropHandle<()>,
}

impl Stopwatch {
    const TICK: Duration = Duration::from_millis(5);

    pub(crate) fn start() -> Self {
        let ticks = Arc::<AtomicU32>::default();
        let ticking = {
            let ticks = Arc::clone(&ticks);
            async move {
                loop {
                    sleep(Self::TICK).await;
                    ticks.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        Self {
            ticks,
            _ticking: AbortOnDropHandle::new(tokio::spawn(ticking)),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Self::TICK * self.ticks.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_is_given_up_with_what_was_seen_last() {
    let mut looks = 0;
    let waiting = until("seven", async || {
        looks += 1;
        if looks > 3 {
            // A look that hangs is given up as well.
            std::future::pending::<()>().await;
        }
        Err::<(), _>(looks)
    });
    let said = AssertUnwindSafe(waiting).catch_unwind().await.unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(
        said.contains("tests/support/wait.rs:") && said.ends_with("waited 300s for seven; last seen: 3"),
        "{said}"
    );
}
