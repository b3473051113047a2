//! What comparing a day came to.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::time::window::Window;

/// How a day was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The API's total against our count.
    Total,
    /// Every interaction of the day.
    Identity,
}

/// One day of the API's against ours. The counts are of interactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayComparison {
    /// The day, or what of it is in the range. Its first instant.
    pub from: DateTime<Utc>,
    /// The first instant after it.
    pub to: DateTime<Utc>,
    /// How it was compared.
    pub method: Method,
    /// So many the API has.
    pub api: u64,
    /// So many of those are stored; under [`Method::Total`], so many are stored for the day.
    pub stored: u64,
    /// The API has them, and they are not stored.
    pub not_stored: u64,
    /// They are stored, and the API did not return them.
    pub not_returned: u64,
    /// They are stored in another version.
    pub changed: u64,
    /// Records of the API that cannot become rows.
    pub rejected: u64,
    /// Why it could not be compared.
    pub problem: Option<String>,
}

impl DayComparison {
    /// Whether the day is not as it should be.
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
