//! What an answer means; even undocumented keys may report errors.

use std::borrow::Cow;
use std::fmt;

use reqwest::StatusCode;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::ApiError;
use super::body::{ERROR_BODY_BYTES, Received, decode};
use crate::json;

#[derive(Debug)]
pub enum Answer {
    Page(Page),
    /// Empty if a second answer agrees.
    EmptyIfAgreed,
}

#[derive(Debug, Default)]
pub struct Page {
    /// Of page or window, undocumented.
    pub reported: Option<u64>,
    /// Including elements without an id. Parsed later and alone.
    pub records: Vec<Box<RawValue>>,
}

/// `most`: bytes of text.
pub fn judge(received: Received, most: usize) -> Result<Answer, ApiError> {
    let Received {
        status,
        content_type,
        retry_after,
        body,
    } = received;
    let limited = |body: &str| ApiError::RateLimited {
        status,
        retry_after,
        is_of_minute: body.contains("per-minute"),
    };
    if status == StatusCode::NO_CONTENT {
        return Ok(Answer::Page(Page::default()));
    }
    if status == StatusCode::OK {
        let bytes = body.len();
        let text = decode(body, &content_type, most).ok_or(ApiError::TooLarge { limit: most })?;
        let content = content_of(&text, bytes);
        // A record may contain "rate limit".
        if matches!(&content, Ok(Answer::Page(page)) if !page.records.is_empty()) {
            return content;
        }
        let words = words(text.as_bytes());
        return match content {
            _ if says_rate_limited(&words) => Err(limited(&words)),
            Ok(Answer::EmptyIfAgreed) if says_too_old(&words) => Err(ApiError::Message),
            content => content,
        };
    }
    let words = words(&body);
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => limited(&words),
        _ if says_rate_limited(&words) => limited(&words),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ApiError::Refused { status },
        _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            ApiError::ServerFault { status }
        }
        _ if status.is_redirection() => ApiError::Redirected { status },
        _ => ApiError::Unaccepted { status },
    })
}

fn words(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(ERROR_BODY_BYTES)]).to_ascii_lowercase()
}

/// Matches both vendor messages, "per-minute rate limit" and "Rate limit for this API".
fn says_rate_limited(words: &str) -> bool {
    words.contains("rate limit")
}

/// Expired data is not an empty window.
fn says_too_old(words: &str) -> bool {
    ["older than", "retention"]
        .iter()
        .any(|word| words.contains(word))
}

/// Real pages hold at most 200.
const MOST_ELEMENTS: usize = 500;

const IDS: [&str; 2] = ["sessionId", "conversationId"];

/// An error misread as an empty page would never be requested again.
fn content_of(text: &str, bytes: usize) -> Result<Answer, ApiError> {
    let envelope = Envelope::of(text).ok_or(ApiError::Undecodable { bytes })?;
    let reported = envelope
        .reported
        .and_then(|raw| raw.get().trim_matches('"').parse().ok());
    let is_zero = reported == Some(0);
    let elements = envelope
        .data
        .map(RawValue::get)
        .map(|data| match data.as_bytes() {
            [b'[', ..] => elements(data),
            [b'{', ..] if names_id(data) => serde_json::from_str(data).ok().map(|record| vec![record]),
            _ => None,
        });
    let page = |elements: Vec<&RawValue>| {
        let records = elements.into_iter().map(RawValue::to_owned).collect();
        Answer::Page(Page { reported, records })
    };
    match (elements, envelope.data.map(RawValue::get)) {
        (Some(Some(elements)), _) if !elements.is_empty() => {
            let is_page = elements.iter().any(|element| names_id(element.get()));
            is_page.then(|| page(elements)).ok_or(ApiError::ErrorObjects)
        }
        (Some(Some(_)), _) | (_, Some("null")) if envelope.has_error() => Err(ApiError::Message),
        (Some(Some(_)), _) if envelope.says_more() => Ok(Answer::EmptyIfAgreed),
        (Some(Some(_)), _) => Ok(page(Vec::new())),
        (_, Some("null")) if is_zero && !envelope.says_more() => Ok(page(Vec::new())),
        // Without a list, `numResults` must be 0.
        (None, _) | (_, Some("null" | "{}" | "\"\"")) if is_zero && !envelope.has_error() => {
            Ok(Answer::EmptyIfAgreed)
        }
        _ if envelope.has_message() || envelope.data.is_some_and(is_error) => Err(ApiError::Message),
        _ => Err(ApiError::Undecodable { bytes }),
    }
}

fn is_error(data: &RawValue) -> bool {
    data.get().starts_with('{') && says_something(data)
}

fn elements(list: &str) -> Option<Vec<&RawValue>> {
    serde_json::Deserializer::from_str(list)
        .deserialize_seq(Elements)
        .ok()
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            if elements.len() == MOST_ELEMENTS {
                return Err(de::Error::custom("too many elements"));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

/// Error objects name none.
fn names_id(element: &str) -> bool {
    let is_id = |(name, value): &(Cow<'_, str>, &RawValue)| {
        IDS.iter().any(|id| name.eq_ignore_ascii_case(id))
            && value
                .get()
                .starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
    };
    json::fields(element).is_some_and(|fields| fields.iter().any(is_id))
}

const DEEPEST: usize = 4;

const HARMLESS_WORDS: &str = "false null none 0 200 ok okay success successful succeeded done";

/// Such keys only identify an answer.
const HARMLESS_ENDS: [&str; 5] = ["id", "date", "time", "timestamp", "version"];

#[derive(Debug, Default)]
struct Envelope<'a> {
    reported: Option<&'a RawValue>,
    /// Null is `Some`.
    data: Option<&'a RawValue>,
    errors: Vec<&'a RawValue>,
    messages: Vec<&'a RawValue>,
    others: json::Fields<'a>,
}

impl<'a> Envelope<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut envelope = Self::default();
        for (key, value) in json::fields(text)? {
            match key.to_ascii_lowercase().as_str() {
                "numresults" if envelope.reported.is_none() => envelope.reported = Some(value),
                "data" if envelope.data.is_none() => envelope.data = Some(value),
                "numresults" | "data" => return None,
                "error" | "errors" => envelope.errors.push(value),
                "message" => envelope.messages.push(value),
                _ => envelope.others.push((key, value)),
            }
        }
        Some(envelope)
    }

    fn has_error(&self) -> bool {
        self.errors.iter().any(|value| says_something(value))
    }

    fn has_message(&self) -> bool {
        self.has_error() || self.messages.iter().any(|value| says_something(value))
    }

    fn says_more(&self) -> bool {
        self.has_message() || self.others.iter().any(|(key, value)| tells(key, value, 0))
    }
}

fn says_something(value: &RawValue) -> bool {
    let word = value.get().trim_matches('"').to_ascii_lowercase();
    !HARMLESS_WORDS.split(' ').any(|harmless| harmless == word)
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

#[cfg(test)]
mod tests;
