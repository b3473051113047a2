//! One pass over a window's pages, and whether it adds up.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::extract::{PAGE_SIZE, Page};
use crate::transform::privacy::Policy;
use crate::transform::{Interaction, Origin, RawRecord, Rejected, transform};

use super::length::{Length, Longest};

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) interactions: BTreeMap<Uuid, Interaction>,
    pub(super) rejected: HashMap<[u8; 32], Rejected>,
    /// Elements that are no records: uncounted, stored as rejected.
    pub(super) strays: HashMap<[u8; 32], Rejected>,
}

impl Rows {
    pub(super) fn extend(&mut self, other: Self) {
        self.interactions.extend(other.interactions);
        self.rejected.extend(other.rejected);
        self.strays.extend(other.strays);
    }

    pub(super) fn set_aside(self) -> (BTreeMap<Uuid, Interaction>, Vec<Rejected>) {
        let rejected = self.rejected.into_values().chain(self.strays.into_values());
        (self.interactions, rejected.collect())
    }

    pub(super) fn starts(&self) -> Vec<DateTime<Utc>> {
        self.interactions
            .values()
            .map(|row| row.rows.session.session_started_at)
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Short,
    Counted,
    /// It ended before the total, or exceeded it.
    Exhausted,
    Beyond,
    /// The next page failed and may hold records.
    CutOff,
}

/// Text of three full ordinary windows. Larger windows are split: all is in memory until stored.
const MOST_BYTES: usize = 8 << 20;

/// About 100 bytes of memory each.
const MOST_VALUES: usize = 250_000;

#[derive(Debug, Default)]
pub(super) struct Pass {
    pub(super) rows: Rows,
    bytes: usize,
    values: usize,
    times_seen: BTreeMap<Uuid, u64>,
    versions_differ: BTreeSet<Uuid>,
    lengths: Vec<Length>,
    pub(super) full_page: usize,
    pub(super) records: u64,
    pub(super) reported: Option<u64>,
    pub(super) total: Option<u64>,
    pub(super) exceeds: Option<u64>,
    pub(super) end: Option<End>,
}

impl Pass {
    pub(super) fn of(first: &Page) -> Self {
        Self {
            reported: first.reported,
            ..Self::default()
        }
    }

    /// Of equal keys the later end wins, else the greater text, whatever the order.
    pub(super) fn add(&mut self, page: &Page, origin: Origin<'_>, policy: &Policy) {
        let mut length = Length::default();
        let mut unreadable = page.unreadable.iter().copied().peekable();
        for (place, record) in page.records.iter().enumerate() {
            let record = RawRecord::of(record.get());
            if !self.has_room_for(&record) {
                length += Length::UNREAD;
                continue;
            }
            match transform(&record, origin, policy) {
                Ok(mut interaction) => {
                    if let Some((_, characters)) = unreadable.next_if(|(of, _)| *of == place) {
                        interaction.note_unreadable(characters);
                    }
                    length += self.take(interaction);
                }
                Err(rejected) => {
                    unreadable.next_if(|(of, _)| *of == place);
                    length += self.reject(*rejected);
                }
            }
        }
        for stray in &page.strays {
            let stray = RawRecord::of(stray.get());
            if !self.has_room_for(&stray) {
                continue;
            }
            length += match transform(&stray, origin, policy) {
                Ok(interaction) => self.take(interaction),
                Err(rejected) if rejected.key.is_some() => self.reject(*rejected),
                Err(rejected) => self.set_aside(*rejected),
            };
        }
        self.lengths.push(length);
        self.records += length.records() as u64;
    }

    fn take(&mut self, interaction: Interaction) -> Length {
        let length = Length::of(&interaction);
        let key = interaction.key;
        *self.times_seen.entry(key).or_default() += 1;
        match self.rows.interactions.entry(key) {
            Entry::Vacant(place) => {
                place.insert(interaction);
            }
            Entry::Occupied(mut place) => {
                if place.get().content_hash != interaction.content_hash {
                    self.versions_differ.insert(key);
                }
                if version(&interaction) > version(place.get()) {
                    place.insert(interaction);
                }
            }
        }
        length
    }

    /// Counts as a record unless it may be an error object.
    fn reject(&mut self, rejected: Rejected) -> Length {
        if rejected.is_no_record() {
            return self.set_aside(rejected);
        }
        if let Some(key) = rejected.key {
            *self.times_seen.entry(key).or_default() += 1;
        }
        self.rows.rejected.insert(rejected.payload_hash, rejected);
        Length::UNREAD
    }

    fn has_room_for(&mut self, record: &RawRecord<'_>) -> bool {
        self.bytes = self.bytes.saturating_add(record.text().len());
        self.values = self.values.saturating_add(record.values());
        !self.is_too_large()
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.bytes > MOST_BYTES || self.values > MOST_VALUES
    }

    fn set_aside(&mut self, stray: Rejected) -> Length {
        self.rows.strays.insert(stray.payload_hash, stray);
        Length::default()
    }

