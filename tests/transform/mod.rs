//! What becomes of a record: every shape that the API is known to send, and everything else.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "what tests share may fail as a test does, and takes `json!` as it comes"
)]

mod agents_named;
mod content_hash;
mod destinations;
mod drift;
mod hostile;
mod identity;
mod instants;
mod nothing;
mod page;
mod privacy;
mod properties;
mod rejected_lists;
mod session;
mod shapes_of_all_versions;
mod tags;
mod unstorable;
mod variations;

use serde_json::{Value, json};
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Interaction, Origin, RecordText, Rows, transform};

fn raw(text: impl Into<String>) -> RecordText<'static> {
    RecordText::of(text.into())
}

/// A bot-only session of one field: when it started. Then `fields`.
fn session_with(fields: Value) -> Value {
    let mut session = json!({"sessionId": "s-1", "sessionStartTime": "2026-03-10T12:00:00"});
    for (name, value) in fields.as_object().unwrap() {
        session[name] = value.clone();
    }
    session
}

/// Where a record came from that was asked for at this offset.
fn origin(time_zone_offset: i32) -> Origin<'static> {
    Origin {
        account_id: "acct",
        time_zone_offset,
    }
}

/// What becomes of a record that was asked for at offset 0.
fn read(record: &Value) -> Interaction {
    transform(&raw(record.to_string()), origin(0), &Policy::default()).unwrap()
}

/// The id that a reader of a test knows a record by.
fn id(interaction: &Interaction) -> &str {
    let session = &interaction.rows.session;
    session
        .conversation_id
        .as_ref()
        .or(session.session_id.as_ref())
        .unwrap()
}

/// The rows of a session with these fields.
fn rows_of(fields: Value) -> Rows {
    read(&session_with(fields)).rows
}

/// A list of texts, as a column holds it.
fn texts(list: &[&str]) -> Vec<Option<String>> {
    list.iter().map(|text| Some((*text).to_owned())).collect()
}
