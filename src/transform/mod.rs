//! Turns one raw record into rows or a rejection.
//!
//! Pure: no clock, network or SQL.

pub mod bounds;
mod clean;
mod coerce;
mod coercions;
mod destination;
mod duration;
mod fields;
mod ids;
mod instant;
pub mod normal_form;
pub mod privacy;
mod rows;
mod session;
mod shadow;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use coercions::{COERCIONS, Coercion};
pub use fields::Drift;
pub use ids::{Ids, records_in};
pub use instant::{QUARTER_SECONDS, TOLERANCE_SECONDS, seconds_of_id, whole_quarters};
pub use rows::{AgentSegment, Consultation, Destination, JoinedUser, Response, Session, Tag, TagScope};

use crate::extract::RawRecord;
use crate::json;
use bounds::Bounds;
use fields::Notes;
use privacy::{Class, Identifier, Policy};

/// Part of every content hash; raise it when a record gives other rows.
pub const TRANSFORM_VERSION: u32 = 2;

/// PostgreSQL limits B-tree entries to about 2,700 bytes.
const LONGEST_ID: usize = 512;

/// Origin of a record.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The configured account.
    pub account_id: &'a str,
    /// Minutes, negative east of Greenwich.
    pub time_zone_offset: i32,
}

/// One interaction, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Interaction {
    /// See [`Ids::key`].
    pub key: Uuid,
    /// Rows of all tables.
    pub rows: Rows,
    /// SHA-256 of the rows, without warnings.
    pub content_hash: [u8; 32],
    /// Record after the privacy rules.
    pub payload: String,
    /// Customer identifiers before the privacy rules.
    pub identifiers: Vec<Identifier>,
    /// Unknown fields.
    pub drift: Vec<Drift>,
}

/// Rows of one interaction, in key order.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each is the table of that name")]
pub struct Rows {
    pub session: Session,
    pub destinations: Vec<Destination>,
    pub agent_segments: Vec<AgentSegment>,
    pub consultations: Vec<Consultation>,
    pub joined_users: Vec<JoinedUser>,
    pub tags: Vec<Tag>,
}

/// A record that cannot become rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Reason, without values of the record.
    pub reason: Cow<'static, str>,
    /// Interaction key, if known.
    pub key: Option<Uuid>,
    /// Ids of all records in it.
    pub ids: Vec<Ids>,
    /// Record, or its part, after the privacy rules.
    pub payload: String,
    /// Customer identifiers before the privacy rules.
    pub identifiers: Vec<Identifier>,
    /// Size of a record that is too large.
    pub record_bytes: Option<u64>,
    /// SHA-256, equal for a repeated rejection.
    pub payload_hash: [u8; 32],
}

impl Interaction {
    /// Warns about characters replaced on receipt.
    pub fn note_unreadable(&mut self, characters: u64) {
        let warning = format!(
            "{}: {characters} characters that could not be read were replaced by U+FFFD",
            clean::WHOLE_RECORD
        );
        self.rows.session.warnings.insert(0, warning);
    }

    /// Keeps earlier warnings about receipt.
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
    record: &RawRecord,
    origin: Origin<'_>,
    policy: &Policy,
) -> Result<Interaction, Box<Rejected>> {
    within(Bounds::RECEIVED, record, origin, policy)
}

/// Reads a stored record, with wider limits.
///
/// # Errors
/// As [`transform`].
pub fn transform_stored(
    record: &RawRecord,
    origin: Origin<'_>,
    policy: &Policy,
) -> Result<Interaction, Box<Rejected>> {
    within(Bounds::STORED, record, origin, policy)
}

/// Stored text after the privacy rules.
pub fn ruled(text: &str, policy: &Policy) -> String {
    if policy.keeps_all() {
        return text.to_owned();
    }
    let ruled = match clean::parse(text, &Notes::new(0)) {
        Ok(value) => policy.apply_to_unknown(value),
        Err(_) => policy.apply_to_unreadable(text),
    };
    ruled.to_string()
}

