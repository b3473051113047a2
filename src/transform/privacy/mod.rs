//! Keeps, hashes or drops personal data.

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
pub use wanted::{Wanted, Whose};

pub(super) use apply::is_name;
pub(super) use fields::is_documented;

pub use crate::config::{Class, Key, Policy, Rule};

use serde_json::{Map, Value};

impl Policy {
    /// Empty without a key.
    pub(super) fn identifiers(&self, record: &Map<String, Value>) -> Vec<Identifier> {
        let key = self.key.as_ref();
        key.map(|key| identifier::identifiers(record, key))
            .unwrap_or_default()
    }

    pub(super) fn identifiers_in(&self, value: &Value) -> Vec<Identifier> {
        let key = self.key.as_ref();
        key.map(|key| identifier::identifiers_in(value, key))
            .unwrap_or_default()
    }

    pub(super) fn identifiers_in_text(&self, text: &str) -> Vec<Identifier> {
        let key = self.key.as_ref();
        key.map(|key| identifier::identifiers_in_text(text, key))
            .unwrap_or_default()
    }
}
