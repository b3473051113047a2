//! What was found out about how the API answers. The vendor's pages leave it open, so nothing of
//! it is assumed: it is seen on pages that have just come, remembered with the account, and seen
//! anew where it changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::extract::{LAST_OFFSET, PAGE_SIZE, Page};

use super::length::{Length, Longest};

/// So many windows in a row that never added up, and pages are no longer believed to belong
/// together: a server that reshuffles each answer can only be read a page at a time.
const DRIFTS_UNTIL_SINGLE_PAGES: u32 = 2;

/// After so many windows that were read a page at a time, several pages are tried again.
const STEADY_UNTIL_SEVERAL_PAGES: u32 = 20;

/// So many windows in a row of which a page was refused, or seemed to end exactly with a full page,
/// and that page is taken for one that is not served. The latter is chance once in a hundred windows.
const VAIN_PAGES_UNTIL_REFUSED: u32 = 2;

/// What `numResults` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumResults {
    /// All records of the window.
    Total,
    /// The records of the page.
    Page,
    /// It is not there.
    Absent,
    /// More than can be had of the window, so neither of both.
    Other,
}

/// What `offset` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetUnit {
    /// Pages, as documented.
    Pages,
    /// Records, as an older page of the vendor's says.
    Records,
}

impl OffsetUnit {
    /// The offset of a page, counted from 0, where each has so many records.
    pub(super) fn offset(self, page: usize, size: usize) -> usize {
        match self {
            Self::Pages => page,
            Self::Records => page * size,
        }
    }
}

/// What an answer has to do with the range of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// Its records lie in it.
    Kept,
    /// Others come too, or instead.
    Ignored,
}

/// What is known of one account's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiTraits {
    /// What `numResults` seems to count.
    pub num_results: Option<NumResults>,
    /// Totals were seen to add up over several pages, so they can be relied on.
    pub totals_add_up: bool,
    /// What `offset` counts, proven by pages that fit together, or by how they overlap.
    pub offset_unit: Option<OffsetUnit>,
    /// The last page, counted from 0, that ever brought a record.
    pub deepest_page: usize,
    /// The first page that was refused, or came empty although there were more records.
    pub refused_page: Option<usize>,
    /// Records on a full page, where they were seen to be fewer than are asked for.
    pub page_size: Option<usize>,
    /// Whether the range of a request is kept to, once that was seen. That it is holds for one run.
    #[serde(skip_serializing_if = "is_of_this_run")]
    pub range: Option<Range>,
    /// The longest window in seconds, where longer ones were refused.
    pub longest_window_seconds: Option<i64>,
    /// The most that pages of this run held. A page with as many records may be full.
    #[serde(skip)]
    pub longest_page: Longest,
    /// What seems to be the size of a page, since the newest window that had several.
    #[serde(skip)]
    pub suspected_size: Option<usize>,
    /// Windows in a row that did not add up. Of this process alone: a server may mend its ways.
    #[serde(skip)]
    pub drifts_in_a_row: u32,
    /// Windows in a row that were read a page at a time for that reason, and added up.
    #[serde(skip)]
    pub steady_in_a_row: u32,
    /// Windows were refused that were not long: the run ends with what was known of lengths before.
    #[serde(skip)]
    pub length_is_doubtful: bool,
    /// Windows in a row of which a page was refused, or came empty after a full one and no total said
    /// why.
    #[serde(skip)]
    pub vain_pages_in_a_row: u32,
    /// What was refused was refused to an earlier process: it is tried once more.
    #[serde(skip)]
    pub refusal_is_stale: bool,
}

fn is_of_this_run(range: &Option<Range>) -> bool {
    *range != Some(Range::Ignored)
}

impl ApiTraits {
    /// Forgets what is believed for one run alone.
    pub(super) fn begin_run(&mut self) {
        self.longest_page = Longest::default();
        self.range = self.range.filter(|range| *range == Range::Ignored);
    }

    /// Pages that can be read of one window.
    pub fn pages(&self) -> usize {
        if self.is_unsteady() {
            return 1;
        }
        let deepest = self.deepest_page.min(LAST_OFFSET);
        let served = |refused: usize| refused.clamp(deepest + 1, LAST_OFFSET + 1);
        let refused = self.refused_page.filter(|_| !self.refusal_is_stale);
        refused.map_or(LAST_OFFSET + 1, served)
    }

    /// Records on a page that is surely full.
    pub fn full_page(&self) -> usize {
        self.page_size.unwrap_or(PAGE_SIZE)
    }

    /// Records that can be reached in one window.
    pub fn reach(&self) -> usize {
        self.pages() * self.full_page()
    }

    /// Whether more records may follow a page: only one that is shorter than another page of the same run, in all and of
    /// each kind, is short.
    pub(super) fn may_be_full(&self, page: Length) -> bool {
        let records = page.records();
        records > 0 && (records >= self.full_page() || self.longest_page.is_reached_by(page))
    }

    /// Notes how long a page is.
    pub(super) fn see_length(&mut self, page: Length) {
        self.longest_page.see(page);
        let records = page.records();
        if self.page_size.is_some_and(|size| records > size) {
            self.page_size = None;
        }
    }

