//! The pages of one pass over a window.

use std::collections::HashMap;

use uuid::Uuid;

use crate::extract::PAGE_SIZE;

use super::profile::{ApiProfile, OffsetUnit};
use super::range::Places;
use super::{RawPage, TEXT_OF_A_WINDOW};

/// A server may limit bot-only records and conversations separately: a shorter page may be full of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Length {
    pub records: usize,
    /// Of the more frequent kind.
    pub of_a_kind: usize,
}

impl Length {
    pub(super) fn of(page: &RawPage) -> Self {
        let conversations = page.records.iter().filter(|record| record.is_conversation);
        Self::of_kinds(conversations.count(), page.records.len())
    }

    fn of_kinds(conversations: usize, records: usize) -> Self {
        Self {
            records,
            of_a_kind: conversations.max(records - conversations),
        }
    }

    pub(super) fn max(self, other: Self) -> Self {
        Self {
            records: self.records.max(other.records),
            of_a_kind: self.of_a_kind.max(other.of_a_kind),
        }
    }

    /// Only a page shorter than another one, in all and of each kind, is short.
    pub(super) fn reaches(self, other: Self) -> bool {
        self.records >= other.records || self.of_a_kind >= other.of_a_kind
    }
}

/// What came after the last page with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Empty,
    /// Only records shown before.
    Repeated,
    /// All rows but the first once more, so no row follows.
    LastRows,
    NotServed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum PassEnd {
    /// By a short page, or the total.
    Proven,
    BelowTotal,
    AboveTotal,
    #[default]
    OutOfReach,
    /// A page that may hold more is not served.
    NotServed,
}

#[derive(Debug, Default)]
pub(super) struct Pass {
    /// With records; taken out once judged.
    pub(super) pages: Vec<RawPage>,
    pub(super) lengths: Vec<Length>,
    pub(super) strays: usize,
    pub(super) reported: Option<u64>,
    pub(super) after: Option<After>,
    /// Rows after the first page were seen.
    pub(super) is_followed: bool,
    pub(super) total: Option<u64>,
    pub(super) unit: OffsetUnit,
    /// For further pages: at most as many as the first page held, so that pages meet whatever `offset`
    /// counts.
    pub(super) limit: usize,
    pub(super) full_page: usize,
    pub(super) end: PassEnd,
    pub(super) places: Places,
    weight: usize,
    shown: usize,
    distinct: usize,
    seen: HashMap<Uuid, usize>,
}

impl Pass {
    pub(super) fn of(first: RawPage, profile: &ApiProfile) -> Self {
        let (records, elements) = (first.records.len(), first.records.len() + first.strays.len());
        let mut pass = Self {
            reported: first.reported,
            total: profile.total(first.reported, records),
            unit: profile.offset_unit.unwrap_or_default(),
            limit: if elements == 0 {
                PAGE_SIZE
            } else {
                elements.min(PAGE_SIZE)
            },
            full_page: profile
                .page_size
                .filter(|size| records <= *size)
                .unwrap_or(PAGE_SIZE),
            ..Self::default()
        };
        pass.add(first);
        pass
    }

    /// `None`: not served.
    pub(super) fn take(&mut self, page: Option<RawPage>) {
        let Some(page) = page else {
            self.after = Some(After::NotServed);
            return;
        };
        let is_new = !self.has_all_of(&page);
        if self.shows_offset_in_records(&page) {
            self.unit = OffsetUnit::Records;
            self.is_followed = is_new;
            self.after = (!is_new).then_some(After::LastRows);
        } else if is_new {
            self.add(page);
        } else {
            let is_empty = page.records.is_empty();
            self.after = Some(if is_empty { After::Empty } else { After::Repeated });
            self.strays += page.strays.len();
            if let Some(last) = self.pages.last_mut() {
                last.strays.extend(page.strays);
            }
        }
    }

    /// Pages shifted by one row.
    fn shows_offset_in_records(&self, page: &RawPage) -> bool {
        let [first] = self.pages.as_slice() else {
            return false;
        };
        let overlap = first.records.len().min(PAGE_SIZE).saturating_sub(1);
        let rows = first.records.iter().skip(1).zip(&page.records).take(overlap);
        let same = rows.filter(|(row, shifted)| row.identity == shifted.identity);
        self.unit == OffsetUnit::Pages && overlap > 0 && same.count() == overlap
    }

    fn add(&mut self, mut page: RawPage) {
        for record in &page.records {
            let times = self.seen.entry(record.identity).or_default();
            self.distinct += usize::from(*times == 0);
            self.shown += 1;
            *times += 1;
        }
        let weight = &mut self.weight;
        let mut has_room = |of_element| {
            *weight = weight.saturating_add(of_element);
            *weight <= TEXT_OF_A_WINDOW
        };
        page.records.retain(|record| has_room(record.sent.weight()));
        page.strays.retain(|stray| has_room(stray.weight()));
        self.lengths.push(Length::of(&page));
        self.strays += page.strays.len();
        self.pages.push(page);
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.weight > TEXT_OF_A_WINDOW
    }

    pub(super) fn has_all_of(&self, page: &RawPage) -> bool {
        page.records
            .iter()
            .all(|record| self.seen.contains_key(&record.identity))
    }

    pub(super) fn first(&self) -> Length {
        self.lengths.first().copied().unwrap_or_default()
    }

    pub(super) fn newest(&self) -> Length {
        self.lengths.last().copied().unwrap_or_default()
    }

    pub(super) fn longest(&self) -> Length {
        let lengths = self.lengths.iter().copied();
        lengths.fold(Length::default(), Length::max)
    }

    pub(super) fn ends_full(&self) -> bool {
        self.newest().records >= self.full_page
    }

    pub(super) fn shown(&self) -> u64 {
        self.shown as u64
    }

    pub(super) fn distinct(&self) -> u64 {
        self.distinct as u64
    }

    pub(super) fn repeated(&self) -> u64 {
        self.shown() - self.distinct()
    }

    pub(super) fn shows_the_same_as(&self, other: &Self) -> bool {
        self.seen == other.seen
    }

    /// The average, if there are enough records.
    pub(super) fn record_weight(&self) -> Option<usize> {
        (self.distinct * 2 >= PAGE_SIZE).then(|| self.weight / self.distinct)
    }

    /// For lessons: they outlive the window.
    pub(super) fn without_records(&self) -> Self {
        Self {
            pages: Vec::new(),
            lengths: self.lengths.clone(),
            seen: HashMap::new(),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_full_of_one_kind_is_as_long_as_any() {
        let page = |conversations, others| Length::of_kinds(conversations, conversations + others);
        let longest = page(50, 50);
        assert!(page(50, 10).reaches(longest) && page(0, 50).reaches(longest));
        assert!(!page(40, 40).reaches(longest));
        assert!(page(26, 24).reaches(page(35, 15)));
        assert!(!page(30, 15).reaches(page(35, 15)));
    }
}
