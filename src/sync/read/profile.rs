//! What is learned of an API beyond its documentation; withdrawn if an answer contradicts it.

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::extract::{LAST_OFFSET, PAGE_SIZE};
use crate::warehouse::compare::Basis;

use super::TEXT_OF_A_WINDOW;
use super::decide::Judgement;
use super::pass::{After, Length, Pass};
use super::range::Edges;

/// Beyond it (two windows in a row), single pages are read: the server may reshuffle every answer.
const DOUBT_OF_A_WINDOW: u32 = 20;

/// By chance, one window in a hundred ends exactly at a full page.
const UNSERVED_UNTIL_BELIEVED: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumResults {
    /// Of the window.
    Total,
    /// Of the page.
    Page,
    Absent,
    Other,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetUnit {
    /// As documented.
    #[default]
    Pages,
    /// As on an older page of the vendor.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    Kept,
    Ignored,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiProfile {
    pub num_results: Option<NumResults>,
    /// Totals matched over several pages.
    pub totals_add_up: bool,
    /// Proven by how pages fit together.
    pub offset_unit: Option<OffsetUnit>,
    /// The last page with records, from 0.
    pub deepest_page: usize,
    /// The first page refused, or empty despite more records.
    pub refused_page: Option<usize>,
    /// If full pages hold fewer records than requested.
    pub page_size: Option<usize>,
    /// `Kept` holds for one run.
    #[serde(skip_serializing_if = "is_of_this_run")]
    pub range: Option<Range>,
    /// If longer ones were refused.
    pub longest_window_seconds: Option<i64>,
    /// Learned from sessions across the edges of windows.
    pub basis: Option<Basis>,
    /// Of this run; equally long pages may be full.
    #[serde(skip)]
    pub longest_page: Length,
    #[serde(skip)]
    edges: Option<Edges>,
    /// Average bytes of memory.
    #[serde(skip)]
    record_weight: Option<usize>,
    /// Rises with windows that do not add up and falls with others: it may have been a bad minute.
    #[serde(skip)]
    doubt: u32,
    /// Windows whose next page was refused, or empty after a full one.
    #[serde(skip)]
    unserved_in_a_row: u32,
    /// Short windows were refused too, so the limit stays.
    #[serde(skip)]
    pub(in crate::sync) length_is_doubtful: bool,
    /// An earlier process learned it, so it is tried again.
    #[serde(skip)]
    refusal_is_stale: bool,
}

fn is_of_this_run(range: &Option<Range>) -> bool {
    *range != Some(Range::Ignored)
}

impl ApiProfile {
    pub(in crate::sync) fn of_an_earlier_process(self) -> Self {
        Self {
            refusal_is_stale: true,
            ..self
        }
    }

    /// What is not known yet is taken from an earlier profile.
    pub fn or(&self, earlier: &Self) -> Self {
        // It takes whole windows to detect.
        let is_no_total = earlier.num_results == Some(NumResults::Other);
        Self {
            num_results: self.num_results.filter(|_| !is_no_total).or(earlier.num_results),
            offset_unit: self.offset_unit.or(earlier.offset_unit),
            deepest_page: self.deepest_page.max(earlier.deepest_page),
            refused_page: self.refused_page.or(earlier.refused_page),
            page_size: self.page_size.or(earlier.page_size),
            ..earlier.clone()
        }
    }

    pub(in crate::sync) fn begin_run(&mut self) {
        self.longest_page = Length::default();
        self.range = self.range.filter(|range| *range == Range::Ignored);
    }

    /// Readable pages per window.
    pub fn pages(&self) -> usize {
        if self.is_unsteady() {
            return 1;
        }
        let deepest = self.deepest_page.min(LAST_OFFSET);
        let refused = self.refused_page.filter(|_| !self.refusal_is_stale);
        refused.map_or(LAST_OFFSET + 1, |page| page.clamp(deepest + 1, LAST_OFFSET + 1))
    }

    /// Readable records per window.
    pub fn reach(&self) -> usize {
        let in_memory = self
            .record_weight
            .map(|weight| (TEXT_OF_A_WINDOW / weight.max(1)).max(1));
        let served = self.pages() * self.page_size.unwrap_or(PAGE_SIZE);
        in_memory.map_or(served, |records| served.min(records))
    }

    pub fn gives_totals(&self) -> bool {
        self.num_results == Some(NumResults::Total)
    }

    pub(in crate::sync) fn see_too_long(&mut self, longest: i64) {
        let known = self.longest_window_seconds.unwrap_or(i64::MAX);
        self.longest_window_seconds = Some(known.min(longest));
    }

    fn is_unsteady(&self) -> bool {
        self.doubt > DOUBT_OF_A_WINDOW
    }

    /// `records`: number on the first page.
    pub(super) fn total(&self, reported: Option<u64>, records: usize) -> Option<u64> {
        let records = records as u64;
        let is_trusted = records > 0 && self.gives_totals() && self.totals_add_up;
        let is_total = |reported: &u64| *reported > records || (is_trusted && *reported == records);
        reported.filter(|reported| self.num_results != Some(NumResults::Other) && is_total(reported))
    }

    pub(super) fn may_be_full(&self, pass: &Pass) -> bool {
        let is_first = pass.lengths.len() == 1;
        let longest = if is_first {
            self.longest_page
        } else {
            pass.longest()
        };
        pass.ends_full() || pass.newest().reaches(longest)
    }

    fn learn(&mut self, lesson: &Lesson) {
        match lesson {
            Lesson::Pass(pass, judgement) => self.learn_pass(pass, *judgement),
            Lesson::Inconsistent => self.see_inconsistent(),
            Lesson::RangeKept => self.range = Some(Range::Kept),
        }
    }

    pub(super) fn learn_pass(&mut self, pass: &Pass, judgement: Judgement) {
        self.learn_pages(pass, judgement);
        self.learn_totals(pass, judgement);
        self.record_weight = pass.record_weight().or(self.record_weight);
        if !judgement.is_drained() {
            return;
        }
        let edges = self.edges.get_or_insert_with(|| Edges::of(self.basis));
        edges.see(pass.places);
        self.basis = edges.basis();
        if pass.lengths.len() > 1 {
            self.offset_unit.get_or_insert_default();
            (self.doubt, self.unserved_in_a_row) = (0, 0);
        } else if pass.shown() > 0 {
            self.doubt = self.doubt.saturating_sub(1);
        }
    }

    pub(super) fn see_inconsistent(&mut self) {
        self.doubt = (self.doubt + DOUBT_OF_A_WINDOW).min(2 * DOUBT_OF_A_WINDOW);
    }

    fn learn_pages(&mut self, pass: &Pass, judgement: Judgement) {
        if pass.unit == OffsetUnit::Records && self.offset_unit != Some(OffsetUnit::Records) {
            info!("the API takes the page offset for a number of records");
            self.offset_unit = Some(OffsetUnit::Records);
            (self.deepest_page, self.refused_page) = (0, None);
        }
        let (first, page) = (pass.first(), pass.lengths.len());
        self.deepest_page = self.deepest_page.max(page.saturating_sub(1));
        self.longest_page = self.longest_page.max(first);
        self.page_size = self.page_size.filter(|size| first.records <= *size);
        let is_second_full = pass.lengths.get(1).is_some_and(|next| next.records >= pass.limit);
        if pass.limit < PAGE_SIZE && is_second_full {
            self.page_size = Some(pass.limit);
            self.longest_page.records = pass.limit;
        }
        let is_not_there = matches!(pass.after, Some(After::Empty | After::NotServed));
        if is_not_there && matches!(judgement, Judgement::Overflow | Judgement::Unserved) {
            self.unserved_in_a_row += 1;
            let is_proven = pass.is_followed || judgement == Judgement::Unserved;
            let is_usual = self.unserved_in_a_row >= UNSERVED_UNTIL_BELIEVED;
            if is_proven || is_usual || self.refused_page == Some(page) {
                self.refusal_is_stale = false;
                self.refused_page = Some(self.refused_page.map_or(page, |refused| refused.min(page)));
            }
        }
    }

    fn learn_totals(&mut self, pass: &Pass, judgement: Judgement) {
        let (first, reported) = (pass.first().records, pass.reported);
        if self.num_results != Some(NumResults::Other) && first >= pass.full_page {
            match reported {
                Some(reported) if reported > first as u64 => self.num_results = Some(NumResults::Total),
                None => self.num_results = Some(NumResults::Absent),
                Some(_) => {}
            }
        }
        match judgement {
            Judgement::Drained if pass.lengths.len() > 1 => match pass.total {
                Some(_) => self.totals_add_up = true,
                None if reported == Some(pass.distinct()) => self.num_results = Some(NumResults::Total),
                None => {
                    let counted = reported.map_or(NumResults::Absent, |_| NumResults::Page);
                    self.num_results.get_or_insert(counted);
                }
            },
            Judgement::NoTotal | Judgement::FalseTotal => {
                let records = pass.shown();
                warn!(reported, records, "numResults is not the number of records");
                let is_page = judgement == Judgement::FalseTotal && reported == Some(first as u64);
                self.num_results = Some(if is_page {
                    NumResults::Page
                } else {
                    NumResults::Other
                });
                self.totals_add_up = false;
            }
            _ => {}
        }
    }
}

#[derive(Debug)]
pub(super) enum Lesson {
    Pass(Box<Pass>, Judgement),
    /// Never added up, however often it was read.
    Inconsistent,
    RangeKept,
}

#[derive(Debug, Default)]
pub(in crate::sync) struct Knowledge {
    pub(in crate::sync) profile: ApiProfile,
    lessons: Vec<Lesson>,
}

impl Knowledge {
    pub(in crate::sync) fn of(profile: ApiProfile) -> Self {
        Self {
            profile,
            lessons: Vec::new(),
        }
    }

    pub(in crate::sync) fn teach(&self, profile: &mut ApiProfile) {
        self.lessons.iter().for_each(|lesson| profile.learn(lesson));
    }

    pub(super) fn learn(&mut self, lesson: Lesson) {
        self.profile.learn(&lesson);
        self.lessons.push(lesson);
    }
}
