//! A record as sent, with what is needed to prove its window; parsed later and alone.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::coerce::{Coerce, FieldKind};
use super::privacy::Policy;
use super::reader::{Notes, named};
use super::{Ids, Interaction, Origin, Rejected, clean, instant, record, transform};
use crate::json::{self, Extent};

const IDS: [&str; 2] = ["sessionId", "conversationId"];
const START: &str = "sessionStartTime";
const END: &str = "sessionEndTime";
const STATUS: &str = "finalStatus";
const PROVING: [&str; 5] = [IDS[0], IDS[1], START, END, STATUS];

/// Least memory of a parsed value.
const BYTES_OF_A_VALUE: usize = 20;

#[derive(Debug, Clone)]
pub struct RecordText<'a> {
    text: Cow<'a, str>,
    pub(super) extent: Extent,
}

impl<'a> RecordText<'a> {
    pub fn of(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        Self {
            extent: Extent::of(&text),
            text,
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Perhaps a few too many.
    pub fn values(&self) -> usize {
        self.extent.values
    }

    /// Least bytes of memory once parsed.
    pub fn weight(&self) -> usize {
        self.text.len().max(self.values() * BYTES_OF_A_VALUE)
    }
}

impl From<Box<RawValue>> for RecordText<'_> {
    fn from(element: Box<RawValue>) -> Self {
        Self::of(Box::<str>::from(element).into_string())
    }
}

#[derive(Debug, Clone)]
pub struct RawRecord {
    /// From its ids, as [`Ids::key`]; without ids, from its text.
    pub identity: Uuid,
    /// It has a conversation id.
    pub is_conversation: bool,
    /// If readable.
    pub started_at: Option<DateTime<Utc>>,
    /// If readable, and not open.
    pub ended_at: Option<DateTime<Utc>>,
    /// Characters replaced on receipt.
    pub unreadable: u64,
    pub sent: RecordText<'static>,
}

impl RawRecord {
    /// One pass over the text.
    ///
    /// # Errors
    /// The element is no record, such as an error object: it names no id, or has neither id nor start.
    pub fn of(
        sent: RecordText<'static>,
        unreadable: u64,
        origin: Origin<'_>,
    ) -> Result<Self, RecordText<'static>> {
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
            unreadable,
            sent,
        })
    }

    pub fn transform(&self, origin: Origin<'_>, policy: &Policy) -> Result<Interaction, Box<Rejected>> {
        let mut interaction = transform(&self.sent, origin, policy)?;
        if self.unreadable > 0 {
            interaction.note_unreadable(self.unreadable);
        }
        Ok(interaction)
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

/// The first spelling that has a value.
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
        let value = clean::parse(&RecordText::of(value.get()), &Notes::new(0)).ok()?;
        Some((name.into_owned(), value))
    });
    Some(parsed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin<'_> = Origin {
        account_id: "a",
        time_zone_offset: -330,
    };

    fn read(text: &str) -> Option<RawRecord> {
        RawRecord::of(RecordText::of(text.to_owned()), 0, ORIGIN).ok()
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
            let row = raw.transform(ORIGIN, &Policy::default()).unwrap();
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
