//! Applies the privacy rules to a record before anything else reads it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::fields::Drift;
use super::super::{coerce, duration, shadow};
use super::agents::{Agents, is_id_field};
use super::fields::{Fields, META_INFO, Node, RECORD, find};
use super::hash::{Kind, hashed, is_token};
use super::{Class, Policy, Rule};

/// Longer keys are values.
const LONGEST_NAME: usize = 64;

/// Names with more digits are ids.
const MOST_DIGITS: usize = 4;

/// Other values may name an agent.
const REASONS: [&str; 5] = [
    "NO AGENTS AVAILABLE",
    "DROP-OFF",
    "Resolved",
    "Resolution",
    "Requires Supervisor Attention",
];

impl Policy {
    /// Whether a class is kept as sent.
    pub fn keeps(&self, class: Class) -> bool {
        self.rule(class) == Rule::Keep
    }

    /// Whether all classes are kept as sent.
    pub fn keeps_all(&self) -> bool {
        Class::ALL.iter().all(|class| self.keeps(*class))
    }

    /// Idempotent; also returns the unknown fields.
    pub(in super::super) fn apply(&self, record: Map<String, Value>) -> (Map<String, Value>, Vec<Drift>) {
        if self.keeps_all() {
            return (record, Vec::new());
        }
        let mut walk = Walk {
            policy: self,
            agents: Agents::of(&record),
            reasons: reasons(&record),
            path: Vec::new(),
            drift: Vec::new(),
        };
        let record = walk.object(record, &[RECORD]);
        (record, walk.drift)
    }

    pub(in super::super) fn apply_to_unknown(&self, value: Value) -> Value {
        match value {
            Value::Object(record) => Value::Object(self.apply(record).0),
            Value::Array(items) => items
                .into_iter()
                .map(|item| self.apply_to_unknown(item))
                .collect(),
            value => self
                .ruled(value, self.strictest(), Kind::Text)
                .unwrap_or_default(),
        }
    }

    pub(in super::super) fn apply_to_unreadable(&self, text: &str) -> Value {
        let ruled = self.ruled(text.into(), self.strictest(), Kind::Text);
        ruled.unwrap_or_else(|| Value::String(String::new()))
    }

    fn strictest(&self) -> Rule {
        let rules = Class::ALL.into_iter().map(|class| self.rule(class));
        rules.max().unwrap_or_default()
    }

    fn ruled(&self, value: Value, rule: Rule, kind: Kind) -> Option<Value> {
        match (rule, &self.key) {
            (Rule::Keep, _) => Some(value),
            (Rule::Hash, Some(key)) => Some(hashed(value, kind, key)),
            // Without a key nothing may pass.
            (Rule::Hash, None) | (Rule::Drop, _) => None,
        }
    }

    fn ruled_agent(&self, text: &str, kind: Kind) -> String {
        match self.ruled(text.into(), self.agent, kind) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        }
    }
}

fn reasons(record: &Map<String, Value>) -> BTreeSet<String> {
    let dispositions = record
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("dispositions"))
        .flat_map(|(_, value)| coerce::texts(value.clone(), coerce::label))
        .flatten();
    let seen = REASONS.into_iter().map(str::to_owned);
    seen.chain(dispositions).map(|word| word.to_lowercase()).collect()
}

struct Walk<'p> {
    policy: &'p Policy,
    agents: Agents,
    reasons: BTreeSet<String>,
    path: Vec<&'static str>,
    drift: Vec<Drift>,
}

