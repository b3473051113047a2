//! From one raw record to rows, or to a rejection that says why not.
//!
//! Pure: no clock, no network, no SQL. The same record always gives the same rows, whatever
//! offset it was asked with.

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

/// Part of every content hash: raising it has every interaction rewritten when it is next read.
/// To be raised when the same record gives other rows than before.
pub const TRANSFORM_VERSION: u32 = 2;

/// Ids are part of B-tree entries, which PostgreSQL limits to about 2,700 bytes.
const LONGEST_ID: usize = 512;

/// Where a record came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The account, as configured.
    pub account_id: &'a str,
    /// Minutes, negative east of Greenwich, that it was asked with.
    pub time_zone_offset: i32,
}

/// One interaction, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Interaction {
    /// Its identity: of its account and both ids of the API, see [`Ids::key`].
    pub key: Uuid,
    /// Its rows in all tables.
    pub rows: Rows,
    /// SHA-256 over everything in the rows, and [`TRANSFORM_VERSION`].
    pub content_hash: [u8; 32],
    /// The record after the privacy rules, as JSON text that PostgreSQL can store.
    pub payload: String,
    /// What identifies its customer, from before the privacy rules; empty without a key.
    pub identifiers: Vec<Identifier>,
    /// The fields that are not known.
    pub drift: Vec<Drift>,
}

/// The rows of one interaction, each list in the order of its key.
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
    /// Why, without any value of the record.
    pub reason: Cow<'static, str>,
    /// The key that it would have as an interaction, where it has an id.
    pub key: Option<Uuid>,
    /// The API's own ids: of the record, or of those in a list.
    pub ids: Vec<Ids>,
    /// The record after the privacy rules, as far as they could be applied.
    pub payload: String,
    /// What identifies its customer, from before the privacy rules; empty without a key.
    pub identifiers: Vec<Identifier>,
    /// Its size, where it is too large: of such a one the payload is only a part.
    pub record_bytes: Option<u64>,
    /// SHA-256 of the payload, and of a part also of the reason, which has the size: the same record rejected again is the
    /// same rejection.
    pub payload_hash: [u8; 32],
}

impl Interaction {
    /// Says of characters that they could not be read when the record was received: what reads it here sees them replaced.
    pub fn note_unreadable(&mut self, characters: u64) {
        let warning = format!(
            "{}: {characters} characters that could not be read were replaced by U+FFFD",
            clean::WHOLE_RECORD
        );
        self.rows.session.warnings.insert(0, warning);
    }

    /// Keeps, of earlier warnings, those that only the record as received can give: what was replaced
    /// in it is not replaced again in the raw record.
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
/// The record is not an object, has no usable identity or no readable start.
pub fn transform(
    record: &RawRecord,
    origin: Origin<'_>,
    policy: &Policy,
) -> Result<Interaction, Box<Rejected>> {
    within(Bounds::RECEIVED, record, origin, policy)
}

/// As [`transform`], of a record that was received and stored before: it may have grown by the privacy rules.
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

/// What was received and stored, after the rules, also where no rows can be made of it.
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
    // Where unknown fields are not kept, only the rules saw them as they were.
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
    /// Whether neither an id nor a start tells it from an error object. What is too large or too deep may have an id.
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

    /// A record that is no object, or no JSON that can be read.
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

    /// A record of which nothing is built but its small fields.
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

    /// A part of a record, as it is kept by today's rules.
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

/// Covers the rows rather than the record, so that an interaction does not count as changed when
/// it was only asked for at another offset or spelled differently. Without the warnings: what
/// they are about is in `extra`, and that a character was replaced is only said the first time.
fn content_hash(rows: &Rows) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(TRANSFORM_VERSION.to_be_bytes());
    // Rows are plain data, which always has a JSON form.
    hash.update(serde_json::to_vec(rows).unwrap_or_default());
    hash.finalize().into()
}
