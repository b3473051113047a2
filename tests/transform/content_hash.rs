//! What counts as a change of an interaction, and what is only another spelling of it.

use serde_json::{Value, json};
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{ContentHash, TRANSFORM_VERSION, transform};

use super::{origin, raw, read, session_with};

/// A call with something at every level.
fn call() -> Value {
    serde_json::from_str(include_str!("fixtures/call_at_offset_0.json")).unwrap()
}

fn hash_of(record: &Value) -> ContentHash {
    read(record).content_hash
}

/// Whether a session with one field counts as changed by another value of it.
fn changes(name: &str, from: Value, to: Value) -> bool {
    hash_of(&session_with(json!({name: from}))) != hash_of(&session_with(json!({name: to})))
}

/// The JSON pointers of all values that are neither object nor list.
fn leaves(value: &Value, pointer: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| leaves(value, &format!("{pointer}/{name}")))
            .collect(),
        Value::Array(items) => (0..)
            .zip(items)
            .flat_map(|(index, value): (usize, _)| leaves(value, &format!("{pointer}/{index}")))
            .collect(),
        _ => vec![pointer.to_owned()],
    }
}

/// Another one makes all that is stored count as changed: raise the version, and tell it in CHANGELOG.md.
#[test]
fn equal_rows_have_the_hash_of_their_version() {
    let hash: String = hash_of(&call())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        (TRANSFORM_VERSION, &hash[..]),
        (
            2,
            "e88c083c7e92f1df89c43a81eb98dcf6885f25a9fc8eb864e0da256f94640e6c8eb863d887d6ce5025129940a4f11e46"
        )
    );
}

#[test]
fn every_value_of_a_call_counts() {
    let mut call = call();
    call["customerinfo"] = json!({"Direction": "Outbound", "CustomerPhone": "15550145", "loyalty": "gold"});
    call["skills"] = json!([{"id": "skill-1"}]);
    call["bridge"] = json!({"legs": [1, 2]});
    call["destinations"][0]["respondingAgent"]["JoinedUsers"] = json!([{"name": "Pia Example"}]);
    call["destinations"][0]["respondingAgent"]["agentNotes"] = json!(["calm"]);
    call["destinations"][0]["respondingAgent"]["destinationType"] = json!("AgentSegment");
    let direct = json!({"destinationType": "AgentSegment", "agentId": "u-agent-remy"});
    call["destinations"].as_array_mut().unwrap().push(direct);
    let before = hash_of(&call);
    let leaves = leaves(&call, "");
    assert!(leaves.len() > 60);
    for leaf in leaves {
        let mut changed = call.clone();
        let value = changed.pointer_mut(&leaf).unwrap();
        *value = match value {
            Value::Bool(flag) => json!(!*flag),
            Value::Number(_) => json!(77),
            _ => json!("2031-01-01T00:00:00Z"),
        };
        assert_ne!(hash_of(&changed), before, "{leaf}");
    }
}

#[test]
fn an_element_more_or_less_or_elsewhere_counts() {
    let tags = |names: &[&str]| -> Value { names.iter().map(|name| json!({"name": name})).collect() };
    assert!(changes("userleveltags", tags(&["a"]), tags(&["a", "b"])));
    assert!(changes("userleveltags", tags(&["a", "b"]), tags(&["b", "a"])));
    assert!(changes("dispositions", json!(["a", "b"]), json!(["ab"])));
    let user = session_with(json!({"userleveltags": tags(&["a"])}));
    let session = session_with(json!({"sessionleveltags": tags(&["a"])}));
    assert_ne!(hash_of(&user), hash_of(&session));
}

#[test]
fn a_value_that_cannot_be_read_counts_when_it_changes() {
    assert!(changes("csatScore", json!("ten"), json!("eleven")));
    assert!(changes("sessionEndTime", json!("soon"), json!("sooner")));
    assert!(changes("isVoicemail", json!("perhaps"), json!(null)));
    assert!(!changes("csatScore", json!("ten"), json!("ten")));
}

