//! Applies the privacy rules to a record before anything else reads it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::agents::{Agents, is_agent_id};
use super::identifier::shadowed_conversation;
use super::{Class, Hashing, Node, Policy, Privacy, RECORD, Rule, hashed, is_token};
use crate::transform::coerce::{self, Coerce, FieldKind};
use crate::transform::reader::named;

const FREE_TEXT: (Class, Hashing) = (Class::FreeText, Hashing::Text);
const AGENT_ID: (Class, Hashing) = (Class::Agent, Hashing::UserId);

/// Longer keys are values.
const LONGEST_NAME: usize = 64;

/// Names with more digits are ids.
const MOST_DIGITS: usize = 4;

/// Other values may name an agent.
pub(in crate::transform) const REASONS: [&str; 5] = [
    "NO AGENTS AVAILABLE",
    "DROP-OFF",
    "Resolved",
    "Resolution",
    "Requires Supervisor Attention",
];

impl Policy {
    pub fn keeps(&self, class: Class) -> bool {
        self.rule(class) == Rule::Keep
    }

    pub fn keeps_all(&self) -> bool {
        Class::ALL.iter().all(|class| self.keeps(*class))
    }

    /// Idempotent.
    pub(in super::super) fn apply(&self, record: Map<String, Value>) -> Map<String, Value> {
        if self.keeps_all() {
            return record;
        }
        let walk = Walk {
            policy: self,
            agents: Agents::of(&record),
            reasons: reasons(&record),
        };
        walk.object(record, &RECORD)
    }

    /// What is no record gets the strictest rule.
    pub(in super::super) fn apply_to_any(&self, value: Value) -> Value {
        match value {
            Value::Object(record) => Value::Object(self.apply(record)),
            Value::Array(items) => items.into_iter().map(|item| self.apply_to_any(item)).collect(),
            value => {
                let nothing = if value.is_string() { "".into() } else { Value::Null };
                let rules = Class::ALL.into_iter().map(|class| self.rule(class));
                let strictest = rules.max().unwrap_or_default();
                self.ruled(value, strictest, Hashing::Text).unwrap_or(nothing)
            }
        }
    }

    fn ruled(&self, value: Value, rule: Rule, kind: Hashing) -> Option<Value> {
        match (rule, &self.key) {
            (Rule::Keep, _) => Some(value),
            (Rule::Hash, Some(key)) => Some(hashed(value, kind, key)),
            // Without a key nothing may pass.
            (Rule::Hash, None) | (Rule::Drop, _) => None,
        }
    }

    fn ruled_agent(&self, text: &str, kind: Hashing) -> String {
        match self.ruled(text.into(), self.agent, kind) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        }
    }
}

fn is_exact(kind: FieldKind) -> bool {
    use FieldKind::{Duration, Flag, Instant, Integer, Number};
    matches!(kind, Flag | Integer | Number | Duration | Instant)
}

fn reasons(record: &Map<String, Value>) -> BTreeSet<String> {
    let dispositions = named(record, "dispositions").flat_map(|value| {
        let labels = Vec::<Option<String>>::coerce(&mut value.clone(), FieldKind::Labels, 0);
        labels.unwrap_or_default()
    });
    let known = REASONS.into_iter().map(str::to_owned);
    let words = known.chain(dispositions.flatten());
    words.map(|word| word.to_lowercase()).collect()
}

struct Walk<'p> {
    policy: &'p Policy,
    agents: Agents,
    reasons: BTreeSet<String>,
}

