use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::time::window::Window;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Total,
    Identity,
}

/// Counts are of interactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayComparison {
    pub from: DateTime<Utc>,
    /// Exclusive.
    pub to: DateTime<Utc>,
    pub method: Method,
    pub api: u64,
    /// Of those in the API; under [`Method::Total`], stored for the day.
    pub stored: u64,
    pub not_stored: u64,
    pub not_returned: u64,
    /// Stored in another version, or marked missing.
    pub changed: u64,
    pub rejected: u64,
    pub problem: Option<String>,
}

impl DayComparison {
    pub fn differs(&self) -> bool {
        self.problem.is_some() || self.not_stored + self.not_returned + self.changed > 0
    }

    pub(super) fn of(day: Window, method: Method) -> Self {
        Self {
            from: day.start,
            to: day.end,
            method,
            api: 0,
            stored: 0,
            not_stored: 0,
            not_returned: 0,
            changed: 0,
            rejected: 0,
            problem: None,
        }
    }
}
