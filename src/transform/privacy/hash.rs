//! What a value becomes where its class is hashed.

use std::borrow::Cow;

use serde_json::Value;

use super::identifier::{IdentifierKind, kind_of, normalize};
use super::key::{Key, TOKEN};

/// What a value is: values of different kinds have different hashes, also where they are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An id that may be an e-mail address or a phone number, and is hashed as what it looks like.
    UserId,
    Email,
    Phone,
    Name,
    Address,
    TagValue,
    Text,
}

impl Kind {
    /// The kind that the hash says, and the one spelling of the value that is hashed.
    fn of(self, value: &str) -> (&'static str, Cow<'_, str>) {
        let identifier = match self {
            Self::UserId => kind_of(value),
            Self::Email => IdentifierKind::Email,
            Self::Phone => IdentifierKind::Phone,
            Self::Name => return ("name", value.trim().into()),
            Self::Address => return ("address", value.trim().to_lowercase().into()),
            Self::TagValue => return ("tag_value", value.into()),
            Self::Text => return ("text", value.into()),
        };
        // What is no phone number, like "anonymous", is hashed as it is.
        let normalized = normalize(identifier, value).unwrap_or_else(|| value.trim().to_owned());
        (identifier.as_str(), normalized.into())
    }
}

/// The hashed form of a value: a text or a number becomes a hash, a list one of each element, and
/// an object a list of one: what no column takes for an id must not become one. What says nothing stays, so does a yes or no, and so does what is a hash already: it
/// was received that way or hashed before, and rules can be applied any number of times.
pub(super) fn hashed(value: Value, kind: Kind, key: &Key) -> Value {
    let text = match value {
        Value::Null | Value::Bool(_) => return value,
        Value::Array(items) => {
            let items = items.into_iter().map(|item| hashed(item, kind, key));
            return Value::Array(items.collect());
        }
        Value::Object(_) => return hashed(Value::Array(vec![value.to_string().into()]), kind, key),
        Value::String(text) => text,
        Value::Number(_) => value.to_string(),
    };
    if text.trim().is_empty() || is_token(&text) {
        return Value::String(text);
    }
    let (kind, normalized) = kind.of(&text);
    Value::String(key.token(kind, &normalized))
}

/// Whether a text is what a value becomes by hashing.
pub(super) fn is_token(text: &str) -> bool {
    let digits = text
        .strip_prefix(TOKEN)
        .and_then(|rest| rest.split_once(':'))
        .filter(|(kind, _)| kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .map(|(_, digits)| digits.as_bytes());
    digits.is_some_and(|digits| {
        digits.len() == 64
            && digits
                .iter()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
