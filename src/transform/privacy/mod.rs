//! Keeps, hashes or drops personal data, by class of the field, as in `docs/privacy.md`; unlisted ones are free text.

mod agents;
mod customer;
mod identifier;
mod rules;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::coerce::FieldKind;
use super::fields::TABLES;
use super::normal_form::{emails, number_text, phone_of_id, phones, user_id};

pub use identifier::{Identifier, IdentifierKind, Wanted, Whose, value_of};

pub(super) use customer::{values, values_of_any};
pub(super) use identifier::{hints, is_shadow_channel, shadowed_conversation};
pub(super) use rules::{REASONS, is_name};

pub use crate::config::{Class, Policy, PrivacyKey, Rule};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// Not personal, if it can be read.
    Keep,
    /// Only fields within are known.
    Object,
    /// Plain if it is a known reason or a disposition, else free text.
    Reason,
    /// A customer id, or a shadow's conversation.
    ChannelUser,
    CustomerId,
    CustomerPhone,
    /// Has the class, but identifies no customer.
    CenterPhone,
    CustomerEmail,
    CustomerName,
    AgentId,
    AgentEmail,
    AgentName,
    Address,
    FreeText,
    TagValue,
}

impl Privacy {
    /// `None`: depends on the value.
    fn class(self) -> Option<(Class, Hashing)> {
        match self {
            Self::Keep | Self::Object | Self::Reason | Self::ChannelUser => None,
            Self::CustomerId => Some((Class::Customer, Hashing::UserId)),
            Self::CustomerPhone | Self::CenterPhone => Some((Class::Customer, Hashing::Phone)),
            Self::CustomerEmail => Some((Class::Customer, Hashing::Email)),
            Self::CustomerName => Some((Class::Customer, Hashing::Name)),
            Self::AgentId => Some((Class::Agent, Hashing::UserId)),
            Self::AgentEmail => Some((Class::Agent, Hashing::Email)),
            Self::AgentName => Some((Class::Agent, Hashing::Name)),
            Self::Address => Some((Class::Network, Hashing::Address)),
            Self::FreeText => Some((Class::FreeText, Hashing::Text)),
            Self::TagValue => Some((Class::TagValues, Hashing::TagValue)),
        }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    privacy: Privacy,
    pub(super) kind: FieldKind,
    pub(super) parts: Vec<Node>,
}

pub(super) static RECORD: LazyLock<Node> = LazyLock::new(|| {
    let mut record = Node::of("");
    for table in TABLES {
        for place in table.places {
            let row = record.at(place);
            for field in table.fields {
                let node = row.at(field.path);
                (node.privacy, node.kind) = (field.privacy, field.kind);
            }
            let lone = table.lone.and_then(|lone| row.find(lone));
            row.privacy = lone.map_or(row.privacy, |lone| lone.privacy);
        }
    }
    record
});

impl Node {
    fn of(name: &'static str) -> Self {
        Self {
            name,
            privacy: Privacy::Object,
            kind: FieldKind::Text,
            parts: Vec::new(),
        }
    }

    fn at(&mut self, path: &'static str) -> &mut Self {
        let names = path.split('.').filter(|name| !name.is_empty());
        names.fold(self, |node, name| {
            let known = node.parts.iter().position(|part| part.name == name);
            let place = known.unwrap_or_else(|| {
                node.parts.push(Self::of(name));
                node.parts.len() - 1
            });
            &mut node.parts[place]
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Self> {
        self.parts
            .iter()
            .find(|part| part.name.eq_ignore_ascii_case(name))
    }

    fn list(&self, path: &str, listed: &mut Vec<(String, Option<Class>)>) {
        for part in &self.parts {
            let path = format!("{path}{}", part.name);
            match part.privacy {
                Privacy::Object => {}
                Privacy::ChannelUser => listed.push((path.clone(), Some(Class::Customer))),
                Privacy::Reason => listed.push((path.clone(), Some(Class::FreeText))),
                privacy => listed.push((path.clone(), privacy.class().map(|(class, _)| class))),
            }
            part.list(&format!("{path}."), listed);
        }
    }
}

/// `None`: always kept.
pub fn listed() -> Vec<(String, Option<Class>)> {
    let mut listed = Vec::new();
    RECORD.list("", &mut listed);
    listed
}

const TOKEN: &str = "hmac:";

/// Hashes of different purposes differ.
const TOKEN_PURPOSE: &str = "smartassist-etl value";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hashing {
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

    fn tokens(self, value: &str, key: &PrivacyKey) -> Vec<String> {
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
fn hashed(value: Value, hashing: Hashing, key: &PrivacyKey) -> Value {
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

fn is_token(text: &str) -> bool {
    text.starts_with(TOKEN) && text.split(' ').all(|token| kind_of_token(token).is_some())
}

fn kind_of_token(token: &str) -> Option<&str> {
    let (kind, digits) = token.strip_prefix(TOKEN)?.split_once(':')?;
    let is_kind = kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (is_kind && digits.len() == 64 && digits.bytes().all(is_digit)).then_some(kind)
}

fn token(key: &PrivacyKey, kind: &str, form: &str) -> String {
    format!("{TOKEN}{kind}:{}", hex(&key.digest(TOKEN_PURPOSE, kind, form)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
