//! A stretch of time that is asked for, proven and booked as one.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The half-open stretch from `start` up to, not including, `end`. Both are whole seconds,
/// since the API's request knows nothing finer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

impl Window {
    /// How long it is, in seconds.
    pub fn seconds(&self) -> i64 {
        (self.end - self.start).num_seconds()
    }

    /// Both halves, the older one first. Of a second, the older one is empty.
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
