//! Keeps, hashes or drops personal data, by class of the field, as in `docs/privacy.md`; unlisted ones are free text.

mod agents;
mod customer;
mod hash;
mod identifier;
mod rules;

use std::sync::LazyLock;

use super::coerce::FieldKind;
use super::fields::TABLES;
use hash::Hashing;

pub use identifier::{Identifier, IdentifierKind, Wanted, Whose, value_of};

pub(super) use customer::{values, values_of_any, values_of_text};
pub(super) use identifier::hints;
pub(super) use rules::is_name;

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

    /// Keeps only such fields, and what leads to them.
    fn only(&self, is_wanted: &impl Fn(&Self) -> bool) -> Self {
        let parts = self.parts.iter().filter_map(|part| {
            let left = part.only(is_wanted);
            let is_field = part.parts.is_empty();
            (is_field && is_wanted(part) || !left.parts.is_empty()).then_some(left)
        });
        Self {
            name: self.name,
            privacy: self.privacy,
            kind: self.kind,
            parts: parts.collect(),
        }
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
