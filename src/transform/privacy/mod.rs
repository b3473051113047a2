//! What of a person is kept, hashed or dropped, before anything is stored or logged.

mod agents;
mod apply;
mod customer;
mod fields;
mod fingerprint;
mod hash;
mod identifier;
mod key;
mod old_form;
mod wanted;

pub use fields::listed;
pub use identifier::{Identifier, IdentifierKind};
pub use key::Key;
pub use wanted::{Wanted, Whose};

pub(super) use apply::is_name;
pub(super) use fields::is_documented;

use serde_json::{Map, Value};

/// What is done with the values of a class; the later one is stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// They stay as sent.
    #[default]
    Keep,
    /// They become a keyed hash: equal values stay equal, and nothing else is left of them.
    Hash,
    /// They go.
    Drop,
}

impl Rule {
    /// The rule of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "keep" => Some(Self::Keep),
            "hash" => Some(Self::Hash),
            "drop" => Some(Self::Drop),
            _ => None,
        }
    }
}

/// A class of personal data. `docs/privacy.md` lists the fields of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Phones, names, e-mail addresses and user ids of customers.
    Customer,
    /// Ids, names and e-mail addresses of agents, and of whom they consulted.
    Agent,
    /// Addresses of machines.
    Network,
    /// What people wrote or said, and every field that is not known.
    FreeText,
    /// Values of tags.
    TagValues,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 5] = [
        Self::Customer,
        Self::Agent,
        Self::Network,
        Self::FreeText,
        Self::TagValues,
    ];

    /// As the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Network => "network",
            Self::FreeText => "free_text",
            Self::TagValues => "tag_values",
        }
    }
}

/// `privacy.*`: a rule for each class, and the key that hashes are made with.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the rule of the class of that name")]
pub struct Policy {
    pub customer: Rule,
    pub agent: Rule,
    pub network: Rule,
    pub free_text: Rule,
    pub tag_values: Rule,
    /// What values are hashed with; also by which erased customers are recognized.
    pub key: Option<Key>,
}

impl Policy {
    /// The rule for a class.
    pub fn rule(&self, class: Class) -> Rule {
        match class {
            Class::Customer => self.customer,
            Class::Agent => self.agent,
            Class::Network => self.network,
            Class::FreeText => self.free_text,
            Class::TagValues => self.tag_values,
        }
    }

    /// What identifies the customer of a record, to recognize erased ones; nothing without a key.
    pub(super) fn identifiers(&self, record: &Map<String, Value>) -> Vec<Identifier> {
        let key = self.key.as_ref();
        key.map(|key| identifier::identifiers(record, key))
            .unwrap_or_default()
    }

    /// The same of what is no record, but perhaps a list of some.
    pub(super) fn identifiers_in(&self, value: &Value) -> Vec<Identifier> {
        let key = self.key.as_ref();
        key.map(|key| identifier::identifiers_in(value, key))
            .unwrap_or_default()
    }

    /// The same of a text that cannot be taken apart.
    pub(super) fn identifiers_in_text(&self, text: &str) -> Vec<Identifier> {
        let key = self.key.as_ref();
        key.map(|key| identifier::identifiers_in_text(text, key))
            .unwrap_or_default()
    }

    /// The rule for a class, to be set.
    pub fn rule_mut(&mut self, class: Class) -> &mut Rule {
        match class {
            Class::Customer => &mut self.customer,
            Class::Agent => &mut self.agent,
            Class::Network => &mut self.network,
            Class::FreeText => &mut self.free_text,
            Class::TagValues => &mut self.tag_values,
        }
    }
}
