//! A record as sent, with what is needed to prove its window; parsed later and alone.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::coerce::{self, Coerce, FieldKind};
use super::privacy::Policy;
use super::reader::{Notes, named};
use super::record_text::{self, RecordText};
use super::{Interaction, Origin, instant, record, transform};
use crate::json;

const IDS: [&str; 2] = ["sessionId", "conversationId"];
const START: &str = "sessionStartTime";
const END: &str = "sessionEndTime";
const STATUS: &str = "finalStatus";
const PROVING: [&str; 5] = [IDS[0], IDS[1], START, END, STATUS];

#[derive(Debug, Clone)]
pub struct RawRecord {
    /// From its ids, as [`Ids::key`]; without ids, from its text.
    pub identity: Uuid,
    pub is_conversation: bool,
    pub started_at: Option<DateTime<Utc>>,
    /// If readable, and not open.
    pub ended_at: Option<DateTime<Utc>>,
    pub sent: RecordText<'static>,
}

impl RawRecord {
    /// One pass over the text.
    /// Refuses what names no id, such as an error object, or has neither id nor start.
    pub fn of(sent: RecordText<'static>, origin: Origin<'_>) -> Result<Self, RecordText<'static>> {
        let Some(fields) = proving_fields(sent.text()) else {
            return Err(sent);
        };
        let ids = Ids::of(&fields);
        let instant = |name| -> Option<DateTime<Utc>> {
            first(&fields, name, FieldKind::Instant, origin.time_zone_offset)
        };
        let start_of_id = || instant::of_session_id(ids.session_id.as_deref()?);
        let started_at = instant(START).or_else(start_of_id);
        let status: Option<String> = first(&fields, STATUS, FieldKind::Label, 0);
        let is_open = |end: &DateTime<Utc>| record::is_open(status.as_deref(), started_at, *end);
        let has_id = ids != Ids::default();
        let names_id = fields.iter().any(|(name, value)| {
            IDS.iter().any(|id| name.eq_ignore_ascii_case(id)) && (value.is_string() || value.is_number())
        });
        if !names_id || (!has_id && started_at.is_none()) {
            return Err(sent);
        }
        let identity = if has_id {
            ids.key(origin.account_id)
        } else {
            of_text(sent.text())
        };
        Ok(Self {
            identity,
            is_conversation: ids.conversation_id.is_some(),
            started_at,
            ended_at: instant(END).filter(|end| !is_open(end)),
            sent,
        })
    }

    pub fn channel_and_queues(&self) -> (Option<String>, Vec<String>) {
        let origin = Origin {
            account_id: "",
            time_zone_offset: 0,
        };
        let Ok(Interaction { rows, .. }) = transform(&self.sent, origin, &Policy::default()) else {
            return (None, Vec::new());
        };
        let queues = rows.destinations.into_iter().filter_map(|row| row.queue_id);
        (rows.session.channel, queues.collect())
    }
}

fn first<T: Coerce + PartialEq>(fields: &Map<String, Value>, name: &str, kind: FieldKind, offset: i32) -> T {
    let values = named(fields, name).map(|value| T::coerce(&mut value.clone(), kind, offset));
    let mut read = values
        .filter_map(Result::ok)
        .filter(|value| *value != T::default());
    read.next().unwrap_or_default()
}

fn of_text(text: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(text)[..16]);
    Uuid::from_bytes(bytes)
}

fn proving_fields(text: &str) -> Option<Map<String, Value>> {
    let is_proving = |name: &str| PROVING.iter().any(|proving| name.eq_ignore_ascii_case(proving));
    let fields = json::fields(text)?.into_iter();
    let proving = fields.filter(|(name, _)| is_proving(name));
    let parsed = proving.filter_map(|(name, value)| {
        let value = record_text::parse(&RecordText::of(value.get()), &Notes::new(0))?;
        Some((name.into_owned(), value))
    });
    Some(parsed.collect())
}

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
        if let Some(seconds) = instant::seconds_of_id(session).and_then(|seconds| u32::try_from(seconds).ok())
        {
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

    pub(super) fn in_text(text: &str) -> Self {
        Self::of(&proving_fields(text).unwrap_or_default())
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        let ids = [&self.session_id, &self.conversation_id].into_iter().flatten();
        match ids.map(String::len).max() {
            None => Err(WITHOUT_ID),
            Some(longest) if longest > LONGEST_ID => Err("an id is longer than 512 bytes"),
            Some(_) => Ok(()),
        }
    }
}

pub fn records_in(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(record) => vec![record],
        Value::Array(items) => items.iter().flat_map(records_in).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin<'_> = Origin {
        account_id: "a",
        time_zone_offset: -330,
    };

    fn read(text: &str) -> Option<RawRecord> {
        RawRecord::of(RecordText::of(text.to_owned()), ORIGIN).ok()
    }

    #[test]
    fn identity_and_start_are_those_of_the_row() {
        for text in [
            r#"{"sessionId":" s-1 ","conversationId":"undefined","sessionStartTime":"2026-01-10T10:00:00"}"#,
            r#"{"SESSIONID":7,"ConversationId":"c","sessionstarttime":1768039200000,"sessionEndTime":"2026-01-10"}"#,
            r#"{"deep":[[[{"sessionId":"x"}]]],"session\u0049d":"6a0f31c100000000000b0710","sessionEndTime":"?"}"#,
            r#"{"sessionId":"a\ud800","sessionStartTime":{"$date":"2026-01-10T10:00:00Z"}}"#,
        ] {
            let raw = read(text).unwrap();
            let row = transform(&raw.sent, ORIGIN, &Policy::default()).unwrap();
            assert_eq!(raw.identity, row.key, "{text}");
            assert_eq!(
                raw.started_at,
                Some(row.rows.session.session_started_at),
                "{text}"
            );
            assert_eq!(raw.ended_at, row.rows.session.session_ended_at, "{text}");
            assert_eq!(raw.is_conversation, row.rows.session.conversation_id.is_some());
        }
    }

    #[test]
    fn what_has_neither_id_nor_start_is_no_record() {
        for text in [
            "null",
            "7",
            r#""sessionId""#,
            r#"[{"sessionId":"in a list"}]"#,
            r#"{"errors":[{"sessionId":"b"}]}"#,
            r#"{"sessionId":null,"sessionStartTime":"2026-01-10T10:00:00"}"#,
            r#"{"sessionId":{"of":1},"conversationId":[1],"sessionStartTime":"2026-01-10T10:00:00"}"#,
            r#"{"sessionStartTime":"2026-01-10T10:00:00"}"#,
            r#"{"sessionId":"undefined","conversationId":null}"#,
            r#"{"sessionId":""}"#,
        ] {
            assert!(read(text).is_none(), "{text}");
        }
        let without_id = r#"{"sessionId":"","sessionStartTime":"2026-01-10T10:00:00"}"#;
        let without_start = r#"{"sessionId":"s"}"#;
        assert_eq!(
            read(without_id).unwrap().identity,
            read(without_id).unwrap().identity
        );
        assert_eq!(read(without_start).unwrap().started_at, None);
    }
}
