//! Work that must not take its runner with it: a panic ends the work alone, and so does hanging.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::time::pulse::Pulse;

/// How often work is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why work came to no end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Crash {
    #[error("it panicked")]
    Panicked,
    #[error("nothing has come of it for too long")]
    Hung,
}

impl Crash {
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Panicked => "report it with the lines before this one",
            Self::Hung => "see what the log says before; the next run begins anew",
        }
    }
}

/// Does the work in a task of its own, and ends it once its pulse is silent for `limit`: whatever it
/// hangs on is dropped with it.
pub(super) async fn guard<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    pulse: &Pulse,
    limit: Duration,
) -> Result<T, Crash> {
    let work = AbortOnDropHandle::new(tokio::spawn(work));
    tokio::select! {
        // Nobody else ends it, so it can only have panicked.
        ended = work => ended.map_err(|_| Crash::Panicked),
        () = falls_silent(pulse, limit) => Err(Crash::Hung),
    }
}

async fn falls_silent(pulse: &Pulse, limit: Duration) {
    while pulse.silent_for() < limit {
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn work_that_hangs_is_ended_and_work_that_waits_is_not() {
        let pulse = Arc::new(Pulse::default());
        let hung = guard(std::future::pending::<()>(), &pulse, MINUTE).await;
        assert_eq!(hung, Err(Crash::Hung));
        let waiting = Arc::clone(&pulse);
        let work = async move { waiting.while_waiting(tokio::time::sleep(MINUTE * 60)).await };
        pulse.beat();
        assert_eq!(guard(work, &pulse, MINUTE).await, Ok(()));
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_alone() {
        let work = async { assert!(std::hint::black_box(false), "meant to panic") };
        assert_eq!(guard(work, &Pulse::default(), MINUTE).await, Err(Crash::Panicked));
    }
}
