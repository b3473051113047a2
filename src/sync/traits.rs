//! Observed API behaviour, which the vendor's pages leave open. Stored with the account.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::extract::{LAST_OFFSET, PAGE_SIZE, Page};

use super::length::{Length, Longest};

/// After these, single pages are read: a server may reshuffle every answer.
const DRIFTS_UNTIL_SINGLE_PAGES: u32 = 2;

const STEADY_UNTIL_SEVERAL_PAGES: u32 = 20;

/// A window ends exactly at a full page once in a hundred by chance.
const VAIN_PAGES_UNTIL_REFUSED: u32 = 2;

/// What `numResults` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumResults {
    /// The window's records.
    Total,
    /// The page's records.
    Page,
    /// It is absent.
    Absent,
    /// Neither.
    Other,
}

/// What `offset` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetUnit {
    /// Pages, as documented.
    Pages,
    /// Records (an older vendor page).
    Records,
}

impl OffsetUnit {
    pub(super) fn offset(self, page: usize, size: usize) -> usize {
        match self {
            Self::Pages => page,
            Self::Records => page * size,
        }
    }
}

/// Whether ranges are honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// Records lie inside.
    Kept,
    /// Others come too.
    Ignored,
}

/// Observed behaviour of an account's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiTraits {
    /// Apparent meaning of `numResults`.
    pub num_results: Option<NumResults>,
    /// Whether totals matched over several pages.
    pub totals_add_up: bool,
    /// Meaning of `offset`, proven by how pages fit.
    pub offset_unit: Option<OffsetUnit>,
    /// Last page with records, from 0.
    pub deepest_page: usize,
    /// First page refused, or empty despite more records.
    pub refused_page: Option<usize>,
    /// Records on a full page, if fewer than requested.
    pub page_size: Option<usize>,
    /// Whether ranges are honoured; `Kept` holds for one run.
    #[serde(skip_serializing_if = "is_of_this_run")]
    pub range: Option<Range>,
    /// Longest window, if longer ones were refused.
    pub longest_window_seconds: Option<i64>,
    /// Longest page of this run; equally long ones may be full.
    #[serde(skip)]
    pub longest_page: Longest,
    /// Page size seen in the newest window with several pages.
    #[serde(skip)]
    pub suspected_size: Option<usize>,
    /// Windows in a row that did not add up.
    #[serde(skip)]
    pub drifts_in_a_row: u32,
    /// Windows in a row that added up as single pages.
    #[serde(skip)]
    pub steady_in_a_row: u32,
    /// Short windows were refused, so the limit is kept.
    #[serde(skip)]
    pub length_is_doubtful: bool,
    /// Windows in a row with a page refused, or empty after a full one.
    #[serde(skip)]
    pub vain_pages_in_a_row: u32,
    /// The refusal is from an earlier process: try again.
    #[serde(skip)]
    pub refusal_is_stale: bool,
}

fn is_of_this_run(range: &Option<Range>) -> bool {
    *range != Some(Range::Ignored)
}

impl ApiTraits {
    pub(super) fn begin_run(&mut self) {
        self.longest_page = Longest::default();
        self.range = self.range.filter(|range| *range == Range::Ignored);
    }

    /// Readable pages per window.
    pub fn pages(&self) -> usize {
        if self.is_unsteady() {
            return 1;
        }
        let deepest = self.deepest_page.min(LAST_OFFSET);
        let served = |refused: usize| refused.clamp(deepest + 1, LAST_OFFSET + 1);
        let refused = self.refused_page.filter(|_| !self.refusal_is_stale);
        refused.map_or(LAST_OFFSET + 1, served)
    }

    /// Records on a full page.
    pub fn full_page(&self) -> usize {
        self.page_size.unwrap_or(PAGE_SIZE)
    }

    /// Reachable records per window.
    pub fn reach(&self) -> usize {
        self.pages() * self.full_page()
    }

    /// Only a page shorter than another, in all and each kind, is short.
    pub(super) fn may_be_full(&self, page: Length) -> bool {
        let records = page.records();
        records > 0 && (records >= self.full_page() || self.longest_page.is_reached_by(page))
    }

    pub(super) fn see_length(&mut self, page: Length) {
        self.longest_page.see(page);
        let records = page.records();
        if self.page_size.is_some_and(|size| records > size) {
            self.page_size = None;
        }
    }

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

    /// Whether first pages give totals.
    pub fn gives_totals(&self) -> bool {
        self.num_results == Some(NumResults::Total)
    }

    pub(super) fn longest_window(&self) -> Option<TimeDelta> {
        self.longest_window_seconds.map(TimeDelta::seconds)
    }

    pub(super) fn total(&self, first: &Page) -> Option<u64> {
        let is_total = self.num_results != Some(NumResults::Other);
        first
            .reported
            .filter(|reported| is_total && *reported > first.records.len() as u64)
    }

    pub(super) fn is_whole(&self, first: &Page) -> bool {
        self.gives_totals() && self.totals_add_up && first.reported == Some(first.records.len() as u64)
    }

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

    pub(super) fn see_false_total(&mut self, may_be_page: bool) {
        self.totals_add_up = false;
        self.num_results = Some(if may_be_page {
            NumResults::Page
        } else {
            NumResults::Other
        });
    }

    /// The server may have had a bad minute.
    pub(super) fn see_steady(&mut self) {
        self.steady_in_a_row += 1;
        if self.steady_in_a_row >= STEADY_UNTIL_SEVERAL_PAGES {
            self.steady_in_a_row = 0;
            self.drifts_in_a_row = DRIFTS_UNTIL_SINGLE_PAGES - 1;
        }
    }

    pub(super) fn see_drift(&mut self) {
        self.drifts_in_a_row += 1;
        self.steady_in_a_row = 0;
    }

    pub(super) fn is_unsteady(&self) -> bool {
        self.drifts_in_a_row >= DRIFTS_UNTIL_SINGLE_PAGES
    }

    pub(super) fn see_too_long(&mut self, longest: i64) {
        self.longest_window_seconds = Some(
            self.longest_window_seconds
                .map_or(longest, |known| known.min(longest)),
        );
    }

    pub(super) fn see_vain(&mut self, page: usize) {
        self.vain_pages_in_a_row += 1;
        if self.refused_page == Some(page) || self.vain_pages_in_a_row >= VAIN_PAGES_UNTIL_REFUSED {
            self.see_refused(page);
        }
    }

    pub(super) fn see_refused(&mut self, page: usize) {
        self.refusal_is_stale = false;
        self.refused_page = Some(self.refused_page.map_or(page, |refused| refused.min(page)));
    }
}

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
