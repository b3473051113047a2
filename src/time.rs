//! The clock, windows of time, and the pulse of work with its guard.

use std::fmt::{self, Debug};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

const LOOK: Duration = Duration::from_secs(1);

pub trait Clock: Debug + Send + Sync + 'static {
    /// May jump.
    fn now(&self) -> DateTime<Utc>;

    /// Monotonic.
    fn elapsed(&self, since: Instant) -> Duration {
        since.elapsed()
    }
}

/// Between two clocks.
pub const NORMAL_SKEW: TimeDelta = TimeDelta::seconds(60);

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// Half-open, in whole seconds like the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// Inclusive.
    pub start: DateTime<Utc>,
    /// Exclusive.
    pub end: DateTime<Utc>,
}

impl Window {
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self { start, end }
    }

    pub fn seconds(&self) -> i64 {
        (self.end - self.start).num_seconds()
    }

    pub fn overlaps(&self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Oldest first.
    pub fn without(self, other: Self) -> impl Iterator<Item = Self> {
        let before = Self {
            end: self.end.min(other.start),
            ..self
        };
        let after = Self {
            start: self.start.max(other.end),
            ..self
        };
        [before, after].into_iter().filter(|part| part.start < part.end)
    }

    /// Older half first.
    pub fn halves(&self) -> [Self; 2] {
        let middle = self.start + TimeDelta::seconds(self.seconds() / 2);
        let older = Self { end: middle, ..*self };
        let newer = Self {
            start: middle,
            ..*self
        };
        [older, newer]
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        write!(f, "{}/{}", instant(self.start), instant(self.end))
    }
}

impl From<Window> for sqlx::postgres::types::PgRange<DateTime<Utc>> {
    fn from(window: Window) -> Self {
        (window.start..window.end).into()
    }
}

/// When work last showed that it goes on.
#[derive(Debug)]
pub struct Pulse(Mutex<tokio::time::Instant>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(tokio::time::Instant::now()))
    }
}

impl Pulse {
    pub fn beat(&self) {
        *self.last_beat() = tokio::time::Instant::now();
    }

    fn silent_for(&self) -> Duration {
        self.last_beat().elapsed()
    }

    fn last_beat(&self) -> MutexGuard<'_, tokio::time::Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

async fn falls_silent(pulse: &Pulse, limit: Duration) {
    while pulse.silent_for() < limit {
        tokio::time::sleep(LOOK).await;
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
    async fn work_that_hangs_is_ended_and_work_that_beats_is_not() {
        let pulse = std::sync::Arc::new(Pulse::default());
        let hung = guard(std::future::pending::<()>(), &pulse, SECOND * 60).await;
        assert_eq!(hung, Err(Crash::Hung));
        pulse.beat();
        let beating = std::sync::Arc::clone(&pulse);
        let work = async move {
            for _ in 0..60 {
                tokio::time::sleep(SECOND * 59).await;
                beating.beat();
            }
        };
        assert_eq!(guard(work, &pulse, SECOND * 60).await, Ok(()));
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_alone() {
        let work = async { assert!(std::hint::black_box(false), "meant to panic") };
        assert_eq!(
            guard(work, &Pulse::default(), SECOND * 60).await,
            Err(Crash::Panicked)
        );
    }
}