    pub(super) fn holds_all_of(&self, other: &Self) -> bool {
        let rejected = &self.rows.rejected;
        other
            .times_seen
            .keys()
            .all(|key| self.times_seen.contains_key(key))
            && other.rows.rejected.keys().all(|hash| rejected.contains_key(hash))
    }

    pub(super) fn pages(&self) -> usize {
        self.lengths.len()
    }

    pub(super) fn newest(&self) -> Length {
        self.lengths.last().copied().unwrap_or_default()
    }

    pub(super) fn longest(&self) -> usize {
        self.lengths
            .iter()
            .map(|length| length.records())
            .max()
            .unwrap_or(0)
    }

    pub(super) fn ends_short(&self) -> bool {
        let mut longest = Longest::default();
        self.lengths.iter().for_each(|page| longest.see(*page));
        !longest.is_reached_by(self.newest())
    }

    pub(super) fn last_with_records(&self) -> Option<usize> {
        self.lengths.iter().rposition(|length| length.records() > 0)
    }

    /// Elements without an id may stand for records until the total is reached.
    pub(super) fn may_hide_records(&self) -> bool {
        !self.rows.strays.is_empty() && self.total != Some(self.distinct())
    }

    pub(super) fn contradictions(&self) -> usize {
        self.versions_differ.len()
    }

    fn repeated(&self) -> u64 {
        self.times_seen.values().map(|times| times - 1).sum()
    }

    pub(super) fn distinct(&self) -> u64 {
        self.records - self.repeated()
    }

    /// No record came twice, which displaces others, and the end is proven.
    pub(super) fn adds_up(&self) -> bool {
        !self.may_hide_records() && self.is_whole()
    }

    pub(super) fn is_whole(&self) -> bool {
        let shifted = self.pages() > 1 && self.repeated() > 0;
        let is_at_end = || self.end == Some(End::Short);
        !shifted
            && self
                .total
                .map_or_else(is_at_end, |total| self.distinct() == total)
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.end == Some(End::CutOff)
            && self.rows.strays.is_empty()
            && (self.pages() == 1 || self.repeated() == 0)
    }

    /// Both passes repeat the same records: duplicates, no page shift.
    pub(super) fn confirms_twins(&self, before: &Self) -> bool {
        let is_whole = self.total.map_or(self.end == Some(End::Short), |total| {
            total == self.records || total == self.distinct()
        });
        is_whole && !self.may_hide_records() && self.repeated() > 0 && self.times_seen == before.times_seen
    }

    pub(super) fn confirms_exhausted(&self, before: &Self) -> bool {
        let is_one_page = self
            .lengths
            .first()
            .is_some_and(|first| first.records() < self.full_page);
        let is_same = if is_one_page {
            self.times_seen.keys().eq(before.times_seen.keys())
        } else {
            self.repeated() == 0 && self.times_seen == before.times_seen
        };
        let is_before = self.exceeds.is_none() && before.exceeds.is_none();
        self.end == Some(End::Exhausted)
            && self.rows.strays.is_empty()
            && is_before
            && self.records > 0
            && self.total == before.total
            && is_same
    }

    /// An empty page after a full one counts as not served.
    pub(super) fn stops_after_full_page(&self) -> Option<usize> {
        let last = self.last_with_records()?;
        (self.lengths[last].records() >= self.full_page && last + 1 < self.pages()).then_some(last + 1)
    }

    pub(super) fn is_withheld(&self) -> bool {
        self.records == 0 && self.total.is_some_and(|total| total > 0)
    }
}

fn version(interaction: &Interaction) -> (Option<DateTime<Utc>>, &str) {
    (interaction.rows.session.session_ended_at, &interaction.payload)
}

/// A shift by one record shows that `offset` counts records.
pub(super) fn lines_up(first: &Page, second: &Page) -> bool {
    let overlap = first.records.len().min(PAGE_SIZE).saturating_sub(1);
    overlap > 0
        && second.records.len() >= overlap
        && (0..overlap).all(|row| first.records[row + 1].get() == second.records[row].get())
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    const ORIGIN: Origin<'_> = Origin {
        account_id: "a",
        time_zone_offset: 0,
    };

    fn page(records: impl IntoIterator<Item = String>) -> Page {
        let raw = |text| RawValue::from_string(text).unwrap();
        Page {
            records: records.into_iter().map(raw).collect(),
            ..Page::default()
        }
    }

    fn good(id: usize) -> String {
        format!(r#"{{"sessionId":"s-{id}","sessionStartTime":"2026-01-10T10:00:00"}}"#)
    }

    #[test]
    fn a_rejected_record_that_slides_to_the_next_page_has_pushed_another_out() {
        let without_start = r#"{"sessionId":"bad"}"#.to_owned();
        let mut pass = Pass::default();
        let full = (1..PAGE_SIZE).map(good).chain([without_start.clone()]);
        pass.add(&page(full), ORIGIN, &Policy::default());
        pass.add(&page([without_start, good(101)]), ORIGIN, &Policy::default());
        (pass.total, pass.end) = (Some(102), Some(End::Counted));
        assert_eq!(pass.records, 102);
        assert!(!pass.adds_up());
    }
}
