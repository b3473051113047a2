use std::fmt::Debug;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

pub trait Clock: Debug + Send + Sync + 'static {
    /// May jump.
    fn now(&self) -> DateTime<Utc>;

    /// Monotonic.
    fn elapsed(&self, since: Instant) -> Duration {
        since.elapsed()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skew {
    /// Up to 60 seconds.
    Small,
    /// Up to 300 seconds.
    Notable,
    Large,
}

impl Skew {
    pub fn of(ahead: TimeDelta) -> Self {
        match ahead.num_seconds().abs() {
            ..=60 => Self::Small,
            61..=300 => Self::Notable,
            _ => Self::Large,
        }
    }
}

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
