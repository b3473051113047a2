//! The simulator's wall clock: the only place that reads it, so that a test can freeze or shift it.

use chrono::{DateTime, TimeDelta, Utc};

/// What the simulated API believes the time to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The machine's clock, moved by a constant: zero, or an API whose clock is off.
    Wall(TimeDelta),
    /// A frozen instant.
    Frozen(DateTime<Utc>),
}

impl Clock {
    pub(crate) fn now(self) -> DateTime<Utc> {
        match self {
            Self::Wall(shift) => wall_clock() + shift,
            Self::Frozen(at) => at,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that reads the wall clock"
)]
fn wall_clock() -> DateTime<Utc> {
    Utc::now()
}
