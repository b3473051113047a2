//! The API: what is asked for and what it costs.

mod answer;
mod auth;
mod body;
mod budget;
mod client;
mod clock;
mod error;

use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::config::{AccountConfig, Filters};
use crate::time::Window;

pub use answer::{Answer, Page, judge};
pub use body::Received;
pub use budget::{Budget, BudgetUse, Place, Priority};
pub use client::{ApiClient, ClientError};
pub use error::{Action, ApiError};

/// The documented maximum; up to twice as many may arrive.
pub const PAGE_SIZE: usize = 100;

/// From 0.
pub const LAST_OFFSET: usize = 10;

/// Per window; the API silently omits the rest.
pub const REACHABLE_RECORDS: usize = PAGE_SIZE * (LAST_OFFSET + 1);

pub const HOURLY_LIMIT_REMEDY: &str =
    "set requests_per_hour of the account to the limit of its tier (1800 in some), or less if others use it";

#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    pub window: Window,
    /// In pages, or records where the API counts those.
    pub offset: usize,
    pub limit: usize,
    /// In place of the account's, and within them.
    pub filters: Option<&'a Filters>,
    pub priority: Priority,
    /// Hardly retried.
    pub may_be_past_the_end: bool,
}

impl PageRequest<'_> {
    fn url(&self, endpoint: &reqwest::Url) -> reqwest::Url {
        let mut url = endpoint.clone();
        url.query_pairs_mut()
            .append_pair("offset", &self.offset.to_string())
            .append_pair("limit", &self.limit.to_string());
        url
    }

    /// `endDate` is exclusive; if the API includes it, windows overlap by a second.
    fn body(&self, account: &AccountConfig) -> Value {
        let filters = self.filters.unwrap_or(&account.filters);
        let offset = account.time_zone_offset;
        let mut body: Map<String, Value> = filters.extra_body.clone();
        body.insert("startDate".to_owned(), local(self.window.start, offset).into());
        body.insert("endDate".to_owned(), local(self.window.end, offset).into());
        body.insert("timeZoneOffset".to_owned(), offset.into());
        body.insert("selectedFields".to_owned(), json!(filters.selected_fields));
        for (key, list) in [
            ("channels", &filters.channels),
            ("queues", &filters.queues),
            ("bots", &filters.bots),
        ] {
            if let Some(list) = list {
                body.insert(key.to_owned(), json!(list));
            }
        }
        if let Some(direction) = filters.direction {
            body.insert("direction".to_owned(), json!(direction));
        }
        Value::Object(body)
    }
}

/// UTC = local + offset in minutes.
fn local(instant: DateTime<Utc>, offset: i32) -> String {
    let local = instant - TimeDelta::minutes(offset.into());
    local.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Of one window, including failed reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub requests: u64,
    pub pages: u64,
    pub records: u64,
    pub retries: u64,
    pub rate_limited: u64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, more: Self) {
        self.requests += more.requests;
        self.pages += more.pages;
        self.records += more.records;
        self.retries += more.retries;
        self.rate_limited += more.rate_limited;
    }
}

#[derive(Debug, Default)]
pub struct Tally(Mutex<Cost>);

impl Tally {
    pub fn cost(&self) -> Cost {
        *self.locked()
    }

    pub fn note(&self, change: impl FnOnce(&mut Cost)) {
        change(&mut self.locked());
    }

    fn locked(&self) -> MutexGuard<'_, Cost> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
