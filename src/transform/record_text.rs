//! The text of a record: its bounds, and what is replaced since PostgreSQL refuses it.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::normal_form::plain_number;
use super::reader::Notes;
use crate::json::{self, DEEPEST, Extent};

/// Least memory of a parsed value.
const BYTES_OF_A_VALUE: usize = 20;

#[derive(Debug, Clone)]
pub struct RecordText<'a> {
    text: Cow<'a, str>,
    extent: Extent,
}

impl<'a> RecordText<'a> {
    pub fn of(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        Self {
            extent: Extent::of(&text),
            text,
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn values(&self) -> usize {
        self.extent.values
    }

    /// Least bytes of memory once parsed.
    pub fn weight(&self) -> usize {
        self.text.len().max(self.values() * BYTES_OF_A_VALUE)
    }

    /// Why it is refused. Counted before parsing, which takes the memory.
    pub(super) fn excess(&self) -> Option<String> {
        if self.text.len() > LARGEST_RECORD {
            return Some(format!("larger than {LARGEST_RECORD} bytes"));
        }
        if self.values() > MOST_VALUES {
            return Some(format!("more than {MOST_VALUES} values"));
        }
        (self.extent.levels > DEEPEST).then(|| "nested too deeply to be read".to_owned())
    }
}

impl From<Box<RawValue>> for RecordText<'_> {
    fn from(element: Box<RawValue>) -> Self {
        Self::of(Box::<str>::from(element).into_string())
    }
}

/// Bytes; a record with 100 destinations has a tenth.
pub const LARGEST_RECORD: usize = 256 << 10;

/// Each takes about 100 bytes of memory.
pub const MOST_VALUES: usize = 10_000;

/// Longer numbers are text.
const LONGEST_NUMBER: usize = 1_000;

/// Of a number with an exponent, which is short as it is sent.
const LONGEST_PLAIN_FORM: usize = 64;

pub(super) fn parse(record: &RecordText<'_>, notes: &Notes) -> Option<Value> {
    let text = mend_escapes(record.text());
    let replaced = json::replaced_characters(&text);
    if replaced > 0 {
        let why = format!("characters that could not be read, replaced by U+FFFD: {replaced}");
        notes.warn("record", &why);
    }
    let mut value = json::parse_counted(&text, record.extent)?;
    repair_numbers(&mut value);
    Some(value)
}

/// Runs before parsing: `serde_json` refuses lone surrogates, and U+FFFD counts alike in the text that is stored.
fn mend_escapes(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut mended = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        let escape = at + found;
        let Some(unit) = code_unit(bytes, escape) else {
            at = (escape + 2).min(bytes.len());
            continue;
        };
        at = escape + 6;
        let paired = matches!(unit, 0xD800..=0xDBFF) && matches!(code_unit(bytes, at), Some(0xDC00..=0xDFFF));
        if paired {
            at += 6;
        } else if matches!(unit, 0 | 0xD800..=0xDFFF | 0xFFFD) {
            mended.push_str(&text[kept..escape]);
            mended.push('\u{fffd}');
            kept = at;
        }
    }
    if kept == 0 {
        return text.into();
    }
    mended.push_str(&text[kept..]);
    mended.into()
}

fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Gives numbers the form that jsonb prints, so that a replay reads what was stored.
fn repair_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(repaired) = repaired(number.as_str()) {
                *value = repaired;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(repair_numbers),
        Value::Object(fields) => fields.values_mut().for_each(repair_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn repaired(number: &str) -> Option<Value> {
    let has_exponent = number.contains(['e', 'E']);
    if number.len() <= LONGEST_NUMBER && !has_exponent && !number.starts_with("-0") {
        return None;
    }
    let longest = if has_exponent {
        LONGEST_PLAIN_FORM
    } else {
        LONGEST_NUMBER
    };
    let plain = plain_number(number).filter(|plain| plain.len() <= longest);
    let plain = plain.and_then(|plain| plain.parse().ok());
    Some(plain.map_or_else(|| number.into(), Value::Number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> String {
        mend_escapes(text).into_owned()
    }

    #[test]
    fn nul_and_lone_surrogates_become_replacement_characters() {
        assert_eq!(mended(r#""a\u0000b""#), "\"a\u{fffd}b\"");
        assert_eq!(mended(r#""\ud800""#), "\"\u{fffd}\"");
        assert_eq!(mended(r#""\uFFFD""#), "\"\u{fffd}\"");
        assert_eq!(
            mended(r#""\udc00\ud800x\ud83d""#),
            "\"\u{fffd}\u{fffd}x\u{fffd}\""
        );
    }

    #[test]
    fn pairs_and_escaped_backslashes_stay() {
        for text in [
            r#""\ud83d\ude00""#,
            r#""\\u0000""#,
            r#""\\\\ud800""#,
            r#""\n\u00e9""#,
        ] {
            assert_eq!(mended(text), text);
        }
        assert_eq!(mended(r#""\\\u0000""#), "\"\\\\\u{fffd}\"");
    }

    #[test]
    fn a_number_that_is_long_in_plain_form_becomes_its_text() {
        let (longest, too_long) = ("1".repeat(LONGEST_NUMBER), "1".repeat(LONGEST_NUMBER + 1));
        let record = format!(
            "[1e99999999999, 1e63, 1e64, -1e-61, -1e-62, 0e-99, {longest}, {too_long}, 1.{longest}e3]"
        );
        let parsed = parse(&RecordText::of(record), &Notes::new(0)).unwrap();
        let (zeros, small) = ("0".repeat(63), "0".repeat(60));
        assert_eq!(
            parsed.to_string(),
            format!(
                r#"["1e+99999999999",1{zeros},"1e+64",-0.{small}1,"-1e-62","0e-99",{longest},"{too_long}","1.{longest}e+3"]"#
            )
        );
    }
}