    /// A first page of so many was followed by another one as long: pages are no longer than that, once two windows in a
    /// row have shown it.
    pub(super) fn see_size(&mut self, records: usize) {
        if records >= PAGE_SIZE {
            return;
        }
        if self.suspected_size == Some(records) {
            self.page_size = Some(records);
        }
        self.suspected_size = Some(records);
        self.longest_page.records = records;
    }

    /// Whether a first page tells how many records its window holds.
    pub fn gives_totals(&self) -> bool {
        self.num_results == Some(NumResults::Total)
    }

    /// The longest window that is accepted, where longer ones were refused.
    pub(super) fn longest_window(&self) -> Option<TimeDelta> {
        self.longest_window_seconds.map(TimeDelta::seconds)
    }

    /// The total of the window whose first page this is, where its `numResults` can only be that:
    /// it is larger than the page.
    pub(super) fn total(&self, first: &Page) -> Option<u64> {
        let is_total = self.num_results != Some(NumResults::Other);
        first
            .reported
            .filter(|reported| is_total && *reported > first.records.len() as u64)
    }

    /// Whether a full first page is known to be all there is.
    pub(super) fn is_whole(&self, first: &Page) -> bool {
        self.gives_totals() && self.totals_add_up && first.reported == Some(first.records.len() as u64)
    }

    /// Notes what a first page shows of `numResults`, where it can be told.
    pub(super) fn see_first(&mut self, first: &Page) {
        let length = first.records.len();
        if self.num_results == Some(NumResults::Other) || length < self.full_page() {
            return;
        }
        match first.reported {
            Some(reported) if reported > length as u64 => self.num_results = Some(NumResults::Total),
            None => self.num_results = Some(NumResults::Absent),
            Some(_) => {}
        }
    }

    /// There was more than a total that could be relied on said; perhaps it counts the page.
    pub(super) fn see_false_total(&mut self, may_be_page: bool) {
        self.totals_add_up = false;
        self.num_results = Some(if may_be_page {
            NumResults::Page
        } else {
            NumResults::Other
        });
    }

    /// A window came as it should in one page, since several are not believed to belong together: after some like it
    /// they are tried once more. A server may have had a bad minute.
    pub(super) fn see_steady(&mut self) {
        self.steady_in_a_row += 1;
        if self.steady_in_a_row >= STEADY_UNTIL_SEVERAL_PAGES {
            self.steady_in_a_row = 0;
            self.drifts_in_a_row = DRIFTS_UNTIL_SINGLE_PAGES - 1;
        }
    }

    /// A window did not add up.
    pub(super) fn see_drift(&mut self) {
        self.drifts_in_a_row += 1;
        self.steady_in_a_row = 0;
    }

    /// Whether pages are not believed to belong together.
    pub(super) fn is_unsteady(&self) -> bool {
        self.drifts_in_a_row >= DRIFTS_UNTIL_SINGLE_PAGES
    }

    /// A window was refused and is tried in parts of so many seconds. Others that were on their way
    /// may have been longer.
    pub(super) fn see_too_long(&mut self, longest: i64) {
        self.longest_window_seconds = Some(
            self.longest_window_seconds
                .map_or(longest, |known| known.min(longest)),
        );
    }

    /// A page was refused, or came empty after a full one so deep as none was ever seen to be
    /// served. Once may be chance, or a fault in passing.
    pub(super) fn see_vain(&mut self, page: usize) {
        self.vain_pages_in_a_row += 1;
        if self.refused_page == Some(page) || self.vain_pages_in_a_row >= VAIN_PAGES_UNTIL_REFUSED {
            self.see_refused(page);
        }
    }

    /// A page was refused, or was empty although there were more records.
    pub(super) fn see_refused(&mut self, page: usize) {
        self.refusal_is_stale = false;
        self.refused_page = Some(self.refused_page.map_or(page, |refused| refused.min(page)));
    }
}

/// What is known, shared by everything that is read for the account.
#[derive(Debug, Default)]
pub(super) struct SharedTraits(Mutex<ApiTraits>);

impl SharedTraits {
    pub(super) fn get(&self) -> ApiTraits {
        self.lock().clone()
    }

    pub(super) fn set(&self, traits: ApiTraits) {
        *self.lock() = traits;
    }

    pub(super) fn learn(&self, change: impl FnOnce(&mut ApiTraits)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, ApiTraits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_bad_minute_pages_are_believed_to_belong_together_again() {
        let mut traits = ApiTraits::default();
        let all = traits.pages();
        for _ in 0..DRIFTS_UNTIL_SINGLE_PAGES {
            traits.see_drift();
        }
        assert_eq!(traits.pages(), 1);
        for _ in 1..STEADY_UNTIL_SEVERAL_PAGES {
            traits.see_steady();
        }
        assert_eq!(traits.pages(), 1);
        traits.see_steady();
        assert_eq!(traits.pages(), all);
        traits.see_drift();
        assert_eq!(traits.pages(), 1, "one more is enough");
    }
}
