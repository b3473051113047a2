//! The API's own ids of a record.

use serde_json::{Map, Value};

use super::coerce;
use super::fields::spellings;

/// Both ids of a record, in their normal form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ids {
    /// `sessionId`.
    pub session_id: Option<String>,
    /// `conversationId`.
    pub conversation_id: Option<String>,
}

impl Ids {
    /// Those of a record, read as its columns are.
    pub fn of(record: &Map<String, Value>) -> Self {
        let id = |name| {
            let mut values = spellings(record, name)
                .into_iter()
                .filter_map(|name| record.get(&name));
            values.find_map(|value| coerce::identity(value).ok().flatten())
        };
        Self {
            session_id: id("sessionId"),
            conversation_id: id("conversationId"),
        }
    }

    /// Those of every record in a value.
    pub fn all_in(value: &Value) -> Vec<Self> {
        records_in(value).into_iter().map(Self::of).collect()
    }
}

/// The records in a value: itself, or those in a list.
pub fn records_in(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(record) => vec![record],
        Value::Array(items) => items.iter().flat_map(records_in).collect(),
        _ => Vec::new(),
    }
}
