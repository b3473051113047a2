//! Reading one window until every record in it has been seen, or saying that it cannot be done.
//!
//! A window is drained if no record came twice, and either its last page came back short or the
//! records add up to the total that the API reported. Otherwise rows shifted while we paged, and
//! the window is read again.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt, TryStreamExt, stream};
use tracing::warn;

use crate::extract::{ApiClient, ApiError, LAST_OFFSET, PAGE_SIZE, Page, REACHABLE_RECORDS, RequestCount};
use crate::load::Counters;
use crate::transform::{Interaction, Rejected, transform};
use crate::window::Window;

/// How often a window that shifts while it is read is read in all.
const READS: usize = 3;

/// Everything in a window.
#[derive(Debug)]
pub(super) struct Drained {
    /// Sorted by id, and distinct.
    pub(super) interactions: Vec<Interaction>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) reported_total: Option<u64>,
    /// Pages and records; requests are counted where they are made.
    pub(super) fetched: Counters,
}

/// Why a window was not drained.
#[derive(Debug, thiserror::Error)]
pub(super) enum DrainError {
    #[error("a request failed")]
    Api(#[from] ApiError),
    #[error(
        "the window holds more records than the API shows ({REACHABLE_RECORDS}), so it is not loaded at all rather \
         than in part"
    )]
    Overflow,
    #[error("the window shifted each of the {READS} times it was read")]
    Drift,
}

/// Reads the window until it adds up.
pub(super) async fn drain(
    api: &ApiClient,
    window: Window,
    requests: &RequestCount,
) -> Result<Drained, DrainError> {
    for attempt in 1..=READS {
        let read = Read::of(api, window, requests).await?;
        if read.adds_up() {
            return Ok(read.into_drained());
        }
        warn!(
            attempt,
            records = read.records,
            distinct_records = read.distinct(),
            reported_total = read.total,
            "window shifted while it was read, reading it again"
        );
    }
    Err(DrainError::Drift)
}

/// What one pass over a window's pages brought.
#[derive(Debug)]
struct Read {
    interactions: BTreeMap<String, Interaction>,
    rejected: HashMap<[u8; 32], Rejected>,
    pages: u64,
    records: u64,
    total: Option<u64>,
}

impl Read {
    async fn of(api: &ApiClient, window: Window, requests: &RequestCount) -> Result<Self, DrainError> {
        let first = api.page(window, 0, requests).await?;
        let total = total(&first);
        let mut read = Self {
            interactions: BTreeMap::new(),
            rejected: HashMap::new(),
            pages: 0,
            records: 0,
            total,
        };
        let mut last_page_is_full = first.records.len() >= PAGE_SIZE;
        let offset = api.account().time_zone_offset;
        read.add(&first, offset);
        if let Some(total) = total {
            let pages = usize::try_from(total).unwrap_or(usize::MAX).div_ceil(PAGE_SIZE);
            if pages > LAST_OFFSET + 1 {
                return Err(DrainError::Overflow);
            }
            let rest: Vec<Page> = stream::iter(1..pages)
                .map(|page| api.page(window, page, requests))
                .buffered(api.account().max_in_flight)
                .try_collect()
                .await?;
            rest.iter().for_each(|page| read.add(page, offset));
            return Ok(read);
        }
        for page in 1..=LAST_OFFSET {
            if !last_page_is_full {
                return Ok(read);
            }
            let page = api.page(window, page, requests).await?;
            last_page_is_full = page.records.len() >= PAGE_SIZE;
            read.add(&page, offset);
        }
        if last_page_is_full {
            Err(DrainError::Overflow)
        } else {
            Ok(read)
        }
    }

    /// Adds a page's records; of two with the same id, the last one wins.
    fn add(&mut self, page: &Page, offset: i32) {
        self.pages += 1;
        self.records += page.records.len() as u64;
        for record in &page.records {
            match transform(record, offset) {
                Ok(interaction) => {
                    self.interactions.insert(interaction.id().to_owned(), interaction);
                }
                Err(rejected) => {
                    self.rejected.insert(rejected.payload_hash, rejected);
                }
            }
        }
    }

    fn distinct(&self) -> u64 {
        (self.interactions.len() + self.rejected.len()) as u64
    }

    fn adds_up(&self) -> bool {
        // One page cannot shift. Over several, a record that came twice pushed another out.
        let shifted = self.pages > 1 && self.distinct() < self.records;
        !shifted && self.total.is_none_or(|total| self.distinct() == total)
    }

    fn into_drained(self) -> Drained {
        let fetched = Counters {
            pages: self.pages,
            records: self.records,
            distinct_records: self.distinct(),
            ..Counters::default()
        };
        Drained {
            interactions: self.interactions.into_values().collect(),
            rejected: self.rejected.into_values().collect(),
            reported_total: self.total,
            fetched,
        }
    }
}

/// The total of the window, where `numResults` can only be that: it is larger than the page. One
/// that equals the page may be either.
fn total(first: &Page) -> Option<u64> {
    first
        .reported
        .filter(|reported| *reported > first.records.len() as u64)
}
