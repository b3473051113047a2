use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::config::{AccountConfig, Direction};
use crate::time::window::Window;

use super::Priority;

#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    pub window: Window,
    /// In pages, or records where the API counts those.
    pub offset: usize,
    pub limit: usize,
    pub narrowing: &'a Narrowing,
    pub priority: Priority,
}

/// Replaces the account's filters, so must lie within them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    pub direction: Option<Direction>,
    pub channel: Option<String>,
    pub queue: Option<String>,
}

impl Narrowing {
    pub const NONE: Self = Self {
        direction: None,
        channel: None,
        queue: None,
    };
}

impl PageRequest<'_> {
    pub(super) fn url(&self, endpoint: &reqwest::Url) -> reqwest::Url {
        let mut url = endpoint.clone();
        url.query_pairs_mut()
            .append_pair("offset", &self.offset.to_string())
            .append_pair("limit", &self.limit.to_string());
        url
    }

    /// `endDate` is exclusive; if the API includes it, windows overlap by a second.
    pub(super) fn body(&self, account: &AccountConfig) -> Value {
        let (filters, narrowing) = (&account.filters, self.narrowing);
        let offset = account.time_zone_offset;
        let mut body: Map<String, Value> = filters.extra_body.clone();
        body.insert("startDate".to_owned(), local(self.window.start, offset).into());
        body.insert("endDate".to_owned(), local(self.window.end, offset).into());
        body.insert("timeZoneOffset".to_owned(), offset.into());
        body.insert("selectedFields".to_owned(), json!(filters.selected_fields));
        for (key, only, list) in [
            ("channels", &narrowing.channel, &filters.channels),
            ("queues", &narrowing.queue, &filters.queues),
            ("bots", &None, &filters.bots),
        ] {
            let only = only.as_ref().map(|only| json!([only]));
            if let Some(list) = only.or_else(|| list.as_ref().map(|list| json!(list))) {
                body.insert(key.to_owned(), list);
            }
        }
        if let Some(direction) = narrowing.direction.or(filters.direction) {
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
