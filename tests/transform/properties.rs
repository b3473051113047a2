//! Whatever JSON comes: rows or a rejection, and nothing that PostgreSQL would refuse.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Rows, transform, transform_stored};

use super::{id, origin, raw};

/// Stands for personal data: it may be in rows, never in a warning or a reason.
const MARKER: &str = "+15550142";

/// The names of fields at all levels.
const NAMES: [&str; 40] = [
    "conversationId",
    "sessionId",
    "sessionStartTime",
    "sessionEndTime",
    "isVoicemail",
    "Direction",
    "reason",
    "Reason",
    "dispositions",
    "skills",
    "csatScore",
    "npsScore",
    "metaInfo",
    "agentTransferConfig",
    "lastIntentName",
    "customerinfo",
    "CustomerPhone",
    "campaigninfo",
    "attempt",
    "campaignRunDate",
    "contactListName",
    "destinations",
    "destinationType",
    "queueId",
    "CallbackOpted",
    "CallbackOptedTime",
    "EnterTime",
    "respondingAgent",
    "nonRespondingAgents",
    "agentId",
    "agentNotes",
    "interactionDuration",
    "assignedAt",
    "ConsultingAgents",
    "isMerged",
    "JoinedUsers",
    "snoozeinfo",
    "userleveltags",
    "name",
    "value",
];

/// Pieces of the inside of a JSON string, escapes as the text that they are.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(MARKER.to_owned()),
        Just(r"\u0000".to_owned()),
        Just(r"\ud800".to_owned()),
        Just(r"\uDFFF".to_owned()),
        Just(r"\ud83d\ude00".to_owned()),
        Just(r"\\".to_owned()),
        Just(r#"\""#.to_owned()),
        Just(r"\u0001\n".to_owned()),
        Just("\u{fffd}é😀".to_owned()),
        Just("AgentSegment".to_owned()),
        Just("NO".to_owned()),
        Just("2026-03-10T12:00:00".to_owned()),
        Just("Z".to_owned()),
        Just("x".repeat(600)),
        "[0-9:T+-]{0,12}",
        "[a-z ]{0,4}",
    ];
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn string() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("\"{text}\""))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => proptest::sample::select(&NAMES[..]).prop_map(|name| format!("\"{name}\"")),
        1 => proptest::sample::select(&NAMES[..]).prop_map(|name| format!("\"{}\"", name.to_uppercase())),
        1 => string(),
    ]
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec((key(), value), 0..8).prop_map(|fields| {
        let fields: Vec<String> = fields
            .into_iter()
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    })
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter_map("not JSON", |number| serde_json::to_string(&number).ok()),
        Just("1e999999".to_owned()),
        Just("-0.0".to_owned()),
        string(),
    ];
    leaf.prop_recursive(6, 96, 6, |inner| {
        let list = vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![1 => list, 2 => object(inner)]
    })
}

/// An object that has an id and a start, so that it becomes rows unless other fields undo that.
pub(super) fn session() -> impl Strategy<Value = String> {
    object(value()).prop_map(|fields| {
        let comma = if fields.len() > 2 { "," } else { "" };
        format!(
            r#"{}{comma}"sessionId":"s-1","sessionStartTime":"2026-03-10T12:00:00"}}"#,
            fields.strip_suffix('}').unwrap()
        )
    })
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_unique<K: Eq + std::hash::Hash>(mut keys: impl Iterator<Item = K>) -> bool {
    let mut seen = HashSet::new();
    keys.all(|key| seen.insert(key))
}

/// Keys are unique, and every child's parent is there.
fn keys_hold(rows: &Rows) -> bool {
    let segment = |row: &smartassist_etl::transform::AgentSegment| (row.destination_index, row.segment_index);
    let parents: HashSet<i32> = rows
        .destinations
        .iter()
        .map(|row| row.destination_index)
        .collect();
    let segments: HashSet<(i32, i32)> = rows.agent_segments.iter().map(segment).collect();
    is_unique(rows.destinations.iter().map(|row| row.destination_index))
        && is_unique(rows.agent_segments.iter().map(segment))
        && is_unique(
            rows.consultations
                .iter()
                .map(|row| (row.destination_index, row.segment_index, row.consultation_index)),
        )
        && is_unique(rows.tags.iter().map(|row| (row.tag_scope as u8, row.tag_index)))
        && rows
            .agent_segments
            .iter()
            .all(|row| parents.contains(&row.destination_index))
        && rows
            .consultations
            .iter()
            .all(|row| segments.contains(&(row.destination_index, row.segment_index)))
}

proptest! {
    #[test]
    fn any_json_gives_rows_or_a_rejection_that_holds_it(text in value(), offset in -840..=720) {
        if let Err(rejected) = transform(&raw(text.clone()), origin(offset), &Policy::default()) {
            prop_assert_eq!(rejected.payload, text);
            prop_assert!(!rejected.reason.contains(MARKER));
        }
    }

    #[test]
    fn any_session_gives_rows_that_postgresql_takes(text in session(), offset in -840..=720) {
        if let Ok(interaction) = transform(&raw(text), origin(offset), &Policy::default()) {
            let rows = serde_json::to_value(&interaction.rows).unwrap();
            prop_assert!(!holds_nul(&rows));
            prop_assert!(!holds_nul(&serde_json::from_str(&interaction.payload).unwrap()));
            prop_assert!(!interaction.payload.contains('\0'));
            prop_assert!((1..=512).contains(&id(&interaction).len()));
            prop_assert!(keys_hold(&interaction.rows));
        }
    }

    #[test]
    fn no_warning_holds_a_value_or_a_name_that_was_sent(text in session()) {
        if let Ok(interaction) = transform(&raw(text), origin(0), &Policy::default()) {
            for warning in &interaction.rows.session.warnings {
                prop_assert!(!warning.contains(MARKER), "{}", warning);
                prop_assert!(warning.len() < 200);
            }
        }
    }

    #[test]
    fn the_same_text_gives_the_same_interaction(text in session(), offset in -840..=720) {
        prop_assert_eq!(transform(&raw(text.clone()), origin(offset), &Policy::default()), transform(&raw(text), origin(offset), &Policy::default()));
    }

    #[test]
    fn a_stored_payload_gives_the_same_rows_again(text in session(), offset in -840..=720) {
        if let Ok(mut first) = transform(&raw(text), origin(offset), &Policy::default()) {
            let mut again = transform_stored(&raw(first.payload.clone()), origin(offset), &Policy::default()).unwrap();
            prop_assert_eq!(&again.payload, &first.payload);
            // Of a key that was sent twice, one is stored: fewer characters may be left to count.
            for read in [&mut first, &mut again] {
                read.rows.session.warnings.retain(|warning| !warning.starts_with("record: "));
            }
            prop_assert_eq!(again.rows, first.rows);
        }
    }
}
