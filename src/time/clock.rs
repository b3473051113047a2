//! The wall clock, passed in wherever the time decides something.
//!
//! Logic that reads the clock itself cannot be tested at midnight, an hour ahead or after a
//! night's sleep; `clippy.toml` therefore forbids `Utc::now` everywhere but here.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The current instant. May jump in either direction between two calls.
    fn now(&self) -> DateTime<Utc>;

    /// How much time has passed since, by the clock that nobody sets.
    fn elapsed(&self, since: Instant) -> Duration {
        since.elapsed()
    }
}

/// How far apart two clocks are, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skew {
    /// As far as clocks are that nobody looks after for a day.
    Small,
    /// Worth a word: more than a minute.
    Notable,
    /// Something is wrong: more than five minutes.
    Large,
}

impl Skew {
    /// Of a clock that is ahead of another by so much, or behind.
    pub fn of(ahead: TimeDelta) -> Self {
        match ahead.num_seconds().abs() {
            ..=60 => Self::Small,
            61..=300 => Self::Notable,
            _ => Self::Large,
        }
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
