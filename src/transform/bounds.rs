//! How large a record may be, and what is kept of a larger one.

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::fields::Notes;
use super::{clean, privacy};
use crate::json::Extent;

/// Bytes of a record. Interactions have a few thousand; one of a hundred destinations with their agents has a tenth of this.
pub const LARGEST_RECORD: usize = 256 << 10;

/// Values in a record: each takes a hundred bytes of memory, however few it has as text.
pub const MOST_VALUES: usize = 10_000;

/// How large a record may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    bytes: usize,
    values: usize,
}

impl Bounds {
    /// Of a record as received.
    pub(super) const RECEIVED: Self = Self {
        bytes: LARGEST_RECORD,
        values: MOST_VALUES,
    };

    /// Of one that was within [`Bounds::RECEIVED`] once, and then was ruled and stored: a hash is longer than most values and names,
    /// an object becomes a list of its hash, and PostgreSQL writes blanks.
    pub(super) const STORED: Self = Self {
        bytes: 8 * LARGEST_RECORD,
        values: 2 * MOST_VALUES,
    };

    /// Why a record is too large, if it is; counted before anything is built of it.
    pub(super) fn exceeded(self, text: &str) -> Option<String> {
        if text.len() > self.bytes {
            return Some(format!("larger than {} bytes: {} bytes", self.bytes, text.len()));
        }
        let values = Extent::of(text).values;
        (values > self.values).then(|| {
            format!(
                "more than {} values: {values} values in {} bytes",
                self.values,
                text.len()
            )
        })
    }
}

/// Bytes of one field that is kept of a record that is too large, and of all of them.
const LARGEST_FIELD: usize = 4 << 10;
const LARGEST_PART: usize = 32 << 10;

/// The documented fields of a record that are small: enough to see which one it is. `None` where it is no object.
pub(super) fn small_fields(text: &str) -> Option<Map<String, Value>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(SmallFields).ok()
}

/// The beginning of a text of which nothing is known.
pub(super) fn beginning(text: &str) -> &str {
    first(text, LARGEST_FIELD)
}

/// The beginning and some more: what is kept may end before it says whose it is.
pub(super) fn around_beginning(text: &str) -> &str {
    first(text, LARGEST_PART)
}

fn first(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

struct SmallFields;

impl<'de> Visitor<'de> for SmallFields {
    type Value = Map<String, Value>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let (mut fields, mut left) = (Map::new(), LARGEST_PART);
        while let Some((name, field)) = object.next_entry::<String, &RawValue>()? {
            let field = field.get();
            if field.len() > LARGEST_FIELD.min(left) || !privacy::is_documented(&name) {
                continue;
            }
            if let Ok(value) = clean::parse(field, &Notes::new(0)) {
                left -= field.len();
                fields.insert(name, value);
            }
        }
        Ok(fields)
    }
}
