//! The wall clock, passed in wherever the time decides something.
//!
//! Logic that reads the clock itself cannot be tested at midnight, an hour ahead or after a
//! night's sleep; `clippy.toml` therefore forbids `Utc::now` everywhere but here.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Tells the time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The current instant. May jump in either direction between two calls.
    fn now(&self) -> DateTime<Utc>;

    /// How much time has passed since, by the clock that nobody sets.
    fn elapsed(&self, since: Instant) -> Duration {
        since.elapsed()
    }
}

/// The clock of this machine.
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
