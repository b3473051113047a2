use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::coerce;
use super::instant::seconds_of_id;
use super::reader::named;

/// PostgreSQL limits B-tree entries to about 2,700 bytes.
pub(super) const LONGEST_ID: usize = 512;

pub(super) const WITHOUT_ID: &str = "neither conversationId nor sessionId";

/// Normalized.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ids {
    pub session_id: Option<String>,
    pub conversation_id: Option<String>,
}

impl Ids {
    /// In rough time order; the same as SQL function `smartassist.interaction_key`.
    pub fn key(&self, account_id: &str) -> Uuid {
        let [conversation, session] =
            [&self.conversation_id, &self.session_id].map(|id| id.as_deref().unwrap_or_default());
        let mut hash = Sha256::new();
        for part in [account_id, conversation, session] {
            hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        if let Some(seconds) = seconds_of_id(session).and_then(|seconds| u32::try_from(seconds).ok()) {
            bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        }
        Builder::from_custom_bytes(bytes).into_uuid()
    }

    pub fn of(record: &Map<String, Value>) -> Self {
        let id = |name| named(record, name).find_map(|value| coerce::identity(value).ok().flatten());
        Self {
            session_id: id("sessionId"),
            conversation_id: id("conversationId"),
        }
    }

    /// Whether they fit a row.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let ids = [&self.session_id, &self.conversation_id].into_iter().flatten();
        match ids.map(String::len).max() {
            None => Err(WITHOUT_ID),
            Some(longest) if longest > LONGEST_ID => Err("an id is longer than 512 bytes"),
            Some(_) => Ok(()),
        }
    }

    /// Of every record in a value.
    pub fn all_in(value: &Value) -> Vec<Self> {
        records_in(value).into_iter().map(Self::of).collect()
    }
}

/// The record, or the records of a list.
pub fn records_in(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(record) => vec![record],
        Value::Array(items) => items.iter().flat_map(records_in).collect(),
        _ => Vec::new(),
    }
}