fn within(
    bounds: Bounds,
    record: &RawRecord,
    origin: Origin<'_>,
    policy: &Policy,
) -> Result<Interaction, Box<Rejected>> {
    let text = record.get();
    if let Some(reason) = bounds.exceeded(text) {
        return Err(Rejected::too_large(text, reason, origin, policy).into());
    }
    let notes = Notes::new(origin.time_zone_offset);
    let record = match clean::parse(text, &notes) {
        Ok(Value::Object(record)) => record,
        other => return Err(Rejected::unread(text, other.ok(), policy).into()),
    };
    let identifiers = policy.identifiers(&record);
    let ids = Ids::of(&record);
    let (record, unknown) = policy.apply(record);
    let payload = serde_json::to_string(&record).map_err(|_| Rejected::unread(text, None, policy))?;
    let mut rows = match session::read(record, &notes) {
        Ok(rows) => rows,
        Err(unreadable) => {
            let payload = if policy.keeps_all() {
                text.to_owned()
            } else {
                payload
            };
            return Err(Box::new(Rejected {
                key: unreadable.ids.map(|ids| ids.key(origin.account_id)),
                ids: vec![ids],
                identifiers,
                ..Rejected::new(unreadable.reason, payload)
            }));
        }
    };
    let content_hash = content_hash(&rows);
    let (warnings, left) = notes.into_parts();
    // Only the rules saw dropped fields.
    let drift = if policy.keeps(Class::FreeText) {
        left
    } else {
        unknown
    };
    rows.session.warnings = warnings;
    Ok(Interaction {
        key: rows.session.ids().key(origin.account_id),
        rows,
        content_hash,
        payload,
        identifiers,
        drift,
    })
}

impl Rejected {
    /// Whether it has neither id nor start.
    pub fn is_no_record(&self) -> bool {
        self.reason == session::NO_RECORD
    }

    fn new(reason: &'static str, payload: String) -> Self {
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

    fn unread(text: &str, value: Option<Value>, policy: &Policy) -> Self {
        let reason = if value.is_some() {
            "not an object"
        } else {
            "nested too deeply to be read"
        };
        let ids = value.as_ref().map(Ids::all_in).unwrap_or_default();
        let identifiers = match &value {
            Some(value) => policy.identifiers_in(value),
            None => policy.identifiers_in_text(text),
        };
        let payload = match value {
            _ if policy.keeps_all() => text.to_owned(),
            Some(value) => policy.apply_to_unknown(value).to_string(),
            None => policy.apply_to_unreadable(text).to_string(),
        };
        Self {
            ids,
            identifiers,
            ..Self::new(reason, payload)
        }
    }

    fn too_large(text: &str, reason: String, origin: Origin<'_>, policy: &Policy) -> Self {
        let fields = bounds::small_fields(text).filter(|fields| !fields.is_empty());
        let Some(fields) = fields else {
            let rejected = Self::of_part(bounds::beginning(text), reason, policy);
            return Self {
                record_bytes: Some(text.len() as u64),
                identifiers: policy.identifiers_in_text(bounds::around_beginning(text)),
                ..rejected
            };
        };
        let rejected = Self::of_part(&Value::Object(fields.clone()).to_string(), reason, policy);
        Self {
            record_bytes: Some(text.len() as u64),
            key: session::ids(fields.clone()).map(|ids| ids.key(origin.account_id)),
            ids: vec![Ids::of(&fields)],
            identifiers: policy.identifiers(&fields),
            ..rejected
        }
    }

    /// Rejects a part of a record.
    pub fn of_part(part: &str, reason: String, policy: &Policy) -> Self {
        let payload = match json::parse(part) {
            _ if policy.keeps_all() => part.to_owned(),
            Ok(Value::Object(fields)) => Value::Object(policy.apply(fields).0).to_string(),
            Ok(Value::String(text)) => policy.apply_to_unreadable(&text).to_string(),
            _ => policy.apply_to_unreadable(part).to_string(),
        };
        let hash = Sha256::new().chain_update(&payload).chain_update(&reason);
        Self {
            reason: reason.into(),
            key: None,
            ids: Vec::new(),
            identifiers: Vec::new(),
            record_bytes: None,
            payload_hash: hash.finalize().into(),
            payload,
        }
    }
}

/// Warnings are left out: some appear only on receipt.
fn content_hash(rows: &Rows) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(TRANSFORM_VERSION.to_be_bytes());
    hash.update(serde_json::to_vec(rows).unwrap_or_default());
    hash.finalize().into()
}