impl Walk<'_> {
    fn object(&self, object: Map<String, Value>, known: &Node) -> Map<String, Value> {
        let kept = object
            .into_iter()
            .filter_map(|(name, value)| match known.find(&name) {
                Some(node) => Some((name, self.value(value, node))),
                None => self.unknown(name, value),
            });
        kept.collect()
    }

    /// The name may be a value too.
    fn unknown(&self, name: String, value: Value) -> Option<(String, Value)> {
        let rule = self.policy.free_text;
        let value = if is_agent_id(&name) {
            self.policy
                .ruled(value, rule.max(self.policy.agent), Hashing::UserId)?
        } else {
            self.classed(value, FREE_TEXT)?
        };
        let name = if rule == Rule::Hash && !is_name(&name) {
            self.policy
                .ruled(name.into(), rule, Hashing::Text)?
                .as_str()?
                .to_owned()
        } else {
            self.masked_text(name)?
        };
        Some((name, value))
    }

    /// Dropped values become `null`: a row may depend on the field.
    fn value(&self, value: Value, node: &Node) -> Value {
        let class = node.privacy.class();
        match value {
            value if let Some(class) = class.filter(|_| node.parts.is_empty()) => {
                self.classed(value, class).unwrap_or_default()
            }
            Value::Null => Value::Null,
            // Indices are row keys.
            Value::Array(items) => items.into_iter().map(|item| self.value(item, node)).collect(),
            Value::Object(object) if !node.parts.is_empty() => Value::Object(self.object(object, node)),
            value => match node.privacy {
                Privacy::ChannelUser => self.channel_user(value),
                Privacy::Reason => self.reason(value),
                // Sums may depend on a value being unreadable.
                _ if value == Value::Object(Map::new()) => value,
                Privacy::Keep if coerce::is_readable(&value, node.kind) => {
                    if is_exact(node.kind) || node.kind == FieldKind::Identity {
                        value
                    } else {
                        self.masked(value)
                    }
                }
                Privacy::Keep if is_exact(node.kind) => {
                    let ruled = self.classed(value, FREE_TEXT);
                    ruled.unwrap_or_else(|| Value::Object(Map::new()))
                }
                _ => self
                    .classed(value, class.unwrap_or(FREE_TEXT))
                    .unwrap_or_default(),
            },
        }
    }

    fn channel_user(&self, value: Value) -> Value {
        let is_shadow = |id| shadowed_conversation(id).is_some();
        if value.as_str().is_some_and(is_shadow) {
            return self.masked(value);
        }
        let class = (Class::Customer, Hashing::UserId);
        self.classed(value, class).unwrap_or_default()
    }

    fn reason(&self, value: Value) -> Value {
        let is_known =
            |word: &str| word.trim().is_empty() || self.reasons.contains(&word.trim().to_lowercase());
        match value {
            Value::String(word) if is_known(&word) => self.masked(word.into()),
            Value::String(word) if self.policy.keeps(Class::FreeText) && !self.policy.keeps(Class::Agent) => {
                let agent = |name: &str| self.policy.ruled_agent(name, Hashing::Name);
                self.masked(self.agents.replace_names(&word, agent).into())
            }
            value => self.classed(value, FREE_TEXT).unwrap_or_default(),
        }
    }

    /// For agent ids the stricter rule wins.
    fn classed(&self, value: Value, (class, hashing): (Class, Hashing)) -> Option<Value> {
        let rule = self.policy.rule(class);
        match value {
            _ if rule == Rule::Drop => None,
            Value::Array(items) => {
                let items = items.into_iter();
                let items = items.map(|item| self.classed(item, (class, hashing)).unwrap_or_default());
                Some(items.collect())
            }
            value if self.is_agent(&value, class) => {
                self.policy
                    .ruled(value, rule.max(self.policy.agent), Hashing::UserId)
            }
            // Customer ids look like agent ids.
            value if rule == Rule::Keep && class != Class::Customer => Some(self.masked(value)),
            value => self.policy.ruled(value, rule, hashing),
        }
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
        match value {
            value if self.policy.keeps(Class::Agent) => value,
            Value::String(text) => self.masked_text(text).map_or(Value::Null, Value::String),
            Value::Array(items) => items.into_iter().map(|item| self.masked(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter().filter_map(|(name, field)| {
                    let field = if is_agent_id(&name) {
                        self.classed(field, AGENT_ID).unwrap_or_default()
                    } else {
                        self.masked(field)
                    };
                    Some((self.masked_text(name)?, field))
                });
                fields.collect()
            }
            value if self.is_agent(&value, Class::FreeText) => {
                self.classed(value, AGENT_ID).unwrap_or_default()
            }
            value => value,
        }
    }

    fn masked_text(&self, text: String) -> Option<String> {
        if text.is_empty() || self.policy.keeps(Class::Agent) {
            return Some(text);
        }
        let masked = self
            .agents
            .replace_ids(text, |id| self.policy.ruled_agent(id, Hashing::UserId));
        Some(masked).filter(|masked| !masked.is_empty())
    }
}

pub(in super::super) fn is_name(key: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    key.len() <= LONGEST_NAME
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(is_part)
        && key.chars().filter(char::is_ascii_digit).count() <= MOST_DIGITS
}
