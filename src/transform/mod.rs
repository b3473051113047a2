//! Turns a raw record into rows or a rejection. Pure: no clock, network or SQL.

pub mod bounds;
mod cell;
mod clean;
mod coerce;
mod content;
mod drift;
pub mod facts;
mod fields;
mod ids;
mod instant;
mod json_text;
pub mod normal_form;
pub mod privacy;
mod raw;
mod reader;
mod record;
mod shadow;
mod table;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use cell::Cell;
pub use coerce::FieldKind;
pub use content::{ContentHash, RowGroup};
pub use drift::Drift;
pub use fields::{
    AgentSegment, Consultation, Destination, JoinedUser, Response, Session, TABLES, Tag, TagScope,
};
pub use ids::{Ids, records_in};
pub use instant::{QUARTER_SECONDS, TOLERANCE_SECONDS, seconds_of_id, whole_quarters};
pub use json_text::JsonText;
pub use raw::{RawRecord, RecordText};
pub use table::{Field, Table, TableRow};

use crate::json::JsonError;
use bounds::Bounds;
use ids::LONGEST_ID;
use privacy::{Identifier, Policy};
use reader::Notes;

/// Part of every content hash; raise it when a record gives other rows.
pub const TRANSFORM_VERSION: u32 = 2;

#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub account_id: &'a str,
    /// Minutes, negative east of Greenwich.
    pub time_zone_offset: i32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Interaction {
    /// See [`Ids::key`].
    pub key: Uuid,
    pub rows: Rows,
    /// Of the rows, without warnings.
    pub content_hash: ContentHash,
    /// After the privacy rules.
    pub payload: String,
    /// Of the customer, before the privacy rules.
    pub identifiers: Vec<Identifier>,
    pub drift: Vec<Drift>,
}

/// In key order.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Rows {
    pub session: Session,
    pub destinations: Vec<Destination>,
    pub agent_segments: Vec<AgentSegment>,
    pub consultations: Vec<Consultation>,
    pub joined_users: Vec<JoinedUser>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Without values of the record.
    pub reason: Cow<'static, str>,
    pub key: Option<Uuid>,
    /// Of all records in it.
    pub ids: Vec<Ids>,
    /// The record or a part, after the privacy rules.
    pub payload: String,
    pub identifiers: Vec<Identifier>,
    /// If it is too large.
    pub record_bytes: Option<u64>,
    /// SHA-256, equal if the rejection repeats.
    pub payload_hash: [u8; 32],
}

impl Interaction {
    pub fn note_unreadable(&mut self, characters: u64) {
        let warning = format!(
            "{}: {characters} characters that could not be read were replaced by U+FFFD",
            clean::WHOLE_RECORD
        );
        self.rows.session.warnings.insert(0, warning);
    }

    /// Only the first read knows warnings about receipt.
    pub fn keep_warnings_of_receipt(&mut self, earlier: &[String]) {
        let warnings = &mut self.rows.session.warnings;
        let is_of_receipt = |warning: &str| warning.split(':').next() == Some(clean::WHOLE_RECORD);
        let of_receipt = earlier
            .iter()
            .filter(|warning| is_of_receipt(warning) && !warnings.contains(warning));
        let of_receipt: Vec<String> = of_receipt.cloned().collect();
        warnings.splice(0..0, of_receipt);
    }
}

/// Reads one record.
///
/// # Errors
/// The record is too large, no object, or lacks id or start.
pub fn transform(
    record: &RecordText<'_>,
    origin: Origin<'_>,
    policy: &Policy,
) -> Result<Interaction, Box<Rejected>> {
    within(Bounds::RECEIVED, record, origin, policy).map_err(Box::new)
}

/// As [`transform`], with wider limits.
pub fn transform_stored(
    record: &RecordText<'_>,
    origin: Origin<'_>,
    policy: &Policy,
) -> Result<Interaction, Box<Rejected>> {
    within(Bounds::STORED, record, origin, policy).map_err(Box::new)
}

/// Applies the privacy rules to stored text.
pub fn ruled(text: &str, policy: &Policy) -> String {
    if policy.keeps_all() {
        return text.to_owned();
    }
    let value = clean::parse(&RecordText::of(text), &Notes::new(0));
    policy
        .apply_to_any(value.unwrap_or_else(|_| text.into()))
        .to_string()
}

