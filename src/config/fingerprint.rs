//! What a configuration was, to be compared with a later one: digests, so that no value, and no
//! secret, is kept for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The keys of a configuration, and a digest of each value.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Fingerprint(BTreeMap<String, Node>);

#[derive(Clone, PartialEq, Eq)]
enum Node {
    Value([u8; 32]),
    Table(Fingerprint),
}

impl Fingerprint {
    pub(super) fn of(tree: &Map<String, Value>) -> Self {
        let node = |value: &Value| match value {
            Value::Object(table) => Node::Table(Self::of(table)),
            value => Node::Value(Sha256::digest(value.to_string()).into()),
        };
        Self(
            tree.iter()
                .map(|(key, value)| (key.clone(), node(value)))
                .collect(),
        )
    }

    /// The paths of the keys whose values differ, in order. A table that only one of the two has is
    /// named by itself, without its keys.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let keys: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let differences = keys
            .into_iter()
            .flat_map(|key| match (self.0.get(key), other.0.get(key)) {
                (Some(Node::Table(one)), Some(Node::Table(other))) => {
                    let below = one.differences(other).into_iter();
                    below.map(|path| format!("{key}.{path}")).collect()
                }
                (one, other) if one == other => Vec::new(),
                _ => vec![key.clone()],
            });
        differences.collect()
    }
}

/// A digest of a short secret could be tried out, so not even that is shown.
impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
