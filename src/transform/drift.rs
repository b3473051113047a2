use serde_json::{Map, Value};

use super::coerce::{FieldKind, is_nothing};
use super::privacy::{Node, RECORD, is_name};

/// Without its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Drift {
    /// Such as `destinations[].respondingAgent.mood`.
    pub path: String,
    pub json_type: &'static str,
}

pub(super) fn of(record: &Map<String, Value>) -> Vec<Drift> {
    let mut drift = Vec::new();
    add(&RECORD, "", record, &mut drift);
    drift
}

fn add(known: &Node, path: &str, object: &Map<String, Value>, drift: &mut Vec<Drift>) {
    for (name, value) in object {
        match (known.find(name), value) {
            (None, value) => drift.extend(unknown(path, name, value)),
            // Bots define the fields of some objects.
            (Some(part), _) if part.parts.is_empty() || part.kind == FieldKind::Json => {}
            (Some(part), Value::Object(within)) => add(part, &format!("{path}{}.", part.name), within, drift),
            (Some(part), Value::Array(items)) => {
                let path = format!("{path}{}[].", part.name);
                let objects = items.iter().filter_map(Value::as_object);
                objects.for_each(|within| add(part, &path, within, drift));
            }
            _ => {}
        }
    }
}

/// Hides a name that may be a value.
fn unknown(path: &str, name: &str, value: &Value) -> Option<Drift> {
    let json_type = match value {
        value if is_nothing(value) => return None,
        Value::Null => return None,
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let name = if is_name(name) { name } else { "*" };
    Some(Drift {
        path: format!("{path}{name}"),
        json_type,
    })
}
