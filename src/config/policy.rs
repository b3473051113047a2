//! Privacy rules and key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const NAME: &str = "smartassist-etl key";

/// Ordered by strictness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// As sent.
    #[default]
    Keep,
    /// Keyed hash.
    Hash,
    /// Removed.
    Drop,
}

impl Rule {
    /// Parses a rule.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "keep" => Some(Self::Keep),
            "hash" => Some(Self::Hash),
            "drop" => Some(Self::Drop),
            _ => None,
        }
    }
}

/// Listed in `docs/privacy.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// About customers.
    Customer,
    /// About agents.
    Agent,
    /// Machine addresses.
    Network,
    /// Text and unknown fields.
    FreeText,
    /// Tag values.
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

    /// Configuration key.
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

/// `privacy.*`.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the rule of the class of that name")]
pub struct Policy {
    pub customer: Rule,
    pub agent: Rule,
    pub network: Rule,
    pub free_text: Rule,
    pub tag_values: Rule,
    pub key: Option<Key>,
}

impl Policy {
    /// A class's rule.
    pub fn rule(&self, class: Class) -> Rule {
        match class {
            Class::Customer => self.customer,
            Class::Agent => self.agent,
            Class::Network => self.network,
            Class::FreeText => self.free_text,
            Class::TagValues => self.tag_values,
        }
    }

    /// Mutable rule.
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

/// `privacy.key`.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

impl Key {
    /// Makes a key.
    pub fn new(secret: &str) -> Self {
        let key =
            Hmac::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| unreachable!("any length will do"));
        Self(key)
    }

    pub(crate) fn digest(&self, purpose: &str, kind: &str, value: &str) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in [purpose, kind] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Identifies the key without revealing it.
    pub fn id(&self) -> [u8; 32] {
        self.digest(NAME, "", "")
    }
}