fn within(
    bounds: Bounds,
    raw: &RecordText<'_>,
    origin: Origin<'_>,
    policy: &Policy,
) -> Result<Interaction, Rejected> {
    if let Some(reason) = bounds.exceeded(raw) {
        return Err(Rejected::too_large(raw, reason, origin, policy));
    }
    let notes = Notes::new(origin.time_zone_offset);
    let record = match clean::parse(raw, &notes) {
        Ok(Value::Object(record)) => record,
        other => return Err(Rejected::unread(raw, &other, policy)),
    };
    let identifiers = policy.identifiers(|| privacy::values(&record));
    let ids = Ids::of(&record);
    let drift = drift::of(&record);
    let record = policy.apply(record);
    let payload = text_of(&record);
    let hints = privacy::hints(&record);
    let mut rows = match record::read(record, &notes) {
        Ok(rows) => rows,
        Err(reason) => {
            let payload = if policy.keeps_all() {
                raw.text().to_owned()
            } else {
                payload
            };
            return Err(Rejected {
                key: ids.check().is_ok().then(|| ids.key(origin.account_id)),
                ids: vec![ids],
                identifiers,
                ..Rejected::new(reason, payload)
            });
        }
    };
    rows.session.customer_hints = hints;
    let content_hash = content::hash(&rows);
    rows.session.warnings = notes.into_warnings();
    Ok(Interaction {
        key: ids.key(origin.account_id),
        rows,
        content_hash,
        payload,
        identifiers,
        drift,
    })
}

fn text_of(object: &Map<String, Value>) -> String {
    let mut text = serde_json::to_string(object).unwrap_or_default();
    // Whole windows of them are held in memory.
    text.shrink_to_fit();
    text
}

impl Rejected {
    /// `payload`: after the privacy rules.
    pub fn new(reason: impl Into<Cow<'static, str>>, payload: String) -> Self {
        Self {
            reason: reason.into(),
            key: None,
            ids: Vec::new(),
            identifiers: Vec::new(),
            record_bytes: None,
            payload_hash: Sha256::digest(&payload).into(),
            payload,
        }
    }

    fn unread(raw: &RecordText<'_>, value: &Result<Value, JsonError>, policy: &Policy) -> Self {
        let reason = match value {
            Ok(_) => "not an object",
            Err(JsonError::TooDeep) => "nested too deeply to be read",
            Err(JsonError::NoJson) => "not JSON",
        };
        let (ids, identifiers) = match value {
            Ok(value) => (
                Ids::all_in(value),
                policy.identifiers(|| privacy::values_of_any(value)),
            ),
            Err(_) => (
                Vec::new(),
                policy.identifiers(|| privacy::values_of_text(raw.text())),
            ),
        };
        Self {
            ids,
            identifiers,
            ..Self::new(reason, ruled(raw.text(), policy))
        }
    }

    fn too_large(raw: &RecordText<'_>, reason: String, origin: Origin<'_>, policy: &Policy) -> Self {
        let text = raw.text();
        let fields = bounds::small_fields(text);
        let rejected = if fields.is_empty() {
            Self {
                identifiers: policy.identifiers(|| privacy::values_of_text(bounds::around_beginning(text))),
                ..Self::of_part(bounds::beginning(text), reason, policy)
            }
        } else {
            let ids = Ids::of(&fields);
            Self {
                key: ids.check().is_ok().then(|| ids.key(origin.account_id)),
                ids: vec![ids],
                identifiers: policy.identifiers(|| privacy::values(&fields)),
                ..Self::of_part(&text_of(&fields), reason, policy)
            }
        };
        Self {
            record_bytes: Some(text.len() as u64),
            ..rejected
        }
    }

    /// Applies the privacy rules to `part`.
    pub fn of_part(part: &str, reason: String, policy: &Policy) -> Self {
        let payload = ruled(part, policy);
        let hash = Sha256::new().chain_update(&payload).chain_update(&reason);
        Self {
            payload_hash: hash.finalize().into(),
            ..Self::new(reason, payload)
        }
    }
}
