use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::section::Section;

const NAME: &str = "smartassist-etl key";

/// Shorter keys are guessable.
const MIN_KEY_BYTES: usize = 32;

/// Ordered by strictness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// As sent.
    #[default]
    Keep,
    /// Keyed hash.
    Hash,
    Drop,
}

const RULES: [(&str, Rule); 3] = [("keep", Rule::Keep), ("hash", Rule::Hash), ("drop", Rule::Drop)];

macro_rules! classes {
    ($($(#[$doc:meta])* $class:ident = $field:ident,)*) => {
        /// Listed in `docs/privacy.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Class { $($(#[$doc])* $class,)* }

        impl Class {
            pub const ALL: [Self; [$(Self::$class),*].len()] = [$(Self::$class),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$class => stringify!($field),)* }
            }
        }

        #[derive(Debug, Clone, Default)]
        pub struct Policy {
            $(pub $field: Rule,)*
            pub key: Option<PrivacyKey>,
        }

        impl Policy {
            pub fn rule(&self, class: Class) -> Rule {
                match class { $(Class::$class => self.$field,)* }
            }

            pub fn rule_mut(&mut self, class: Class) -> &mut Rule {
                match class { $(Class::$class => &mut self.$field,)* }
            }
        }
    };
}

classes! {
    Customer = customer,
    Agent = agent,
    /// Machine addresses.
    Network = network,
    /// Text and unknown fields.
    FreeText = free_text,
    TagValues = tag_values,
}

impl Policy {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let mut policy = Self::default();
        for class in Class::ALL {
            let rule = section.required_choice(class.as_str(), &RULES);
            *policy.rule_mut(class) = rule.unwrap_or_default();
        }
        let secret = section.long_secret("key", MIN_KEY_BYTES)?;
        let hashes = Class::ALL.iter().any(|class| policy.rule(*class) == Rule::Hash);
        if hashes && secret.is_none() {
            let problem = "is required where a class is hashed; make one with: openssl rand -hex 32";
            return section.invalid("key", problem);
        }
        let secret = secret.and_then(|secret| secret.read().ok());
        policy.key = secret.map(|secret| PrivacyKey::new(secret.expose_secret()));
        Some(policy)
    }
}

#[derive(Clone)]
pub struct PrivacyKey(Hmac<Sha256>);

impl fmt::Debug for PrivacyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivacyKey(..)")
    }
}

impl PrivacyKey {
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
