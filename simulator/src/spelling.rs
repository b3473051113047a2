//! How a record is spelled: the API writes one meaning in several ways, and a record keeps its way over time.

use crate::dice::{hash, mix};

/// The choices among the API's spellings of one record, derived from a number: which blank is an empty string, a null
/// or absent; whether `isVoicemail` is text or a boolean; whether `customerinfo` sits in `metaInfo`.
///
/// 0 spells a record as the vendor's sample response does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spelling(pub u64);

/// How a field that has no value is written; the three mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blank {
    Empty,
    Absent,
    Null,
}

impl Spelling {
    /// A number in `0..ways`, the same for the same field of the same record.
    pub(crate) fn pick(self, field: &str, ways: u64) -> u64 {
        if self.0 == 0 {
            0
        } else {
            mix(self.0 ^ hash(field)) % ways.max(1)
        }
    }

    pub(crate) fn blank(self, field: &str) -> Blank {
        match self.pick(field, 3) {
            0 => Blank::Empty,
            1 => Blank::Absent,
            _ => Blank::Null,
        }
    }
}
