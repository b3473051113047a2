//! Turns a raw record into rows or a rejection. Pure: no clock, network or SQL.

mod coerce;
pub mod facts;
mod fields;
mod instant;
pub mod normal_form;
pub mod privacy;
mod raw;
mod reader;
mod record;
mod record_text;
mod table;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgArgumentBuffer;
use uuid::Uuid;

pub use coerce::FieldKind;
pub use fields::{
    AgentSegment, Consultation, Destination, JoinedUser, Response, Session, TABLES, Tag, TagScope,
};
pub use instant::{QUARTER_SECONDS, TOLERANCE_SECONDS, seconds_of_id, whole_quarters};
pub use raw::{Ids, RawRecord, records_in};
pub use record::Drift;
pub use record_text::{LARGEST_RECORD, MOST_VALUES, RecordText};
pub use table::{Field, JsonText, Jsonb, Table, TableRow, put};

use privacy::{Identifier, Policy};
use raw::LONGEST_ID;
use reader::Notes;

/// Part of every content hash; raise it when a record gives other rows.
pub const TRANSFORM_VERSION: i32 = 2;

#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub account_id: &'a str,
    /// Minutes, negative east of Greenwich.
    pub time_zone_offset: i32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Interaction {
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// The record after the privacy rules, or only its ids.
    pub payload: String,
    pub identifiers: Vec<Identifier>,
    /// If only its ids are kept.
    pub record_bytes: Option<u64>,
    /// SHA-256, equal if the rejection repeats.
    pub payload_hash: [u8; 32],
}

const DIGEST: usize = 16;

pub type ContentHash = [u8; 3 * DIGEST];

/// Rows that are overwritten together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowGroup {
    Session,
    /// And all rows below them.
    Destinations,
    Tags,
}

impl RowGroup {
    pub fn is_same(self, stored: &[u8], read: &ContentHash) -> bool {
        let start = self as usize * DIGEST;
        let digest = start..start + DIGEST;
        stored.get(digest.clone()) == Some(&read[digest])
    }
}

/// Rejects what is too large or deep, no object, or lacks id or start.
pub fn transform(
    record: &RecordText<'_>,
    origin: Origin<'_>,
    policy: &Policy,
) -> Result<Interaction, Box<Rejected>> {
    if let Some(reason) = record.excess() {
        return Err(Rejected::excessive(record, reason, origin).into());
    }
    transform_stored(record, origin, policy)
}

pub fn ruled(text: &str, policy: &Policy) -> String {
    if policy.keeps_all() {
        return text.to_owned();
    }
    let value = record_text::parse(&RecordText::of(text), &Notes::new(0));
    policy
        .apply_to_any(value.unwrap_or_else(|| text.into()))
        .to_string()
}

/// As [`transform`], of any size: privacy rules and PostgreSQL may have enlarged what was accepted.
pub fn transform_stored(
    raw: &RecordText<'_>,
    origin: Origin<'_>,
    policy: &Policy,
) -> Result<Interaction, Box<Rejected>> {
    let notes = Notes::new(origin.time_zone_offset);
    let record = match record_text::parse(raw, &notes) {
        Some(Value::Object(record)) => record,
        other => return Err(Rejected::no_object(raw, other, policy).into()),
    };
    let identifiers = policy.identifiers(|| privacy::values(&record));
    let ids = Ids::of(&record);
    let drift = record::drift(&record);
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
            return Err(Box::new(Rejected {
                key: ids.check().is_ok().then(|| ids.key(origin.account_id)),
                ids: vec![ids],
                identifiers,
                ..Rejected::new(reason, payload)
            }));
        }
    };
    rows.session.customer_hints = hints;
    let content_hash = content_hash(&rows);
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

    fn no_object(raw: &RecordText<'_>, value: Option<Value>, policy: &Policy) -> Self {
        let value = value.unwrap_or_else(|| raw.text().into());
        Self {
            ids: records_in(&value).into_iter().map(Ids::of).collect(),
            identifiers: policy.identifiers(|| privacy::values_of_any(&value)),
            ..Self::new("not an object", ruled(raw.text(), policy))
        }
    }

    /// Of what cannot be read, nothing is kept that may be personal.
    fn excessive(raw: &RecordText<'_>, reason: String, origin: Origin<'_>) -> Self {
        let ids = Ids::in_text(raw.text());
        let key = ids.check().is_ok().then(|| ids.key(origin.account_id));
        let ids = if key.is_some() { ids } else { Ids::default() };
        let payload = json!({"sessionId": ids.session_id, "conversationId": ids.conversation_id});
        let (payload, bytes) = (payload.to_string(), raw.text().len() as u64);
        let hash = Sha256::new()
            .chain_update(&payload)
            .chain_update(bytes.to_be_bytes());
        Self {
            key,
            ids: vec![ids],
            record_bytes: Some(bytes),
            payload_hash: hash.finalize().into(),
            ..Self::new(reason, payload)
        }
    }
}

/// Computed before warnings are added: privacy rules may drop what was replaced.
fn content_hash(rows: &Rows) -> ContentHash {
    let mut groups = [(); 3].map(|()| Sha256::new().chain_update(TRANSFORM_VERSION.to_be_bytes()));
    let [session, destinations, tags] = &mut groups;
    add_rows(session, std::slice::from_ref(&rows.session));
    add_rows(destinations, &rows.destinations);
    add_rows(destinations, &rows.agent_segments);
    add_rows(destinations, &rows.consultations);
    add_rows(destinations, &rows.joined_users);
    add_rows(tags, &rows.tags);
    let mut hash = [0; 3 * DIGEST];
    for (place, group) in hash.chunks_mut(DIGEST).zip(groups) {
        place.copy_from_slice(&group.finalize()[..DIGEST]);
    }
    hash
}

/// The number of rows keeps tables apart.
fn add_rows<R: TableRow>(hash: &mut Sha256, rows: &[R]) {
    hash.update((rows.len() as u64).to_be_bytes());
    let mut bytes = PgArgumentBuffer::default();
    rows.iter().for_each(|row| row.encode(&mut bytes));
    hash.update(&*bytes);
}
