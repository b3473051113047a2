use serde_json::{Map, Value};

use super::reader::Notes;
use super::{RecordText, clean, privacy};
use crate::json;

/// Bytes; a record with 100 destinations has a tenth.
pub const LARGEST_RECORD: usize = 256 << 10;

/// Each takes about 100 bytes of memory.
pub const MOST_VALUES: usize = 10_000;

#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    bytes: usize,
    values: usize,
}

impl Bounds {
    pub(super) const RECEIVED: Self = Self {
        bytes: LARGEST_RECORD,
        values: MOST_VALUES,
    };

    /// Wider, since the privacy rules and PostgreSQL enlarge a record.
    pub(super) const STORED: Self = Self {
        bytes: 8 * LARGEST_RECORD,
        values: 2 * MOST_VALUES,
    };

    /// Counted before parsing, which takes the memory.
    pub(super) fn exceeded(self, record: &RecordText<'_>) -> Option<String> {
        let (bytes, values) = (record.text().len(), record.values());
        if bytes > self.bytes {
            return Some(format!("larger than {} bytes: {bytes} bytes", self.bytes));
        }
        (values > self.values).then(|| {
            format!(
                "more than {} values: {values} values in {bytes} bytes",
                self.values
            )
        })
    }
}

/// Bytes kept of one field, and of all.
const LARGEST_FIELD: usize = 4 << 10;
const LARGEST_PART: usize = 32 << 10;

/// Empty if the text is no object.
pub(super) fn small_fields(text: &str) -> Map<String, Value> {
    let (mut small, mut left) = (Map::new(), LARGEST_PART);
    for (name, field) in json::fields(text).unwrap_or_default() {
        let field = field.get();
        if field.len() > LARGEST_FIELD.min(left) || !privacy::is_documented(&name) {
            continue;
        }
        if let Ok(value) = clean::parse(&RecordText::of(field), &Notes::new(0)) {
            left -= field.len();
            small.insert(name.into_owned(), value);
        }
    }
    small
}

pub(super) fn beginning(text: &str) -> &str {
    first(text, LARGEST_FIELD)
}

/// Identifiers may follow the kept part.
pub(super) fn around_beginning(text: &str) -> &str {
    first(text, LARGEST_PART)
}

fn first(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
