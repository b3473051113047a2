//! Collects a record's agents, to recognize them in other fields.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::transform::reader::named;

/// Shorter ids may be ordinary words.
const SHORTEST_ID: usize = 4;

/// Lengths of groups after `u-`: the API drops leading zeros.
const GROUPS: [(usize, usize); 5] = [(7, 8), (4, 4), (4, 4), (4, 4), (8, 12)];

#[derive(Debug, Default)]
pub(super) struct Agents {
    ids: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl Agents {
    pub(super) fn of(record: &Map<String, Value>) -> Self {
        let mut agents = Self::default();
        for (place, with_names) in [("destinations", true), ("metaInfo", false)] {
            named(record, place).for_each(|value| agents.collect(value, with_names));
        }
        agents
    }

    fn collect(&mut self, value: &Value, with_names: bool) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, with_names)),
            Value::Object(fields) => {
                for (name, field) in fields {
                    let is_name = with_names && name.eq_ignore_ascii_case("name");
                    if with_names && name.eq_ignore_ascii_case("JoinedUsers") {
                        self.collect_names(field);
                    }
                    match text_of(field) {
                        Some(id) if is_agent_id(name) && id.len() >= SHORTEST_ID => drop(self.ids.insert(id)),
                        Some(name) if is_name => drop(self.names.insert(name.to_lowercase())),
                        _ => self.collect(field, with_names),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn collect_names(&mut self, value: &Value) {
        if let Value::Array(items) = value {
            items.iter().for_each(|item| self.collect_names(item));
        }
        self.names.extend(text_of(value).map(|name| name.to_lowercase()));
    }

    pub(super) fn is_known(&self, text: &str) -> bool {
        self.ids.contains(text.trim())
    }

    pub(super) fn is_id(&self, text: &str) -> bool {
        self.is_known(text) || has_form(text.trim())
    }

    pub(super) fn replace_ids(&self, mut text: String, replaced: impl Fn(&str) -> String) -> String {
        for id in self.ids.iter().filter(|id| !id.chars().all(is_of_word)) {
            text = text.replace(id.as_str(), &replaced(id));
        }
        let words = text.split_inclusive(|c| !is_of_word(c)).map(|piece| {
            let word = piece.trim_end_matches(|c| !is_of_word(c));
            let after = &piece[word.len()..];
            if self.is_id(word) {
                replaced(word) + after
            } else {
                piece.to_owned()
            }
        });
        words.collect()
    }

    pub(super) fn replace_names(&self, text: &str, replaced: impl Fn(&str) -> String) -> String {
        let parts = text.split(':').map(|part| {
            let is_name = self.names.contains(&part.trim().to_lowercase());
            if is_name {
                replaced(part.trim())
            } else {
                part.to_owned()
            }
        });
        parts.collect::<Vec<_>>().join(":")
    }
}

pub(super) fn is_agent_id(name: &str) -> bool {
    name.eq_ignore_ascii_case("agentId")
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn has_form(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let fits = |(group, (shortest, longest)): (&&str, &(usize, usize))| {
        (*shortest..=*longest).contains(&group.len())
            && group.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    groups.len() == GROUPS.len() + 1
        && groups[0].eq_ignore_ascii_case("u")
        && groups[1..].iter().zip(&GROUPS).all(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "u-3ea001b4-664a-58b6-8108-b8bca375aaaa";

    fn agents(record: &Value) -> Agents {
        Agents::of(record.as_object().unwrap())
    }

    #[test]
    fn an_id_is_known_by_its_form_or_from_its_record() {
        let known = agents(&json!({
            "Destinations": [{"nonRespondingAgents": [{"agentId": "a-77"}], "agentId": 4711}],
            "metaInfo": {"customData": {"agentId": " jane@example.com "}}, "agentId": "elsewhere",
        }));
        for id in [
            ID,
            "u-fb8994f9-3a52-58ed-8f73-81204e7aaaa",
            "U-4609817-3a52-58ed-8f73-81204e7aaaaa",
            "a-77",
            "4711",
            "jane@example.com",
        ] {
            assert!(known.is_id(id), "{id}");
        }
        for other in [
            "",
            "u-",
            "elsewhere",
            "c-3ea001b4-664a-58b6-8108-b8bca375aaaa",
            "u-3ea001b4-664a-58b6-8108",
            "471",
            &format!("{ID}-1"),
        ] {
            assert!(!known.is_id(other), "{other}");
        }
    }

    #[test]
    fn ids_within_a_text_are_replaced_and_nothing_else() {
        let known = agents(&json!({"destinations": [{"agentId": "a-77"}, {"agentId": "jo@example.com"}]}));
        let masked = |text: &str| known.replace_ids(text.to_owned(), |_| "X".to_owned());
        assert_eq!(
            masked(&format!("given to {ID}, then (a-77)/jo@example.com.")),
            "given to X, then (X)/X."
        );
        for text in ["", "a-777 and u-boat", "wörter – ohne"] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn a_name_between_colons_is_replaced() {
        let known = agents(
            &json!({"destinations": [{"name": "Jane Doe", "respondingAgent": {"name": "Ann"}}], "name": "Billing"}),
        );
        let masked = |text: &str| known.replace_names(text, |_| "X".to_owned());
        assert_eq!(masked("Billing:jane doe"), "Billing:X");
        assert_eq!(masked("Ann"), "X");
        assert_eq!(masked("Annual review: Jane"), "Annual review: Jane");
    }
}
