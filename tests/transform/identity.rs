//! Who a record is, and the records that cannot become rows.

use serde_json::{Value, json};
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Origin, Rejected, transform};
use uuid::{Uuid, Variant};

use super::{origin, raw, read, rows_of, session_with};

fn rejected(text: &str) -> Rejected {
    let rejected = *transform(&raw(text), origin(0), &Policy::default()).unwrap_err();
    assert_eq!(rejected.payload, text);
    rejected
}

fn reason(record: &Value) -> String {
    rejected(&record.to_string()).reason.into_owned()
}

#[test]
fn a_session_needs_no_conversation() {
    for nothing in [json!(null), json!(""), json!([])] {
        let session = read(&session_with(json!({"conversationId": nothing})))
            .rows
            .session;
        assert_eq!(session.session_id.as_deref(), Some("s-1"));
        assert_eq!(session.conversation_id, None);
    }
}

fn key(conversation: Value, session: Value) -> Uuid {
    let record = json!({"conversationId": conversation, "sessionId": session, "sessionStartTime": "2026-03-10T12:00:00"});
    read(&record).key
}

#[test]
fn the_key_is_of_both_ids_and_of_the_account() {
    let keys = [
        key("c-1".into(), "s-1".into()),
        key("c-1".into(), "s-2".into()),
        key("c-2".into(), "s-1".into()),
        key("c-1".into(), Value::Null),
        key(Value::Null, "c-1".into()),
        key("s-1".into(), "c-1".into()),
        // No two pairs are the same text.
        key("c-1s".into(), "-1".into()),
    ];
    for (place, one) in keys.iter().enumerate() {
        assert!(!keys[..place].contains(one), "{place}");
        assert_eq!((one.get_version_num(), one.get_variant()), (8, Variant::RFC4122));
    }
    let record = session_with(json!({}));
    let elsewhere = Origin {
        account_id: "other",
        time_zone_offset: 0,
    };
    let other = transform(&raw(record.to_string()), elsewhere, &Policy::default()).unwrap();
    assert_ne!(other.key, read(&record).key);
}

#[test]
fn the_key_is_of_ids_in_their_normal_form() {
    let plain = key("c-1".into(), Value::Null);
    for (conversation, session) in [
        (" c-1\u{a0}", json!("undefined")),
        ("c-1", json!(" N/A ")),
        ("c-1", json!(0)),
    ] {
        assert_eq!(key(conversation.into(), session.clone()), plain, "{session}");
    }
    assert_eq!(key(Value::Null, json!(17)), key(Value::Null, json!("17")));
    assert_ne!(key("C-1".into(), Value::Null), plain);
}

#[test]
fn keys_of_object_ids_begin_with_their_seconds() {
    let of = |session: &str| key("c-1".into(), session.into());
    let key = of("65B2f0a1c3d4e5f607182930");
    assert_eq!(key.as_bytes()[..4], [0x65, 0xb2, 0xf0, 0xa1]);
    for no_object_id in ["65b2f0a1c3d4e5f60718293", "65b2f0a1c3d4e5f60718293g"] {
        assert_ne!(of(no_object_id).as_bytes()[..4], [0x65, 0xb2, 0xf0, 0xa1]);
    }
}

#[test]
fn a_conversation_needs_no_session_id() {
    let interaction = read(&json!({"conversationId": "c-1", "sessionStartTime": "2026-03-10T12:00:00"}));
    assert_eq!(interaction.rows.session.conversation_id.as_deref(), Some("c-1"));
    assert_eq!(interaction.rows.session.session_id, None);
}

#[test]
fn an_id_sent_as_a_number_is_its_digits() {
    let session = rows_of(json!({"conversationId": 9_007_199_254_740_993_u64})).session;
    assert_eq!(session.conversation_id.as_deref(), Some("9007199254740993"));
}

#[test]
fn a_list_object_or_flag_is_no_identity() {
    for odd in [json!({}), json!(["c-1"]), json!({"id": "c-1"}), json!(true)] {
        let session = read(&session_with(json!({"conversationId": odd}))).rows.session;
        assert_eq!(session.conversation_id, None, "{odd}");
        assert_eq!(session.warnings, ["conversationId: not an id"]);
        let alone = json!({"conversationId": odd, "sessionStartTime": "2026-03-10T12:00:00"});
        assert_eq!(reason(&alone), "neither conversationId nor sessionId");
    }
}

#[test]
fn a_record_without_an_id_is_rejected() {
    let record = json!({"sessionId": "", "conversationId": null, "sessionStartTime": "2026-03-10T12:00:00"});
    assert_eq!(reason(&record), "neither conversationId nor sessionId");
    assert_eq!(reason(&json!({})), "neither an id nor a sessionStartTime");
}

#[test]
fn a_record_without_a_readable_start_is_rejected() {
    for start in [
        json!(null),
        json!(""),
        json!("soon"),
        json!("0001-01-01T00:00:00"),
        json!("3/4/2026 12:00:00"),
        json!(0),
        json!(["2026-03-10"]),
    ] {
        assert_eq!(
            reason(&session_with(json!({"sessionStartTime": start}))),
            "sessionStartTime is missing or cannot be read"
        );
    }
}

#[test]
fn an_id_of_512_bytes_is_kept_and_a_longer_one_rejected() {
    for name in ["conversationId", "sessionId"] {
        let longest = "é".repeat(256);
        let ids = rows_of(json!({name: longest})).session.ids();
        let id = [ids.conversation_id, ids.session_id].into_iter().flatten().next();
        assert_eq!(id.as_ref(), Some(&longest));
        assert_eq!(
            reason(&session_with(json!({name: format!("{longest}x")}))),
            "an id is longer than 512 bytes"
        );
    }
}

#[test]
fn a_record_that_is_no_object_is_rejected() {
    for text in ["null", "7", "\"s-1\"", "[]", "[{\"sessionId\":\"s-1\"}]", "true"] {
        assert_eq!(rejected(text).reason, "not an object");
    }
}

#[test]
fn a_record_nested_beyond_reading_is_rejected() {
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let text = format!(r#"{{"sessionId":"s-1","sessionStartTime":"2026-03-10T12:00:00","metaInfo":{deep}}}"#);
    let rejected = transform(&raw(text), origin(0), &Policy::default()).unwrap_err();
    assert_eq!(rejected.reason, "nested too deeply to be read");
}

#[test]
fn the_same_record_rejected_again_has_the_same_hash() {
    let once = rejected(r#"{"channel": "Voice"}"#);
    assert_eq!(once, rejected(r#"{"channel": "Voice"}"#));
    assert_ne!(once.payload_hash, rejected(r#"{"channel": "Chat"}"#).payload_hash);
}

#[test]
fn the_reason_of_a_rejection_quotes_no_value() {
    let text = r#"{ "caller":"\u0000+15550142\ud800",  "caller":1e999 }"#;
    assert_eq!(rejected(text).reason, "neither an id nor a sessionStartTime");
}
