//! Reads JSON from outside: no key has a special meaning, and nesting is bounded.
//!
//! `serde_json` gives the keys `$serde_json::private::RawValue` and `…::Number` a meaning in the data itself,
//! and parses text under the first with a new nesting limit: 68 KB end the process by a stack overflow. Where
//! such a key may stand, objects and lists are read one level at a time, their parts as text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// As in `serde_json`. Later code may recurse as deep.
pub const DEEPEST: usize = 127;

/// In both special keys, or in their escaped spellings: the characters are ASCII, so an escape begins so.
const SIGNS_OF_A_MEANING: [&str; 2] = ["serde_json::private", "\\u00"];

/// Counted without building anything; a guess if the text is no JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Or a few more: each object and list, and each part of one.
    pub values: usize,
    pub levels: usize,
}

impl Extent {
    pub fn of(text: &str) -> Self {
        let mut extent = Self { values: 1, levels: 0 };
        let (mut level, mut in_text, mut is_escaped) = (0_usize, false, false);
        for byte in text.bytes() {
            if in_text {
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' => is_escaped = true,
                    b'"' => in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => in_text = true,
                b',' => extent.values += 1,
                b'[' | b'{' => {
                    extent.values += 1;
                    level += 1;
                    extent.levels = extent.levels.max(level);
                }
                b']' | b'}' => level = level.saturating_sub(1),
                _ => {}
            }
        }
        extent
    }
}

/// U+FFFD: what could not be read, or was sent so.
pub fn replaced_characters(text: &str) -> u64 {
    memchr::memmem::find_iter(text.as_bytes(), "\u{fffd}").count() as u64
}

/// The last of equal keys counts. `None`: no JSON, or nested too deeply.
pub fn parse(text: &str) -> Option<Value> {
    parse_counted(text, Extent::of(text))
}

/// As [`parse`], of known extent.
pub fn parse_counted(text: &str, extent: Extent) -> Option<Value> {
    if extent.levels > DEEPEST {
        return None;
    }
    let may_mean = |sign: &&str| memchr::memmem::find(text.as_bytes(), sign.as_bytes()).is_some();
    if SIGNS_OF_A_MEANING.iter().any(may_mean) {
        value(text, DEEPEST)
    } else {
        // Four times as fast.
        from_str(text)
    }
}

/// In order, with repeats; `None` for more than 10,000 or no object.
pub fn fields(text: &str) -> Option<Fields<'_>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = (&mut deserializer).deserialize_map(AllFields).ok()?;
    deserializer.end().ok()?;
    Some(fields)
}

/// Bounds memory.
const MOST_FIELDS: usize = 10_000;

/// Keys, and their values as text.
pub type Fields<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct AllFields;

impl<'de> Visitor<'de> for AllFields {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(Key(key)) = object.next_key()? {
            if fields.len() == MOST_FIELDS {
                return Err(A::Error::custom("too many keys"));
            }
            fields.push((key, object.next_value()?));
        }
        Ok(fields)
    }
}

fn value(text: &str, levels_left: usize) -> Option<Value> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let is_nested = text.starts_with(['{', '[']);
    let levels_left = if is_nested {
        levels_left.checked_sub(1)?
    } else {
        levels_left
    };
    if text.starts_with('{') {
        let parts: BTreeMap<String, &RawValue> = from_str(text)?;
        let parts = parts
            .into_iter()
            .map(|(key, part)| Some((key, value(part.get(), levels_left)?)));
        return parts.collect::<Option<_>>().map(Value::Object);
    }
    if text.starts_with('[') {
        let parts: Vec<&RawValue> = from_str(text)?;
        let parts = parts.into_iter().map(|part| value(part.get(), levels_left));
        return parts.collect::<Option<_>>().map(Value::Array);
    }
    from_str(text)
}

fn from_str<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The special keys, with text under them that would be parsed again or refused.
    const PRIVATE: [&str; 4] = [
        r#"{"$serde_json::private::RawValue":"[1,[2]]"}"#,
        r#"{"$serde_json::private::RawValue":"no JSON"}"#,
        r#"{"$serde_json::private::Number":"1e5"}"#,
        r#"{"$serde_json::private::Number":[7],"a":{"$serde_json::private::RawValue":{}}}"#,
    ];

    #[test]
    fn no_key_has_a_meaning_of_its_own() {
        for text in PRIVATE {
            for text in [
                text.to_owned(),
                format!("[{text}]"),
                format!(r#"{{"a":[{text}]}}"#),
            ] {
                assert_eq!(parse(&text).unwrap().to_string(), text);
            }
        }
        for escaped in [
            r#"{"\u0024serde_json::private::RawValue":"[1]"}"#,
            r#"{"$serde\u005fjson::private::RawValue":"[1]"}"#,
            r#"{"$serde_json::\u0070rivate::RawValue":"[1]"}"#,
            r#"{"$serde_json:\u003Aprivate::RawValue":"[1]"}"#,
        ] {
            assert_eq!(parse(escaped).unwrap()["$serde_json::private::RawValue"], "[1]");
        }
    }

    #[test]
    fn what_serde_json_reads_is_read_the_same() {
        for text in [
            r#" { "a" : [ 1 , -2.50 , 1e400 , true , null , "x\n\u00e9\ud83d\ude00" ] , "a b" : { } , "" : [ ] } "#,
            r#"{"twice":1,"twice":[2]}"#,
            "36893488147419103232",
            "\"text with [ and \\\" and {\"",
            "\tnull\r\n",
        ] {
            let read = serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(parse(text).as_ref(), Some(&read));
            assert_eq!(value(text, DEEPEST).as_ref(), Some(&read));
        }
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "1 2",
            "[]x",
            "nul",
            "{a:1}",
            "\"\\ud800\"",
            "\u{a0}1",
        ] {
            assert_eq!(parse(text), None, "{text}");
            assert_eq!(value(text, DEEPEST), None, "{text}");
            assert!(serde_json::from_str::<Value>(text).is_err());
        }
    }

    #[test]
    fn nesting_is_bounded_at_any_size_of_the_text() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(DEEPEST)).is_some());
        assert!(value(&nested(DEEPEST), DEEPEST).is_some());
        assert_eq!(parse(&nested(DEEPEST + 1)), None);
        assert_eq!(value(&nested(DEEPEST + 1), DEEPEST), None);
        assert_eq!(parse(&"[".repeat(8 << 20)), None);
        assert_eq!(parse(&r#"{"a":"#.repeat(1 << 20)), None);
        assert_eq!(parse(&"]".repeat(1 << 20)), None);
    }

    #[test]
    fn the_deepest_value_needs_little_stack() {
        let deepest = "{\"a\":[".repeat(DEEPEST / 2) + r#""\u0041""# + &"]}".repeat(DEEPEST / 2);
        let small = std::thread::Builder::new().stack_size(512 << 10);
        let read = small
            .spawn(move || parse(&deepest).is_some_and(|value| value.to_string().len() + 5 == deepest.len()));
        assert!(read.unwrap().join().unwrap());
    }

    #[test]
    fn an_extent_counts_values_and_levels_outside_of_texts() {
        let extent = |text: &str| (Extent::of(text).values, Extent::of(text).levels);
        assert_eq!(extent("7"), (1, 0));
        assert_eq!(extent(r#"{"a,[{":"\"[,\\","b":[1,{"c":2}]}"#), (6, 3));
        assert_eq!(extent(&format!("[{}0]", "0,".repeat(1_000))).0, 1_002);
    }
}
