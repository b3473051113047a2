//! What reading a window teaches about the API. Windows are read in parallel; the owner of the profile learns
//! from them one after the other.

use super::judge::Judgement;
use super::pass::{After, Length, Pass};
use super::profile::{ApiProfile, OffsetUnit};
use super::range::Places;

#[derive(Debug, Clone, Copy)]
pub(in crate::sync) enum Lesson {
    Pass(PassFacts),
    /// Never added up, however often it was read.
    Inconsistent,
    RangeKept,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::sync) struct PassFacts {
    pub(super) judgement: Judgement,
    pub(super) pages: usize,
    pub(super) first: Length,
    pub(super) is_second_full: bool,
    pub(super) unit: OffsetUnit,
    pub(super) limit: usize,
    pub(super) full_page: usize,
    pub(super) after: Option<After>,
    pub(super) is_followed: bool,
    pub(super) reported: Option<u64>,
    pub(super) total: Option<u64>,
    pub(super) shown: u64,
    pub(super) distinct: u64,
    pub(super) record_weight: Option<usize>,
    pub(super) places: Places,
}

impl PassFacts {
    pub(super) fn of(pass: &Pass, judgement: Judgement) -> Self {
        Self {
            judgement,
            pages: pass.pages.len(),
            first: pass.first(),
            is_second_full: pass
                .pages
                .get(1)
                .is_some_and(|next| next.records.len() >= pass.limit),
            unit: pass.unit,
            limit: pass.limit,
            full_page: pass.full_page,
            after: pass.after,
            is_followed: pass.is_followed,
            reported: pass.pages.first().and_then(|page| page.reported),
            total: pass.total,
            shown: pass.shown(),
            distinct: pass.distinct(),
            record_weight: pass.record_weight(),
            places: pass.places,
        }
    }
}

/// What is known of the API, and what a window taught.
#[derive(Debug, Clone, Default)]
pub(in crate::sync) struct Knowledge {
    pub(in crate::sync) profile: ApiProfile,
    pub(in crate::sync) lessons: Vec<Lesson>,
}

impl Knowledge {
    pub(in crate::sync) fn of(profile: ApiProfile) -> Self {
        Self {
            profile,
            lessons: Vec::new(),
        }
    }

    pub(super) fn learn(&mut self, lesson: Lesson) {
        self.profile.learn(&lesson);
        self.lessons.push(lesson);
    }
}
