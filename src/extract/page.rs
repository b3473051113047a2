//! Reads pages of raw records.

use std::fmt;
use std::ops::Range;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::charset::Text;
use super::envelope::{self, Envelope};

/// Real pages hold at most 200.
const MOST_ELEMENTS: usize = 500;

/// One page of a window.
#[derive(Debug, Default)]
pub struct Page {
    /// `numResults`: of page or window, undocumented.
    pub reported: Option<u64>,
    /// Elements with an id, in order.
    pub records: Vec<Box<RawValue>>,
    /// Elements without an id.
    pub strays: Vec<Box<RawValue>>,
    /// Undecodable characters by index in `records`.
    pub unreadable: Vec<(usize, u64)>,
}

#[derive(Debug)]
pub(super) enum Content {
    Page(Page),
    Nothing,
    Message,
    Strays,
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
            [b'{', ..] if has_id(data) => serde_json::from_str(data).ok().map(|record| vec![record]),
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
    let mut page = Page {
        reported,
        ..Page::default()
    };
    for element in elements {
        if has_id(element.get()) {
            let unreadable = text.unreadable.within(&span(element.get(), &text.text));
            if unreadable > 0 {
                page.unreadable.push((page.records.len(), unreadable));
            }
            page.records.push((*element).to_owned());
        } else {
            page.strays.push((*element).to_owned());
        }
    }
    if page.records.is_empty() {
        return Content::Strays;
    }
    Content::Page(page)
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

/// Error objects have no such id.
fn has_id(element: &str) -> bool {
    element.starts_with('{')
        && serde_json::Deserializer::from_str(element)
            .deserialize_map(Identity)
            .unwrap_or(false)
}

struct Identity;

impl<'de> Visitor<'de> for Identity {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        let mut has_id = false;
        while let Some(names_it) = fields.next_key_seed(IsIdName)? {
            if names_it {
                let value: &RawValue = fields.next_value()?;
                has_id |= value
                    .get()
                    .starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit());
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(has_id)
    }
}

struct IsIdName;

impl<'de> DeserializeSeed<'de> for IsIdName {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<bool, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for IsIdName {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(["sessionId", "conversationId"]
            .iter()
            .any(|id| key.eq_ignore_ascii_case(id)))
    }
}
