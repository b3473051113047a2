use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::time::pulse::Pulse;

const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Crash {
    #[error("it panicked")]
    Panicked,
    #[error("nothing has come of it for too long")]
    Hung,
}

impl Crash {
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Panicked => "report it with the lines before this one",
            Self::Hung => "see what the log says before; the next run begins anew",
        }
    }
}

/// Aborts work whose pulse is silent for `limit`.
///
/// # Errors
/// It panicked or hung.
pub async fn guard<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    pulse: &Pulse,
    limit: Duration,
) -> Result<T, Crash> {
    let work = AbortOnDropHandle::new(tokio::spawn(work));
    tokio::select! {
        // Nothing else aborts it, so an error is a panic.
        ended = work => ended.map_err(|_| Crash::Panicked),
        () = falls_silent(pulse, limit) => Err(Crash::Hung),
    }
}

pub(super) async fn falls_silent(pulse: &Pulse, limit: Duration) {
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
