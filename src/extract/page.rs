//! The envelope of an answer: a total that may or may not be one, and raw records.

use std::fmt;
use std::ops::Range;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::charset::Text;
use super::envelope::{self, Envelope};

/// One record as the API sent it. It is parsed later, alone, so that it can only spoil itself.
pub type RawRecord = Box<RawValue>;

/// More elements than this are no page, whatever they are: a page has a hundred records, or a hundred of each of two
/// kinds. They are counted before any of them is kept.
const MOST_ELEMENTS: usize = 500;

/// One page of a window.
#[derive(Debug, Default)]
pub struct Page {
    /// `numResults`, where it is a number: the size of the page or of the whole window, nobody says.
    pub reported: Option<u64>,
    /// The records, in the order of the answer: the elements that have an id.
    pub records: Vec<RawRecord>,
    /// The elements that have none, such as an error object: they are not records, and nobody knows how many records
    /// they stand for.
    pub strays: Vec<RawRecord>,
    /// Places in `records`, each with how many of its characters could not be read.
    pub unreadable: Vec<(usize, u64)>,
}

/// What the text of an answer is.
#[derive(Debug)]
pub(super) enum Content {
    /// A page, with records or without.
    Page(Page),
    /// It says that there is nothing, but not as a page does.
    Nothing,
    /// A word, and no records.
    Message,
    /// Elements, none of which has an id.
    Strays,
    /// Nothing of this kind.
    Unknown,
}

/// Reads an answer.
///
/// A page that is read wrongly as holding nothing, or an error read as a record, would count as read and never be
/// asked for again. So `data` as a lone object is one record only with an id; elements none of which has an id are no
/// page; and no records beside an error are none either.
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
        // Without a list, only where it also says in a number that there is nothing.
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

/// A lone object without an id in place of a list.
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

/// Where a part of a text stands in it, in bytes.
fn span(part: &str, whole: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

/// The elements of a list; `None` where they are too many.
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

/// What tells a record from an error object: one of the ids that rows are keyed by, as a text or a number. Whether it
/// is one that a row can have is for the transform to say.
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

/// Whether a key is the name of an id, in whatever case, as the transform takes it.
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
