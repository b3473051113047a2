//! Who a record is, and the records that cannot become rows.

use serde_json::{Value, json};
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Rejected, transform};

use super::{raw, read, session_with};

fn rejected(text: &str) -> Rejected {
    let rejected = *transform(&raw(text), 0, &Policy::default()).unwrap_err();
    assert_eq!(rejected.payload, text);
    rejected
}

fn reason(record: &Value) -> String {
    rejected(&record.to_string()).reason.into_owned()
}

#[test]
fn a_session_without_a_conversation_is_known_by_its_session_id() {
    for nothing in [json!(null), json!(""), json!([])] {
        let session = read(&session_with(json!({"conversationId": nothing})))
            .rows
            .session;
        assert_eq!(session.interaction_id, "s-1");
        assert_eq!(session.session_id.as_deref(), Some("s-1"));
        assert_eq!(session.conversation_id, None);
    }
    assert_eq!(read(&session_with(json!({}))).id(), "s-1");
}

#[test]
fn a_conversation_is_known_by_its_conversation_id() {
    let session = read(&session_with(json!({"conversationId": "c-1"}))).rows.session;
    assert_eq!(session.interaction_id, "c-1");
    assert_eq!(session.session_id.as_deref(), Some("s-1"));
    assert_eq!(session.conversation_id.as_deref(), Some("c-1"));
}

#[test]
fn a_conversation_needs_no_session_id() {
    let interaction = read(&json!({"conversationId": "c-1", "sessionStartTime": "2026-03-10T12:00:00"}));
    assert_eq!(interaction.id(), "c-1");
    assert_eq!(interaction.rows.session.session_id, None);
}

#[test]
fn every_child_carries_the_identity_of_its_interaction() {
    let rows = read(&session_with(json!({
        "conversationId": "c-1",
        "userleveltags": [{"name": "tier", "value": "gold"}],
        "destinations": [{"respondingAgent": {"ConsultingAgents": [{"name": "+15550177"}]}}],
    })))
    .rows;
    assert_eq!(rows.tags[0].interaction_id, "c-1");
    assert_eq!(rows.destinations[0].interaction_id, "c-1");
    assert_eq!(rows.agent_segments[0].interaction_id, "c-1");
    assert_eq!(rows.consultations[0].interaction_id, "c-1");
}

#[test]
fn an_id_sent_as_a_number_is_its_digits() {
    assert_eq!(
        read(&session_with(
            json!({"conversationId": 9_007_199_254_740_993_u64})
        ))
        .id(),
        "9007199254740993"
    );
}

#[test]
fn a_list_object_or_flag_is_no_identity() {
    for odd in [json!({}), json!(["c-1"]), json!({"id": "c-1"}), json!(true)] {
        let session = read(&session_with(json!({"conversationId": odd}))).rows.session;
        assert_eq!(session.interaction_id, "s-1", "{odd}");
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
        assert_eq!(read(&session_with(json!({name: longest}))).id(), longest);
        assert_eq!(
            reason(&session_with(json!({name: format!("{longest}x")}))),
            "the id is longer than 512 bytes"
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
fn a_record_nested_beyond_reading_is_rejected_with_its_text() {
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let text = format!(r#"{{"sessionId":"s-1","sessionStartTime":"2026-03-10T12:00:00","metaInfo":{deep}}}"#);
    assert_eq!(rejected(&text).reason, "nested too deeply to be read");
}

#[test]
fn the_same_record_rejected_again_has_the_same_hash() {
    let once = rejected(r#"{"channel": "Voice"}"#);
    assert_eq!(once, rejected(r#"{"channel": "Voice"}"#));
    assert_ne!(once.payload_hash, rejected(r#"{"channel": "Chat"}"#).payload_hash);
}

#[test]
fn the_reason_of_a_rejection_holds_no_value_and_its_payload_every_byte() {
    let text = r#"{ "caller":"\u0000+15550142\ud800",  "caller":1e999 }"#;
    assert_eq!(rejected(text).reason, "neither an id nor a sessionStartTime");
}
