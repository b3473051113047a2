//! The object around the records; even undocumented keys may report errors.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

const DEEPEST: usize = 4;

const MOST_FIELDS: usize = 500;

const HARMLESS_WORDS: [&str; 12] = [
    "",
    "false",
    "null",
    "none",
    "0",
    "200",
    "ok",
    "okay",
    "success",
    "successful",
    "succeeded",
    "done",
];

/// Such keys only identify an answer.
const HARMLESS_ENDS: [&str; 5] = ["id", "date", "time", "timestamp", "version"];

#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    pub(super) reported: Option<&'a RawValue>,
    /// Null is `Some`.
    pub(super) data: Option<&'a RawValue>,
    errors: Vec<&'a RawValue>,
    messages: Vec<&'a RawValue>,
    others: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Envelope<'a> {
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let fields: Fields<'a> = serde_json::from_str(text).ok()?;
        let mut envelope = Self::default();
        for (key, value) in fields.0 {
            let place = match key.to_ascii_lowercase().as_str() {
                "numresults" => &mut envelope.reported,
                "data" => &mut envelope.data,
                "error" | "errors" => {
                    envelope.errors.push(value);
                    continue;
                }
                "message" => {
                    envelope.messages.push(value);
                    continue;
                }
                _ => {
                    envelope.others.push((key, value));
                    continue;
                }
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        Some(envelope)
    }

    pub(super) fn has_error(&self) -> bool {
        self.errors.iter().any(|value| says_something(value))
    }

    pub(super) fn has_message(&self) -> bool {
        self.has_error() || self.messages.iter().any(|value| says_something(value))
    }

    pub(super) fn says_more(&self) -> bool {
        self.has_message() || self.others.iter().any(|(key, value)| tells(key, value, 0))
    }
}

pub(super) fn says_something(value: &RawValue) -> bool {
    let word = value.get().trim_matches('"').to_ascii_lowercase();
    !HARMLESS_WORDS[1..].contains(&word.as_str())
        && word.contains(|char: char| !" \t\r\n\"[]{}".contains(char))
}

fn tells(key: &str, value: &RawValue, depth: usize) -> bool {
    let key = key.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| key.contains(part));
    let word = value.get().trim_matches('"').trim().to_ascii_lowercase();
    let is_of_failure = has(&["err", "fail", "exception", "fault"]);
    match value.get().as_bytes()[0] {
        b'{' if depth < DEEPEST => serde_json::from_str::<Fields<'_>>(value.get()).map_or(true, |fields| {
            fields.0.iter().any(|(key, value)| tells(key, value, depth + 1))
        }),
        b'{' | b'[' => says_something(value),
        _ if has(&["success", "succeeded"]) || ["ok", "valid"].contains(&key.as_str()) => {
            !["true", "1"].contains(&word.as_str())
                && (word == "0" || word == "false" || says_something(value))
        }
        _ if is_of_failure => says_something(value),
        b't' => has(&[
            "more",
            "partial",
            "incomplete",
            "truncated",
            "timedout",
            "timed_out",
        ]),
        b'f' | b'n' => has(&["complete"]) && !has(&["incomplete"]) && word == "false",
        b'"' if HARMLESS_ENDS.iter().any(|end| key.ends_with(end)) => false,
        b'"' => says_something(value),
        _ if has(&["code", "status"]) => word != "0" && !(word.len() == 3 && word.starts_with('2')),
        _ if has(&["total", "count", "records", "results"]) => says_something(value),
        // Such as page numbers and sizes.
        _ => false,
    }
}

struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AllFields)
    }
}

struct AllFields;

impl<'de> Visitor<'de> for AllFields {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            if fields.len() == MOST_FIELDS {
                return Err(Error::custom("too many keys"));
            }
            fields.push((key, map.next_value()?));
        }
        Ok(Fields(fields))
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(AnyKey)
    }
}

struct AnyKey;

impl<'de> Visitor<'de> for AnyKey {
    type Value = Key<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}
