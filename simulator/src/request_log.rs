//! What was asked and how it was answered, for a test to look at afterwards.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde_json::Value;

/// How many requests the log keeps; older ones are dropped.
const KEPT: usize = 10_000;

/// One request to the endpoint, let in or not.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRecord {
    /// The number of the request, from 1.
    pub number: u64,
    /// When it came, by the world's clock.
    pub at: DateTime<Utc>,
    /// `offset` of the query, if it is a number.
    pub offset: Option<i64>,
    /// `limit` of the query, if it is a number.
    pub limit: Option<i64>,
    /// `startDate` in UTC, if it can be read.
    pub start: Option<DateTime<Utc>>,
    /// `endDate` in UTC, if it can be read.
    pub end: Option<DateTime<Utc>>,
    /// The status of the answer; 0 if the connection was cut before one.
    pub status: u16,
    /// The records in the answer.
    pub records: usize,
    /// The name of the fault that shaped the answer.
    pub fault: Option<&'static str>,
    /// The parsed body, or null.
    pub body: Value,
}

/// Sums since the start of the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests to the endpoint, let in or not.
    pub requests: u64,
    /// Records written into answers.
    pub records_served: u64,
    /// Requests over the rate limit.
    pub rate_limited: u64,
    /// Requests refused for their token.
    pub unauthorized: u64,
    /// Requests refused for what they asked.
    pub refused: u64,
    /// Requests that a fault was played on.
    pub faulted: u64,
    /// Requests being answered at this moment.
    pub in_flight: u64,
    /// The most requests that were ever being answered at once.
    pub in_flight_peak: u64,
}

/// The bounded log.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    records: VecDeque<RequestRecord>,
}

impl RequestLog {
    pub(crate) fn push(&mut self, record: RequestRecord) {
        if self.records.len() == KEPT {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &RequestRecord> {
        self.records.iter()
    }
}
