//! Keeps, hashes or drops personal data.

mod agents;
mod customer;
mod hash;
mod identifier;
mod rules;
mod tree;
mod wanted;

use std::collections::BTreeSet;

pub use identifier::{Identifier, IdentifierKind};
pub use tree::listed;
pub use wanted::{Wanted, Whose, value_of};

pub(super) use customer::{CustomerMatch, values, values_of_any, values_of_text};
pub(super) use identifier::hints;
pub(super) use rules::is_name;
pub(super) use tree::{Node, Privacy, RECORD, is_documented};

pub use crate::config::{Class, Policy, PrivacyKey, Rule};

impl Policy {
    /// Empty without a key.
    pub(super) fn identifiers<'a>(&self, found: impl FnOnce() -> Vec<CustomerMatch<'a>>) -> Vec<Identifier> {
        let Some(key) = &self.key else { return Vec::new() };
        let found = found();
        let forms = found
            .iter()
            .flat_map(|(holds, text)| identifier::normal_forms(*holds, text));
        let forms: BTreeSet<(IdentifierKind, String)> = forms.collect();
        let identifiers = forms.iter().map(|(kind, form)| Identifier::of(*kind, form, key));
        identifiers.collect()
    }
}
