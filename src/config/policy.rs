//! What is done with personal data, by class, and the key that hashes are made with.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What separates the hash that names a key from those that it makes.
const NAME: &str = "smartassist-etl key";

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

/// `privacy.key`. It never shows in `Debug` output.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

impl Key {
    /// The key of this text.
    pub fn new(secret: &str) -> Self {
        // HMAC takes keys of any length, so there is no error to report.
        let key =
            Hmac::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| unreachable!("any length will do"));
        Self(key)
    }

    /// HMAC-SHA-256 of a value, apart for every purpose and kind.
    pub(crate) fn digest(&self, purpose: &str, kind: &str, value: &str) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in [purpose, kind] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// What tells this key from another one, and nothing of the key itself.
    pub fn id(&self) -> [u8; 32] {
        self.digest(NAME, "", "")
    }
}
