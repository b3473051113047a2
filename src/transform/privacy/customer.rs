//! Finds the values that identify a customer.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::normal_form::number_text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    Email,
    Phone,
    /// Text outside a record.
    Text,
}

pub(super) type Found<'a> = (Field, Cow<'a, str>);

const NAMES_OF_IDS: &[&str] = &["id", "_id", "userid", "user_id", "val", "value"];

/// The direction tells which end of a call is the customer.
pub(super) fn values(record: &Map<String, Value>) -> Vec<Found<'_>> {
    let meta = objects(record, "metaInfo");
    let mut customers = objects(record, "customerinfo");
    customers.extend(meta.iter().flat_map(|meta| objects(meta, "customerinfo")));
    let is_outbound = std::iter::once(&record)
        .chain(&customers)
        .flat_map(|object| each(object, "Direction"))
        .filter_map(Value::as_str)
        .any(|direction| direction.trim().eq_ignore_ascii_case("outbound"));
    let mut found = Vec::new();
    let mut add = |field, object, name| {
        for value in each(object, name) {
            add_texts(field, value, &mut found);
        }
    };
    for name in ["userId", "channelSpecificUserId"] {
        add(Field::Id, record, name);
    }
    for customer in customers {
        add(Field::Phone, customer, "CustomerPhone");
        add(Field::Email, customer, "CustomerEmail");
    }
    let ends: &[&str] = if is_outbound {
        &["callee", "dialedNumber"]
    } else {
        &["caller"]
    };
    for meta in meta {
        for name in ["userId", "_id"] {
            add(Field::Id, meta, name);
        }
        for name in ["email", "emailId"] {
            add(Field::Email, meta, name);
        }
        for name in ["endUserNumber", "phoneNumber"].iter().chain(ends) {
            add(Field::Phone, meta, name);
        }
        for identity in objects(meta, "identities") {
            add(Field::Id, identity, "val");
        }
    }
    found
}

pub(super) fn values_of_any(value: &Value) -> Vec<Found<'_>> {
    match value {
        Value::Object(record) => values(record),
        Value::Array(items) => items.iter().flat_map(values_of_any).collect(),
        value => {
            let mut found = Vec::new();
            add_texts(Field::Text, value, &mut found);
            found
        }
    }
}

/// Field names may be values, too.
pub(super) fn any_text(value: &Value, is_wanted: &mut impl FnMut(&str) -> bool) -> bool {
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

fn objects<'a>(object: &'a Map<String, Value>, name: &str) -> Vec<&'a Map<String, Value>> {
    each(object, name).filter_map(Value::as_object).collect()
}

fn each<'a>(object: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    let named = object
        .iter()
        .filter(move |(key, _)| key.eq_ignore_ascii_case(name));
    let items: Vec<&Value> = named
        .flat_map(|(_, value)| match value {
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        })
        .collect();
    items.into_iter()
}

fn add_texts<'a>(field: Field, value: &'a Value, found: &mut Vec<Found<'a>>) {
    match value {
        Value::String(text) => found.push((field, text.into())),
        Value::Number(number) => found.push((field, number_text(number).into())),
        Value::Array(items) => items.iter().for_each(|item| add_texts(field, item, found)),
        Value::Object(object) => {
            for (name, value) in object {
                let is_id = NAMES_OF_IDS.contains(&name.to_ascii_lowercase().as_str());
                if field != Field::Id || is_id {
                    add_texts(field, value, found);
                } else {
                    add_texts(Field::Phone, value, found);
                    add_texts(Field::Email, value, found);
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}
