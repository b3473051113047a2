use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Node, Privacy, RECORD};
use crate::transform::normal_form::number_text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Holds {
    Id,
    Email,
    Phone,
    /// Text outside a record.
    Anything,
}

pub(in super::super) type CustomerMatch<'a> = (Holds, Cow<'a, str>);

fn holds(privacy: Privacy) -> Option<Holds> {
    match privacy {
        Privacy::CustomerId | Privacy::ChannelUser => Some(Holds::Id),
        Privacy::CustomerPhone => Some(Holds::Phone),
        Privacy::CustomerEmail => Some(Holds::Email),
        _ => None,
    }
}

const NAMES_OF_IDS: &[&str] = &["id", "_id", "userid", "user_id", "val", "value"];

/// The direction tells which end of a call is the customer.
pub(in super::super) fn values(record: &Map<String, Value>) -> Vec<CustomerMatch<'_>> {
    let mut fields = Vec::new();
    add_known(&RECORD, record, &mut fields);
    let is_it = |text: &str| text.trim().eq_ignore_ascii_case("outbound");
    let is_outbound = fields
        .iter()
        .any(|(field, value)| field.name == "Direction" && any_text(value, &is_it));
    let others: &[&str] = if is_outbound {
        &["caller"]
    } else {
        &["callee", "dialedNumber"]
    };
    let mut found = Vec::new();
    for (field, value) in fields {
        if let Some(holds) = holds(field.privacy)
            && !others.contains(&field.name)
        {
            add_texts(holds, value, &mut found);
        }
    }
    found
}

pub(in super::super) fn values_of_any(value: &Value) -> Vec<CustomerMatch<'_>> {
    match value {
        Value::Object(record) => values(record),
        Value::Array(items) => items.iter().flat_map(values_of_any).collect(),
        value => {
            let mut found = Vec::new();
            add_texts(Holds::Anything, value, &mut found);
            found
        }
    }
}

/// Field names may be values too.
pub(super) fn any_text(value: &Value, is_wanted: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::String(text) => is_wanted(text),
        Value::Number(number) => is_wanted(&number_text(number)),
        Value::Array(items) => items.iter().any(|item| any_text(item, is_wanted)),
        Value::Object(object) => object
            .iter()
            .any(|(name, value)| is_wanted(name) || any_text(value, is_wanted)),
    }
}

fn add_known<'a>(
    node: &'static Node,
    object: &'a Map<String, Value>,
    fields: &mut Vec<(&'static Node, &'a Value)>,
) {
    for (name, value) in object {
        match (node.find(name), value) {
            (None, _) => {}
            (Some(field), value) if field.parts.is_empty() => fields.push((field, value)),
            (Some(part), Value::Object(object)) => add_known(part, object, fields),
            // A list in a list is no list of objects.
            (Some(part), Value::Array(items)) => {
                let objects = items.iter().filter_map(Value::as_object);
                objects.for_each(|object| add_known(part, object, fields));
            }
            _ => {}
        }
    }
}

fn add_texts<'a>(holds: Holds, value: &'a Value, found: &mut Vec<CustomerMatch<'a>>) {
    match value {
        Value::String(text) => found.push((holds, text.into())),
        Value::Number(number) => found.push((holds, number_text(number).into())),
        Value::Array(items) => items.iter().for_each(|item| add_texts(holds, item, found)),
        Value::Object(object) => {
            for (name, value) in object {
                let is_id = NAMES_OF_IDS.contains(&name.to_ascii_lowercase().as_str());
                if holds != Holds::Id || is_id {
                    add_texts(holds, value, found);
                } else {
                    add_texts(Holds::Phone, value, found);
                    add_texts(Holds::Email, value, found);
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}
