//! Replaces what PostgreSQL refuses: U+0000, lone surrogates and huge numbers.

use std::borrow::Cow;

use serde_json::Value;

use super::RecordText;
use super::reader::Notes;
use crate::json::{self, JsonError};

/// Longer numbers are text.
const LONGEST_NUMBER: usize = 1_000;

/// `numeric` ends at 131,072 digits.
const LONGEST_EXPONENT: usize = 4;

pub(super) const WHOLE_RECORD: &str = "record";

pub(super) fn parse(record: &RecordText<'_>, notes: &Notes) -> Result<Value, JsonError> {
    let (text, replaced) = mend_escapes(record.text());
    if replaced > 0 {
        notes.warn(
            WHOLE_RECORD,
            &format!("{replaced} characters that cannot be stored were replaced by U+FFFD"),
        );
    }
    let mut value = json::parse_counted(&text, record.extent)?;
    repair_numbers(&mut value);
    Ok(value)
}

/// Runs before parsing: `serde_json` refuses lone surrogates.
fn mend_escapes(text: &str) -> (Cow<'_, str>, usize) {
    let bytes = text.as_bytes();
    let mut mended = String::new();
    let (mut kept, mut at, mut replaced) = (0, 0, 0);
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
        } else if matches!(unit, 0 | 0xD800..=0xDFFF) {
            mended.push_str(&text[kept..escape]);
            mended.push('\u{fffd}');
            kept = at;
            replaced += 1;
        }
    }
    if replaced == 0 {
        return (Cow::Borrowed(text), 0);
    }
    mended.push_str(&text[kept..]);
    (Cow::Owned(mended), replaced)
}

fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn repair_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let text = number.as_str();
            let exponent = text.split_once(['e', 'E']).map_or("", |(_, exponent)| exponent);
            let digits = exponent.trim_start_matches(['+', '-']).len();
            if digits > LONGEST_EXPONENT || text.len() > LONGEST_NUMBER {
                *value = Value::String(text.to_owned());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(repair_numbers),
        Value::Object(fields) => fields.values_mut().for_each(repair_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> String {
        mend_escapes(text).0.into_owned()
    }

    #[test]
    fn nul_and_lone_surrogates_become_replacement_characters() {
        assert_eq!(mended(r#""a\u0000b""#), "\"a\u{fffd}b\"");
        assert_eq!(mended(r#""\ud800""#), "\"\u{fffd}\"");
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
    fn a_number_beyond_numeric_becomes_its_text() {
        let notes = Notes::new(0);
        assert_eq!(
            parse(&RecordText::of("[1e99999, 1e300, 36893488147419103232]"), &notes)
                .unwrap()
                .to_string(),
            r#"["1e+99999",1e+300,36893488147419103232]"#
        );
    }
}
