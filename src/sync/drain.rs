//! Reading one window until every record in it has been seen, or saying that it cannot be done.
//!
//! A window is drained if no interaction came twice, and either its last page came back short or
//! the records add up to the total that the API reported. Otherwise rows shifted while we paged,
//! and the window is read again. Interactions that come twice in two reads that are alike did
//! not shift: the API has them twice, and the last one wins.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt, TryStreamExt, stream};
use tracing::warn;

use crate::extract::{
    ApiClient, ApiError, LAST_OFFSET, Narrowing, PAGE_SIZE, Page, PageRequest, Priority, REACHABLE_RECORDS,
    Tally,
};
use crate::transform::{Interaction, Rejected, transform};
use crate::window::Window;

/// How often a window that shifts while it is read is read in all.
const READS: usize = 3;

/// A page that repeats so many records of the pages before did not come about by a shift: the
/// API took the offset for a number of records, not of pages.
const OVERLAP: u64 = 50;

/// Everything in a window.
#[derive(Debug)]
pub(super) struct Drained {
    /// Sorted by id, and distinct.
    pub(super) interactions: Vec<Interaction>,
    /// Distinct by what they say.
    pub(super) rejected: Vec<Rejected>,
    pub(super) reported_total: Option<u64>,
    pub(super) distinct_records: u64,
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
    #[error("the API takes the page offset for a number of records, so that its pages overlap")]
    OffsetCountsRecords,
}

impl DrainError {
    /// What the operator can do about it.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Api(error) => error.remedy(),
            Self::Overflow => "narrow the account with channels, queues or direction",
            Self::Drift => "nothing: the window is read again in the next run",
            Self::OffsetCountsRecords => {
                "ask the vendor to serve the documented paging; windows of up to 100 records are loaded"
            }
        }
    }
}

/// Reads the window until it adds up.
pub(super) async fn drain(api: &ApiClient, window: Window, tally: &Tally) -> Result<Drained, DrainError> {
    let mut previous = None;
    let mut overlapped = false;
    for attempt in 1..=READS {
        let read = Read::of(api, window, tally).await?;
        if read.adds_up() || previous.as_ref().is_some_and(|seen| read.confirms(seen)) {
            return Ok(read.into_drained());
        }
        warn!(
            attempt,
            records = read.records,
            distinct_records = read.distinct(),
            reported_total = read.total,
            "window does not add up, reading it again"
        );
        // Rows that are shuffled can repeat as many, but not the same ones again.
        overlapped = read.overlaps && previous.as_ref() == Some(&read.times_seen);
        previous = Some(read.times_seen);
    }
    Err(if overlapped {
        DrainError::OffsetCountsRecords
    } else {
        DrainError::Drift
    })
}

/// A page of everything in the window, counted in pages of the documented size.
fn whole_page(window: Window, offset: usize) -> PageRequest<'static> {
    PageRequest {
        window,
        offset,
        limit: PAGE_SIZE,
        narrowing: &Narrowing::NONE,
        priority: Priority::Live,
    }
}

/// What one pass over a window's pages brought.
#[derive(Debug, Default)]
struct Read {
    interactions: BTreeMap<String, Interaction>,
    rejected: HashMap<[u8; 32], Rejected>,
    /// How often each interaction came.
    times_seen: BTreeMap<String, u64>,
    pages: u64,
    records: u64,
    total: Option<u64>,
    overlaps: bool,
}

impl Read {
    async fn of(api: &ApiClient, window: Window, tally: &Tally) -> Result<Self, DrainError> {
        let offset = api.account().time_zone_offset;
        let first = api.page(&whole_page(window, 0), tally).await?;
        let mut last_page_is_full = first.records.len() >= PAGE_SIZE;
        let mut read = Self {
            total: total(&first),
            ..Self::default()
        };
        read.add(&first, offset);
        if let Some(total) = read.total {
            let pages = usize::try_from(total).unwrap_or(usize::MAX).div_ceil(PAGE_SIZE);
            if pages > LAST_OFFSET + 1 {
                return Err(DrainError::Overflow);
            }
            let rest: Vec<Page> = stream::iter(1..pages)
                .map(async |page| api.page(&whole_page(window, page), tally).await)
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
            let page = api.page(&whole_page(window, page), tally).await?;
            last_page_is_full = page.records.len() >= PAGE_SIZE;
            read.add(&page, offset);
        }
        match last_page_is_full {
            false => Ok(read),
            // Pages that overlap never come back short; that is not for want of room.
            true if read.overlaps => Err(DrainError::OffsetCountsRecords),
            true => Err(DrainError::Overflow),
        }
    }

    /// Adds a page's records; of two with the same id, the last one wins.
    fn add(&mut self, page: &Page, offset: i32) {
        self.pages += 1;
        self.records += page.records.len() as u64;
        let mut repeated = 0;
        for record in &page.records {
            match transform(record, offset) {
                Ok(interaction) => {
                    let times = self.times_seen.entry(interaction.id().to_owned()).or_default();
                    repeated += u64::from(*times > 0);
                    *times += 1;
                    self.interactions.insert(interaction.id().to_owned(), interaction);
                }
                Err(rejected) => {
                    self.rejected.insert(rejected.payload_hash, rejected);
                }
            }
        }
        self.overlaps |= self.pages > 1 && repeated >= OVERLAP;
    }

    /// Interactions that came again. Records without an identity may be alike without being the same.
    fn repeated(&self) -> u64 {
        self.times_seen.values().map(|times| times - 1).sum()
    }

    fn distinct(&self) -> u64 {
        self.records - self.repeated()
    }

    fn adds_up(&self) -> bool {
        // One page cannot shift. Over several, an interaction that came twice pushed another out.
        let shifted = self.pages > 1 && self.repeated() > 0;
        !shifted && self.total.is_none_or(|total| self.distinct() == total)
    }

    /// Whether this read and the one before, in which each interaction came so often, say the same.
    fn confirms(&self, previous: &BTreeMap<String, u64>) -> bool {
        let complete = self
            .total
            .is_none_or(|total| total == self.records || total == self.distinct());
        complete && !self.overlaps && self.repeated() > 0 && self.times_seen == *previous
    }

    fn into_drained(self) -> Drained {
        Drained {
            distinct_records: self.distinct(),
            interactions: self.interactions.into_values().collect(),
            rejected: self.rejected.into_values().collect(),
            reported_total: self.total,
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
