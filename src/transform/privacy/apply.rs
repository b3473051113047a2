//! The rules of a policy, applied to a whole record before anything is read from it: so rows,
//! `meta_info`, `extra`, the raw record and rejected text all hold the same.

use serde_json::{Map, Value};

use super::super::coerce;
use super::fields::{Node, RECORD, find};
use super::hash::{Kind, hashed};
use super::{Class, Policy, Rule};

/// Names of fields are no longer than this; longer keys are values.
const LONGEST_NAME: usize = 64;

/// A name with more digits than this is an id.
const MOST_DIGITS: usize = 4;

impl Policy {
    /// Whether everything stays as sent.
    pub fn keeps_all(&self) -> bool {
        Class::ALL.iter().all(|class| self.rule(*class) == Rule::Keep)
    }

    /// The record after the rules. Applying them again changes nothing.
    pub(in super::super) fn apply(&self, record: Map<String, Value>) -> Map<String, Value> {
        if self.keeps_all() {
            return record;
        }
        self.object(record, RECORD)
    }

    /// A text or value of which nothing is known after the rules: as free text. `null` where it is
    /// dropped.
    pub(in super::super) fn apply_to_unknown(&self, value: Value) -> Value {
        self.classed(value, Class::FreeText, Kind::Text)
            .unwrap_or(Value::Null)
    }

    /// A text that cannot be taken apart: it may hold data of every class, so the strictest rule
    /// decides. An empty text where it is dropped.
    pub(in super::super) fn apply_to_unreadable(&self, text: &str) -> Value {
        let has = |rule| Class::ALL.iter().any(|class| self.rule(*class) == rule);
        match &self.key {
            Some(key) if !has(Rule::Drop) => hashed(Value::String(text.to_owned()), Kind::Text, key),
            _ => Value::String(String::new()),
        }
    }

    fn object(
        &self,
        object: Map<String, Value>,
        fields: &'static [(&'static str, Node)],
    ) -> Map<String, Value> {
        let kept = object.into_iter().filter_map(|(name, value)| {
            let Some(node) = find(fields, &name) else {
                return self.unknown(name, value);
            };
            Some((name, self.value(value, node)?))
        });
        kept.collect()
    }

    /// A field that is not known. Its name may be a value, too.
    fn unknown(&self, name: String, value: Value) -> Option<(String, Value)> {
        let value = self.classed(value, Class::FreeText, Kind::Text)?;
        let name = match (self.free_text, &self.key) {
            (Rule::Hash, Some(key)) if !is_name(&name) => match hashed(name.into(), Kind::Text, key) {
                Value::String(name) => name,
                _ => return None,
            },
            _ => name,
        };
        Some((name, value))
    }

    /// `None` where nothing is left.
    fn value(&self, value: Value, node: Node) -> Option<Value> {
        match (node, value) {
            (Node::Personal(class, kind), value) => self.classed(value, class, kind),
            (_, Value::Null) => Some(Value::Null),
            (node, Value::Array(items)) => {
                // Elements keep their place: it is part of their row's key.
                let items = items
                    .into_iter()
                    .map(|item| self.value(item, node).unwrap_or(Value::Null));
                Some(Value::Array(items.collect()))
            }
            (Node::Object(fields) | Node::ObjectOrPlain(fields), Value::Object(object)) => {
                Some(Value::Object(self.object(object, fields)))
            }
            (node, value) if is_readable(node, &value) => Some(value),
            (_, value) => self.classed(value, Class::FreeText, Kind::Text),
        }
    }

    fn classed(&self, value: Value, class: Class, kind: Kind) -> Option<Value> {
        match (self.rule(class), &self.key) {
            (Rule::Keep, _) => Some(value),
            (Rule::Hash, Some(key)) => Some(hashed(value, kind, key)),
            // The configuration demands a key for hashing; without one nothing may pass.
            (Rule::Hash, None) | (Rule::Drop, _) => None,
        }
    }
}

/// Whether a value is what its field is meant to hold, and so says nothing else.
fn is_readable(node: Node, value: &Value) -> bool {
    match node {
        Node::Plain | Node::ObjectOrPlain(_) => !value.is_object(),
        Node::Flag => coerce::flag(value).is_ok(),
        Node::Integer => coerce::integer(value).is_ok(),
        Node::Instant => coerce::instant(value, 0).is_ok(),
        Node::Personal(..) | Node::Object(_) => false,
    }
}

/// Whether a key looks like the name of a field, and not like an id, a number or an address that
/// somebody used as one.
pub(in super::super) fn is_name(key: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    key.len() <= LONGEST_NAME
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(is_part)
        && key.chars().filter(char::is_ascii_digit).count() <= MOST_DIGITS
}
