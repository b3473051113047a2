use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Half-open, in whole seconds like the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// Inclusive.
    pub start: DateTime<Utc>,
    /// Exclusive.
    pub end: DateTime<Utc>,
}

impl Window {
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
