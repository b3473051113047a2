//! The result of comparing a day.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::time::window::Window;

/// How a day was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The API's total against ours.
    Total,
    /// Every interaction.
    Identity,
}

/// One compared day; counts are of interactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayComparison {
    /// Start within the range.
    pub from: DateTime<Utc>,
    /// End, exclusive.
    pub to: DateTime<Utc>,
    /// How it was compared.
    pub method: Method,
    /// In the API.
    pub api: u64,
    /// Of those, stored; under [`Method::Total`], stored for the day.
    pub stored: u64,
    /// In the API, not stored.
    pub not_stored: u64,
    /// Stored, not returned.
    pub not_returned: u64,
    /// Stored in another version, or marked missing.
    pub changed: u64,
    /// API records that cannot become rows.
    pub rejected: u64,
    /// Why it could not be compared.
    pub problem: Option<String>,
}

impl DayComparison {
    /// Whether it differs or has a problem.
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