#[test]
fn the_order_of_keys_does_not_count() {
    fn reversed(value: &Value) -> String {
        match value {
            Value::Object(fields) => {
                let fields = fields.iter().rev();
                let fields: Vec<_> = fields
                    .map(|(name, value)| format!("{name:?}:{}", reversed(value)))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }
            Value::Array(items) => format!("[{}]", items.iter().map(reversed).collect::<Vec<_>>().join(",")),
            other => other.to_string(),
        }
    }
    let (call, reversed) = (call(), reversed(&call()));
    assert_ne!(call.to_string(), reversed);
    assert_eq!(
        transform(&raw(reversed), origin(0), &Policy::default())
            .unwrap()
            .content_hash,
        hash_of(&call)
    );
}

#[test]
fn the_case_of_known_keys_does_not_count() {
    /// Objects that are kept as they are keep their keys too.
    const AS_SENT: [&str; 2] = ["metaInfo", "snoozeinfo"];
    fn shouted(value: Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| match name.as_str() {
                    name if AS_SENT.contains(&name) => (name.to_ascii_uppercase(), value),
                    name => (name.to_ascii_uppercase(), shouted(value)),
                })
                .collect(),
            Value::Array(items) => items.into_iter().map(shouted).collect(),
            other => other,
        }
    }
    assert_eq!(hash_of(&shouted(call())), hash_of(&call()));
}

#[test]
fn the_spelling_of_a_flag_or_number_does_not_count() {
    for (from, to) in [
        (json!("NO"), json!(false)),
        (json!("YES"), json!(true)),
        (json!("True"), json!("yes")),
    ] {
        assert!(!changes("isVoicemail", from, to));
    }
    assert!(!changes("csatScore", json!(4), json!("4")));
    assert!(!changes("csatScore", json!(4), json!(4.0)));
    assert!(!changes(
        "sessionEndTime",
        json!("2026-03-10T12:05:00"),
        json!("2026-03-10 12:05:00")
    ));
    assert!(!changes(
        "sessionEndTime",
        json!("2026-03-10T12:05:00"),
        json!("2026-03-10T17:35:00+05:30")
    ));
}

#[test]
fn null_absent_and_empty_text_are_the_same_in_every_field() {
    let call = call();
    for leaf in leaves(&call, "") {
        // Without its start there is no row. What is kept as sent is kept with its nulls.
        let kept_as_sent = leaf.starts_with("/metaInfo/") || leaf.contains("/snoozeinfo/");
        if leaf == "/sessionStartTime" || kept_as_sent {
            continue;
        }
        let (parent, name) = leaf.rsplit_once('/').unwrap();
        let with = |nothing: Option<Value>| {
            let mut record = call.clone();
            match (record.pointer_mut(parent).unwrap(), nothing) {
                (Value::Object(fields), None) => fields.remove(name),
                (parent, nothing) => parent.pointer_mut(&format!("/{name}")).map(|field| {
                    *field = nothing.unwrap_or_default();
                    Value::Null
                }),
            };
            hash_of(&record)
        };
        let null = with(Some(json!(null)));
        assert_eq!(with(Some(json!(""))), null, "{leaf}");
        assert_eq!(with(None), null, "{leaf}");
    }
}

#[test]
fn an_unknown_field_that_says_nothing_does_not_count() {
    for nothing in [json!(null), json!("")] {
        let with = session_with(json!({"bridge": nothing, "campaigninfo": {"dialer": nothing}}));
        assert_eq!(hash_of(&with), hash_of(&session_with(json!({}))));
    }
}

#[test]
fn an_empty_object_of_known_fields_is_the_same_as_none() {
    for name in ["campaigninfo", "customerinfo"] {
        assert!(!changes(name, json!({}), json!([])));
        assert!(!changes(name, json!({}), json!(null)));
        assert!(!changes(name, json!({}), json!("")));
    }
}
