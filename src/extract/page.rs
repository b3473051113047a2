use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json;

use super::charset::Text;
use super::envelope::{self, Envelope};

/// Real pages hold at most 200.
const MOST_ELEMENTS: usize = 500;

const IDS: [&str; 2] = ["sessionId", "conversationId"];

#[derive(Debug, Default)]
pub struct Page {
    /// `numResults`: of page or window, undocumented.
    pub reported: Option<u64>,
    /// Including elements without an id.
    pub records: Vec<Element>,
}

/// Parsed later and alone.
#[derive(Debug)]
pub struct Element {
    pub text: Box<RawValue>,
    /// Characters that could not be decoded.
    pub unreadable: u64,
}

#[derive(Debug)]
pub(super) enum Content {
    Page(Page),
    Nothing,
    Message,
    ErrorObjects,
    Unknown,
}

/// An error misread as an empty page would never be requested again.
pub(super) fn read(text: &Text) -> Content {
    let Some(envelope) = Envelope::of(&text.text) else {
        return Content::Unknown;
    };
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
    match (elements, envelope.data.map(RawValue::get)) {
        (Some(Some(elements)), _) if !elements.is_empty() => page(reported, &elements, text),
        (Some(Some(_)), _) | (_, Some("null")) if envelope.has_error() => Content::Message,
        (Some(Some(_)), _) if envelope.says_more() => Content::Nothing,
        (Some(Some(_)), _) => empty(reported),
        (_, Some("null")) if is_zero && !envelope.says_more() => empty(reported),
        // Without a list, `numResults` must be 0.
        (None, _) | (_, Some("null" | "{}" | "\"\"")) if is_zero && !envelope.has_error() => Content::Nothing,
        _ if envelope.has_message() || envelope.data.is_some_and(is_error) => Content::Message,
        _ => Content::Unknown,
    }
}

fn empty(reported: Option<u64>) -> Content {
    Content::Page(Page {
        reported,
        ..Page::default()
    })
}

fn is_error(data: &RawValue) -> bool {
    data.get().starts_with('{') && envelope::says_something(data)
}

fn page(reported: Option<u64>, elements: &[&RawValue], text: &Text) -> Content {
    if !elements.iter().any(|element| names_id(element.get())) {
        return Content::ErrorObjects;
    }
    let records = elements.iter().map(|element| Element {
        text: (*element).to_owned(),
        unreadable: text.unreadable.within(&span(element.get(), &text.text)),
    });
    Content::Page(Page {
        reported,
        records: records.collect(),
    })
}

fn span(part: &str, whole: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
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