impl Walk<'_> {
    fn object(&mut self, object: Map<String, Value>, fields: &[Fields]) -> Map<String, Value> {
        let kept = object.into_iter().filter_map(|(name, value)| {
            let Some((known, node)) = fields.iter().find_map(|fields| find(fields, &name)) else {
                self.note(&name, &value);
                return self.unknown(name, value);
            };
            self.path.push(known);
            let value = self.value(value, node);
            self.path.pop();
            Some((name, value))
        });
        kept.collect()
    }

    fn note(&mut self, name: &str, value: &Value) {
        if self.path.first() != Some(&META_INFO) {
            self.drift.extend(Drift::of(&self.path.join("."), name, value));
        }
    }

    /// The name may be a value, too.
    fn unknown(&self, name: String, value: Value) -> Option<(String, Value)> {
        let rule = self.policy.free_text;
        let value = if is_id_field(&name) {
            self.policy
                .ruled(value, rule.max(self.policy.agent), Kind::UserId)?
        } else {
            self.classed(value, Class::FreeText, Kind::Text)?
        };
        let name = if rule == Rule::Hash && !is_name(&name) {
            self.policy
                .ruled(name.into(), rule, Kind::Text)?
                .as_str()?
                .to_owned()
        } else {
            self.masked_name(name)?
        };
        Some((name, value))
    }

    /// Dropped values become `null`: a row may depend on them.
    fn value(&mut self, value: Value, node: Node) -> Value {
        match (node, value) {
            (Node::Personal(class, kind), value) => self.classed(value, class, kind).unwrap_or_default(),
            (_, Value::Null) => Value::Null,
            (node, Value::Array(items)) => {
                // Indices are row keys.
                let items = items.into_iter().map(|item| self.value(item, node));
                Value::Array(items.collect())
            }
            (Node::Object(fields) | Node::ObjectOr(fields, _), Value::Object(object)) => {
                Value::Object(self.object(object, &[fields]))
            }
            (Node::Both(one, other), Value::Object(object)) => {
                Value::Object(self.object(object, &[one, other]))
            }
            (Node::ObjectOr(_, lone), value) => self.value(value, *lone),
            (Node::ChannelUser, value) => self.channel_user(value),
            (Node::Reason, value) => self.reason(value),
            (node, value) if is_readable(node, &value) => match node {
                Node::Plain => self.masked(value),
                _ => value,
            },
            // Sums may depend on a value being unreadable.
            (_, Value::Object(object)) if object.is_empty() => Value::Object(object),
            (Node::Flag | Node::Integer | Node::Number | Node::Duration | Node::Instant, value) => {
                let ruled = self.classed(value, Class::FreeText, Kind::Text);
                ruled.unwrap_or_else(|| Value::Object(Map::new()))
            }
            (_, value) => self
                .classed(value, Class::FreeText, Kind::Text)
                .unwrap_or_default(),
        }
    }

    fn channel_user(&self, value: Value) -> Value {
        let is_shadow = value
            .as_str()
            .is_some_and(|id| shadow::conversation_of(id).is_some());
        if is_shadow {
            return self.masked(value);
        }
        self.classed(value, Class::Customer, Kind::UserId)
            .unwrap_or_default()
    }

    fn reason(&self, value: Value) -> Value {
        let is_known =
            |word: &str| word.trim().is_empty() || self.reasons.contains(&word.trim().to_lowercase());
        match value {
            Value::String(word) if is_known(&word) => self.masked(word.into()),
            Value::String(word) if self.policy.keeps(Class::FreeText) => {
                let agent = |name: &str| self.policy.ruled_agent(name, Kind::Name);
                let word = if self.policy.keeps(Class::Agent) {
                    word
                } else {
                    self.agents.replace_names(&word, agent)
                };
                self.masked(word.into())
            }
            value => self
                .classed(value, Class::FreeText, Kind::Text)
                .unwrap_or_default(),
        }
    }

    /// For agent ids the stricter rule wins.
    fn classed(&self, value: Value, class: Class, kind: Kind) -> Option<Value> {
        let rule = self.policy.rule(class);
        if rule == Rule::Drop {
            return None;
        }
        if let Value::Array(items) = value {
            let items = items
                .into_iter()
                .map(|item| self.classed(item, class, kind).unwrap_or_default());
            return Some(Value::Array(items.collect()));
        }
        if self.is_agent(&value, class) {
            return self
                .policy
                .ruled(value, rule.max(self.policy.agent), Kind::UserId);
        }
        if rule == Rule::Keep {
            // Customer ids look like agent ids.
            return Some(if class == Class::Customer {
                value
            } else {
                self.masked(value)
            });
        }
        self.policy.ruled(value, rule, kind)
    }

    fn is_agent(&self, value: &Value, class: Class) -> bool {
        let is_agent = |text: &str| match class {
            Class::Agent => false,
            Class::Customer => self.agents.is_known(text),
            Class::Network | Class::FreeText | Class::TagValues => self.agents.is_id(text),
        };
        match value {
            Value::String(text) => !is_token(text) && is_agent(text),
            Value::Number(number) => is_agent(&number.to_string()),
            _ => false,
        }
    }

    fn masked(&self, value: Value) -> Value {
        if self.policy.keeps(Class::Agent) {
            return value;
        }
        match value {
            Value::String(text) => {
                let masked = self
                    .agents
                    .replace_ids(&text, |id| self.policy.ruled_agent(id, Kind::UserId));
                if masked.is_empty() && !text.is_empty() {
                    Value::Null
                } else {
                    Value::String(masked.into_owned())
                }
            }
            Value::Array(items) => items.into_iter().map(|item| self.masked(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter().filter_map(|(name, field)| {
                    let field = if is_id_field(&name) {
                        self.classed(field, Class::Agent, Kind::UserId)
                            .unwrap_or_default()
                    } else {
                        self.masked(field)
                    };
                    Some((self.masked_name(name)?, field))
                });
                Value::Object(fields.collect())
            }
            value if self.is_agent(&value, Class::FreeText) => self
                .policy
                .ruled(value, self.policy.agent, Kind::UserId)
                .unwrap_or_default(),
            value => value,
        }
    }

    fn masked_name(&self, name: String) -> Option<String> {
        if self.policy.keeps(Class::Agent) {
            return Some(name);
        }
        let masked = self
            .agents
            .replace_ids(&name, |id| self.policy.ruled_agent(id, Kind::UserId));
        (!masked.is_empty() || name.is_empty()).then(|| masked.into_owned())
    }
}

fn is_readable(node: Node, value: &Value) -> bool {
    match node {
        Node::Key | Node::Plain => !value.is_object(),
        Node::Flag => coerce::flag(value).is_ok(),
        Node::Integer => coerce::integer(value).is_ok(),
        Node::Number => coerce::is_number(value),
        Node::Duration => duration::is_one(value),
        Node::Instant => coerce::instant(value, 0).is_ok(),
        Node::Personal(..)
        | Node::Object(_)
        | Node::ObjectOr(..)
        | Node::Both(..)
        | Node::ChannelUser
        | Node::Reason => false,
    }
}

pub(in super::super) fn is_name(key: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    key.len() <= LONGEST_NAME
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(is_part)
        && key.chars().filter(char::is_ascii_digit).count() <= MOST_DIGITS
}
