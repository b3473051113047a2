//! Reads a window until its records are proven complete, over records as sent.

mod decide;
mod parts;
mod pass;
mod probe;
mod profile;
mod range;
mod reader;
#[cfg(test)]
mod tests;

use crate::config::{AccountConfig, Filters};
use crate::extract::{ApiClient, ApiError, Page, PageRequest, Priority, Tally};
use crate::time::Window;
use crate::transform::{Origin, RawRecord, RecordText};

use super::density::count;
use decide::Proof;
use pass::Pass;
use reader::WindowReader;

pub use probe::{Probe, Reached, probe, reach, worth_probing};
pub(super) use profile::Knowledge;
pub use profile::{ApiProfile, NumResults, OffsetUnit, Range};

/// Bytes, for all windows of an account in flight.
const TEXT_IN_HAND: usize = 16 << 20;

/// A window that holds more is split.
const TEXT_OF_A_WINDOW: usize = TEXT_IN_HAND / (super::engine::WINDOWS_IN_FLIGHT + 1);

#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) window: Window,
    /// Of a part.
    pub(super) filters: Option<Filters>,
    pub(super) priority: Priority,
    /// Nothing is known yet, so one full page is enough.
    pub(super) is_probe: bool,
    /// 0 if unknown.
    pub(super) expected: f64,
}

impl Slice {
    pub(super) fn of(window: Window, priority: Priority) -> Self {
        Self {
            window,
            filters: None,
            priority,
            is_probe: false,
            expected: 0.0,
        }
    }

    fn part(&self, window: Window) -> Self {
        Self {
            filters: self.filters.clone(),
            ..Self::of(window, self.priority)
        }
    }

    pub(super) fn request(&self, offset: usize, limit: usize) -> PageRequest<'_> {
        PageRequest {
            window: self.window,
            offset,
            limit,
            filters: self.filters.as_ref(),
            priority: self.priority,
            may_be_past_the_end: false,
        }
    }

    fn may_be_split(&self) -> bool {
        self.window.seconds() > 1
    }

    fn expects_more_than(&self, records: usize) -> bool {
        count(records as u64) * 2.0 < self.expected
    }
}

#[derive(Debug)]
pub(super) struct Reading {
    pub(super) verdict: Verdict,
    pub(super) proof: Option<Proof>,
    /// Versions of one identity differ.
    pub(super) records: Vec<RawRecord>,
    /// Elements without an id.
    pub(super) strays: Vec<RecordText<'static>>,
    pub(super) distinct_records: u64,
    pub(super) reported_total: Option<u64>,
    /// The only part with strays.
    pub(super) strays_in: Option<Window>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Drained,
    /// The API shows, or memory holds, only some of the records.
    Overflow,
    /// Passes differ, or show fewer records than a total that was right so far.
    Inconsistent,
    /// The records lie outside: the API ignores the range.
    Elsewhere,
    /// Elements without an id may stand for other records.
    Strays,
}

pub(super) async fn read_window<P: Pages>(
    pages: &P,
    known: &mut Knowledge,
    filters: &Filters,
    slice: &Slice,
) -> Result<Reading, ApiError> {
    let mut reader = WindowReader { pages, known };
    let mut reading = Box::pin(reader.read(slice)).await?;
    match reading.verdict {
        Verdict::Strays => reading.strays_in = Box::pin(reader.part_with_strays(slice)).await?,
        Verdict::Overflow | Verdict::Inconsistent if !slice.may_be_split() => {
            return Box::pin(reader.read_parts(slice, filters, reading)).await;
        }
        _ => {}
    }
    Ok(reading)
}

impl Reading {
    fn of(pass: &Pass, pages: Vec<RawPage>, verdict: Verdict, proof: Option<Proof>) -> Self {
        let pages = pages.into_iter();
        let (records, strays): (Vec<_>, Vec<_>) = pages.map(|page| (page.records, page.strays)).unzip();
        Self {
            verdict,
            proof,
            distinct_records: pass.distinct(),
            reported_total: pass.total,
            strays_in: None,
            records: records.into_iter().flatten().collect(),
            strays: strays.into_iter().flatten().collect(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct RawPage {
    pub(super) reported: Option<u64>,
    pub(super) records: Vec<RawRecord>,
    pub(super) strays: Vec<RecordText<'static>>,
}

pub(super) trait Pages: Sync {
    fn page(&self, request: &PageRequest<'_>) -> impl Future<Output = Result<RawPage, ApiError>> + Send;

    fn in_flight(&self) -> usize;
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ApiPages<'a> {
    pub(super) api: &'a ApiClient,
    pub(super) tally: &'a Tally,
}

impl Pages for ApiPages<'_> {
    async fn page(&self, request: &PageRequest<'_>) -> Result<RawPage, ApiError> {
        let page = self.api.page(request, self.tally).await?;
        Ok(RawPage::of(page, origin(self.api.account())))
    }

    fn in_flight(&self) -> usize {
        self.api.account().limits.max_in_flight
    }
}

pub(super) fn origin(account: &AccountConfig) -> Origin<'_> {
    Origin {
        account_id: &account.account_id,
        time_zone_offset: account.time_zone_offset,
    }
}

impl RawPage {
    fn of(page: Page, origin: Origin<'_>) -> Self {
        let mut read = Self {
            reported: page.reported,
            ..Self::default()
        };
        for element in page.records {
            match RawRecord::of(element.into(), origin) {
                Ok(record) => read.records.push(record),
                Err(stray) => read.strays.push(stray),
            }
        }
        read
    }
}
