//! Hashes in place of values.

use std::collections::BTreeSet;

use serde_json::Value;

use super::identifier::IdentifierKind;
use super::{Class, Policy, PrivacyKey};
use crate::transform::normal_form::{emails, number_text, phone_of_id, phones, user_id};

const TOKEN: &str = "hmac:";

/// Hashes of different purposes differ.
const PURPOSE: &str = "smartassist-etl value";

/// Each kind has its own hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Hashing {
    /// As what it looks like.
    UserId,
    Email,
    Phone,
    Name,
    Address,
    TagValue,
    Text,
}

impl Hashing {
    fn is_identifier(self) -> bool {
        matches!(self, Self::UserId | Self::Email | Self::Phone)
    }

    pub(super) fn tokens(self, value: &str, key: &PrivacyKey) -> Vec<String> {
        let one = |text: &str| BTreeSet::from([text.to_owned()]);
        let (kind, mut forms) = match self {
            Self::UserId => of_id(value),
            Self::Email => (IdentifierKind::Email.as_str(), emails(value)),
            Self::Phone => (IdentifierKind::Phone.as_str(), phones(value)),
            Self::Name => ("name", one(value.trim())),
            Self::Address => ("address", one(&value.trim().to_lowercase())),
            Self::TagValue => ("tag_value", one(value)),
            Self::Text => ("text", one(value)),
        };
        if forms.is_empty() {
            forms = one(value.trim());
        }
        forms.iter().map(|form| token(key, kind, form)).collect()
    }
}

fn of_id(id: &str) -> (&'static str, BTreeSet<String>) {
    if let Some(phone) = phone_of_id(id) {
        return (IdentifierKind::Phone.as_str(), BTreeSet::from([phone]));
    }
    let emails = emails(id);
    let is_address = |email: &String| email.rsplit('@').next().is_some_and(|host| host.contains('.'));
    if emails.len() == 1 && emails.iter().all(is_address) {
        return (IdentifierKind::Email.as_str(), emails);
    }
    (IdentifierKind::UserId.as_str(), user_id(id).into_iter().collect())
}

/// Idempotent. An object becomes a list, which no column reads as an id.
pub(super) fn hashed(value: Value, hashing: Hashing, key: &PrivacyKey) -> Value {
    let text = match value {
        Value::Number(number) if hashing.is_identifier() => number_text(&number),
        Value::Null | Value::Bool(_) => return value,
        Value::Array(items) => {
            let items = items.into_iter().map(|item| hashed(item, hashing, key));
            return Value::Array(items.collect());
        }
        Value::Object(_) => return hashed(Value::Array(vec![value.to_string().into()]), hashing, key),
        Value::String(text) => text,
        Value::Number(_) => value.to_string(),
    };
    if text.trim().is_empty() || is_token(&text) {
        return Value::String(text);
    }
    Value::String(hashing.tokens(&text, key).join(" "))
}

pub(super) fn is_token(text: &str) -> bool {
    text.starts_with(TOKEN) && text.split(' ').all(|token| kind_of_token(token).is_some())
}

pub(super) fn kind_of_token(token: &str) -> Option<&str> {
    let (kind, digits) = token.strip_prefix(TOKEN)?.split_once(':')?;
    let is_kind = kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (is_kind && digits.len() == 64 && digits.bytes().all(is_digit)).then_some(kind)
}

pub(super) fn token(key: &PrivacyKey, kind: &str, form: &str) -> String {
    format!("{TOKEN}{kind}:{}", hex(&key.digest(PURPOSE, kind, form)))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Policy {
    /// Equal fingerprints mean equal results.
    pub fn fingerprint(&self) -> String {
        let rules = Class::ALL.map(|class| format!("{} {:?}, ", class.as_str(), self.rule(class)));
        let key = self
            .key
            .as_ref()
            .map_or("no key".to_owned(), |key| hex(&key.id()[..8]));
        rules.concat() + &key
    }
}
