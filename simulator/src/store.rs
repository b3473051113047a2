//! The records and their two indexes, by start and by end, so that a range is found by binary search.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::{dice::hash, filter::Facets, interaction::Interaction};

/// The end of a session left open, in the index.
const OPEN: i64 = i64::MAX;

/// A record: typed, or verbatim bytes.
#[derive(Debug)]
pub(crate) enum Record {
    Typed(Box<Interaction>),
    Raw(Raw),
}

/// A record that is returned as it was given, whatever it is.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) json: Vec<u8>,
    pub(crate) start: DateTime<Utc>,
    pub(crate) facets: Facets,
}

/// What a range needs to know of a record, without touching the record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entry {
    /// Milliseconds since 1970.
    pub(crate) start: i64,
    /// Milliseconds since 1970, or [`OPEN`].
    end: i64,
    /// A stable shuffle key.
    pub(crate) shuffle: u64,
}

impl Entry {
    fn of(it: &Interaction) -> Self {
        let end = it.end.map_or(OPEN, |end| end.timestamp_millis());
        Self {
            start: it.start.timestamp_millis(),
            end,
            shuffle: hash(&it.session_id),
        }
    }

    /// The end as far as it is known at `now`.
    pub(crate) fn ended_by(&self, now: i64) -> Option<i64> {
        (self.end <= now).then_some(self.end)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    slots: Vec<Option<Record>>,
    entries: Vec<Entry>,
    by_start: Vec<(i64, u32)>,
    by_end: Vec<(i64, u32)>,
    ids: HashMap<String, u32>,
    /// The longest ended session so far, in milliseconds: how far back an overlap can reach.
    longest: i64,
}

impl Store {
    pub(crate) fn len(&self) -> usize {
        self.by_start.len()
    }

    /// The typed records, by start.
    pub(crate) fn interactions(&self) -> impl Iterator<Item = &Interaction> {
        self.by_start
            .iter()
            .filter_map(|&(_, slot)| match self.record(slot) {
                Some(Record::Typed(interaction)) => Some(&**interaction),
                _ => None,
            })
    }

    pub(crate) fn get(&self, session_id: &str) -> Option<&Interaction> {
        match self.record(*self.ids.get(session_id)?) {
            Some(Record::Typed(interaction)) => Some(interaction),
            _ => None,
        }
    }

    pub(crate) fn record(&self, slot: u32) -> Option<&Record> {
        self.slots.get(place(slot))?.as_ref()
    }

    pub(crate) fn entry(&self, slot: u32) -> Entry {
        self.entries.get(place(slot)).copied().unwrap_or_default()
    }

    /// Adds a record; a typed one replaces the one of the same id.
    pub(crate) fn insert(&mut self, record: Record) {
        if let Record::Typed(interaction) = &record {
            self.remove(&interaction.session_id);
        }
        let slot = self.push(record);
        let entry = self.entry(slot);
        insert_sorted(&mut self.by_start, (entry.start, slot));
        insert_sorted(&mut self.by_end, (entry.end, slot));
    }

    /// Adds many at the price of one sort.
    pub(crate) fn extend(&mut self, interactions: impl Iterator<Item = Interaction>) {
        for interaction in interactions {
            if self.ids.contains_key(&interaction.session_id) {
                self.sort();
                self.remove(&interaction.session_id);
            }
            let slot = self.push(Record::Typed(Box::new(interaction)));
            let entry = self.entry(slot);
            self.by_start.push((entry.start, slot));
            self.by_end.push((entry.end, slot));
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.by_start.sort();
        self.by_end.sort();
    }

    pub(crate) fn remove(&mut self, session_id: &str) -> Option<Interaction> {
        let slot = self.ids.remove(session_id)?;
        let entry = self.entry(slot);
        remove_sorted(&mut self.by_start, (entry.start, slot));
        remove_sorted(&mut self.by_end, (entry.end, slot));
        match self.slots.get_mut(place(slot))?.take() {
            Some(Record::Typed(interaction)) => Some(*interaction),
            _ => None,
        }
    }

    /// Changes a typed record in place; its id must stay. False if there is none.
    pub(crate) fn update(&mut self, session_id: &str, change: impl FnOnce(&mut Interaction)) -> bool {
        let Some(&slot) = self.ids.get(session_id) else {
            return false;
        };
        let before = self.entry(slot);
        let Some(Some(Record::Typed(interaction))) = self.slots.get_mut(place(slot)) else {
            return false;
        };
        change(interaction);
        let after = Entry::of(interaction);
        remove_sorted(&mut self.by_start, (before.start, slot));
        remove_sorted(&mut self.by_end, (before.end, slot));
        insert_sorted(&mut self.by_start, (after.start, slot));
        insert_sorted(&mut self.by_end, (after.end, slot));
        self.entries[place(slot)] = after;
        self.note_length(after);
        true
    }

    /// The slots with a start in `from..=to`, by start.
    pub(crate) fn started(&self, from: i64, to: i64) -> impl Iterator<Item = u32> {
        range(&self.by_start, from, to)
    }

    /// The slots with an end in `from..=to`, by end.
    pub(crate) fn ended(&self, from: i64, to: i64) -> impl Iterator<Item = u32> {
        range(&self.by_end, from, to.min(OPEN - 1))
    }

    /// The slots of sessions that started by `to` and may last until `from` or longer.
    pub(crate) fn may_overlap(&self, from: i64, to: i64) -> impl Iterator<Item = u32> {
        let reach = from.saturating_sub(self.longest);
        let long_open = range(&self.by_end, OPEN, OPEN).filter(move |slot| self.entry(*slot).start < reach);
        self.started(reach, to).chain(long_open)
    }

    fn push(&mut self, record: Record) -> u32 {
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let entry = match &record {
            Record::Typed(it) => {
                self.ids.insert(it.session_id.clone(), slot);
                Entry::of(it)
            }
            Record::Raw(raw) => {
                let start = raw.start.timestamp_millis();
                Entry {
                    start,
                    end: start,
                    shuffle: crate::dice::mix(u64::from(slot)),
                }
            }
        };
        self.note_length(entry);
        self.slots.push(Some(record));
        self.entries.push(entry);
        slot
    }

    fn note_length(&mut self, entry: Entry) {
        if entry.end != OPEN {
            self.longest = self.longest.max(entry.end - entry.start);
        }
    }
}

fn place(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

fn range(index: &[(i64, u32)], from: i64, to: i64) -> impl Iterator<Item = u32> {
    let first = index.partition_point(|(at, _)| *at < from);
    let last = index.partition_point(|(at, _)| *at <= to).max(first);
    index[first..last].iter().map(|(_, slot)| *slot)
}

fn insert_sorted(index: &mut Vec<(i64, u32)>, key: (i64, u32)) {
    let at = index.partition_point(|other| *other < key);
    index.insert(at, key);
}

fn remove_sorted(index: &mut Vec<(i64, u32)>, key: (i64, u32)) {
    if let Ok(at) = index.binary_search(&key) {
        index.remove(at);
    }
}
