//! The object around the records; even undocumented keys may report errors.

use serde_json::value::RawValue;

use crate::json;

const DEEPEST: usize = 4;

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
    others: json::Fields<'a>,
}

impl<'a> Envelope<'a> {
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let mut envelope = Self::default();
        for (key, value) in json::fields(text)? {
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
        b'{' if depth < DEEPEST => json::fields(value.get())
            .is_none_or(|fields| fields.iter().any(|(key, value)| tells(key, value, depth + 1))),
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
