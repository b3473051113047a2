//! The rules of a policy, applied to a whole record before anything is read from it: so rows,
//! `meta_info`, `extra`, the raw record and rejected text all hold the same.

use serde_json::{Map, Value};

use super::super::coerce;
use super::super::fields::Drift;
use super::fields::{Fields, META_INFO, Node, RECORD, find};
use super::hash::{Kind, hashed};
use super::{Class, Policy, Rule};

/// Names of fields are no longer than this; longer keys are values.
const LONGEST_NAME: usize = 64;

/// A name with more digits than this is an id.
const MOST_DIGITS: usize = 4;

impl Policy {
    /// Whether values of a class stay as sent.
    pub fn keeps(&self, class: Class) -> bool {
        self.rule(class) == Rule::Keep
    }

    /// Whether everything stays as sent.
    pub fn keeps_all(&self) -> bool {
        Class::ALL.iter().all(|class| self.keeps(*class))
    }

    /// The record after the rules, and the fields that are not known: of some nothing is left. Applying
    /// the rules again changes nothing.
    pub(in super::super) fn apply(&self, record: Map<String, Value>) -> (Map<String, Value>, Vec<Drift>) {
        if self.keeps_all() {
            return (record, Vec::new());
        }
        let mut unknown = Unknown {
            path: Vec::new(),
            drift: Vec::new(),
        };
        let record = self.object(record, &[RECORD], &mut unknown);
        (record, unknown.drift)
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
        fields: &[Fields],
        unknown: &mut Unknown,
    ) -> Map<String, Value> {
        let kept = object.into_iter().filter_map(|(name, value)| {
            let Some((known, node)) = fields.iter().find_map(|fields| find(fields, &name)) else {
                unknown.note(&name, &value);
                return self.unknown(name, value);
            };
            unknown.path.push(known);
            let value = self.value(value, node, unknown);
            unknown.path.pop();
            Some((name, value))
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

    /// A value of a known field. A dropped one becomes `null`: that there was something may be a row.
    fn value(&self, value: Value, node: Node, unknown: &mut Unknown) -> Value {
        match (node, value) {
            (Node::Personal(class, kind), value) => self.classed(value, class, kind).unwrap_or_default(),
            (_, Value::Null) => Value::Null,
            (node, Value::Array(items)) => {
                // Elements keep their place: it is part of their row's key.
                let items = items.into_iter().map(|item| self.value(item, node, unknown));
                Value::Array(items.collect())
            }
            (Node::Object(fields) | Node::ObjectOrPlain(fields), Value::Object(object)) => {
                Value::Object(self.object(object, &[fields], unknown))
            }
            (Node::Both(one, other), Value::Object(object)) => {
                Value::Object(self.object(object, &[one, other], unknown))
            }
            (node, value) if is_readable(node, &value) => value,
            (_, value) => self.apply_to_unknown(value),
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

/// The fields that are not known, as they turn up.
struct Unknown {
    /// Where we are: the names above.
    path: Vec<&'static str>,
    drift: Vec<Drift>,
}

impl Unknown {
    fn note(&mut self, name: &str, value: &Value) {
        if self.path.first() != Some(&META_INFO) {
            self.drift.extend(Drift::of(&self.path.join("."), name, value));
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
        Node::Personal(..) | Node::Object(_) | Node::Both(..) => false,
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
