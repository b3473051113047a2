//! Hashes values of a class.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::super::normal_form::{emails, number_text, phone_of_id, phones, user_id};
use super::Key;
use super::identifier::IdentifierKind;
use super::key::TOKEN;

/// Each kind has its own hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Hashed as what it looks like.
    UserId,
    Email,
    Phone,
    Name,
    Address,
    TagValue,
    Text,
}

impl Kind {
    fn is_identifier(self) -> bool {
        matches!(self, Self::UserId | Self::Email | Self::Phone)
    }

    fn of(self, value: &str) -> (&'static str, Vec<Cow<'_, str>>) {
        let (kind, normalized) = match self {
            Self::UserId => of_id(value),
            Self::Email => (IdentifierKind::Email, emails(value)),
            Self::Phone => (IdentifierKind::Phone, phones(value)),
            Self::Name => return ("name", vec![value.trim().into()]),
            Self::Address => return ("address", vec![value.trim().to_lowercase().into()]),
            Self::TagValue => return ("tag_value", vec![value.into()]),
            Self::Text => return ("text", vec![value.into()]),
        };
        let normalized = if normalized.is_empty() {
            vec![value.trim().into()]
        } else {
            normalized.into_iter().map(Cow::Owned).collect()
        };
        (kind.as_str(), normalized)
    }
}

fn of_id(id: &str) -> (IdentifierKind, BTreeSet<String>) {
    if let Some(phone) = phone_of_id(id) {
        return (IdentifierKind::Phone, BTreeSet::from([phone]));
    }
    let emails = emails(id);
    let is_address = |email: &String| email.rsplit('@').next().is_some_and(|host| host.contains('.'));
    if emails.len() == 1 && emails.iter().all(is_address) {
        return (IdentifierKind::Email, emails);
    }
    (IdentifierKind::UserId, user_id(id).into_iter().collect())
}

pub(super) fn id_tokens(id: &str, key: &Key) -> Vec<String> {
    let (kind, normalized) = Kind::UserId.of(id);
    normalized.iter().map(|one| key.token(kind, one)).collect()
}

/// Idempotent. An object becomes a list, which no column reads as an id.
pub(super) fn hashed(value: Value, kind: Kind, key: &Key) -> Value {
    let text = match value {
        Value::Number(number) if kind.is_identifier() => number_text(&number),
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
    let tokens: Vec<String> = normalized.iter().map(|one| key.token(kind, one)).collect();
    Value::String(tokens.join(" "))
}

pub(super) fn is_token(text: &str) -> bool {
    text.starts_with(TOKEN) && text.split(' ').all(is_one_token)
}

pub(super) fn kind_of_token(token: &str) -> Option<&str> {
    let (kind, _) = token.strip_prefix(TOKEN)?.split_once(':')?;
    Some(kind)
}

fn is_one_token(text: &str) -> bool {
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
