//! Records that are made to harm whoever reads them.

use serde_json::{Value, json};
use smartassist_etl::transform::privacy::{Class, Policy, PrivacyKey, Rule};
use smartassist_etl::transform::{Ids, Interaction, Rejected, transform, transform_stored};
use smartassist_etl::transform::{LARGEST_RECORD, MOST_VALUES};

use super::{id, origin, raw, read, session_with};
use crate::support::bomb::{PARSED_AGAIN, bomb};

fn record(field: &str, json_text: &str) -> String {
    format!(r#"{{"sessionId":"s-1","sessionStartTime":"2026-03-10T12:00:00","{field}":{json_text}}}"#)
}

fn policy(rule: Rule) -> Policy {
    let mut policy = Policy {
        key: Some(PrivacyKey::new("0123456789abcdef0123456789abcdef")),
        ..Policy::default()
    };
    for class in Class::ALL {
        *policy.rule_mut(class) = rule;
    }
    policy
}

fn rejected(text: &str, policy: &Policy) -> Rejected {
    *transform(&raw(text), origin(0), policy).unwrap_err()
}

fn accepted(text: String) -> Interaction {
    transform(&raw(text), origin(0), &Policy::default()).unwrap()
}

#[test]
fn no_key_of_a_record_is_parsed_again() {
    let text = record("metaInfo", &bomb(70));
    assert!(text.len() > 60_000, "{}", text.len());
    let meta_info = accepted(text.clone()).rows.session.meta_info.unwrap().value();
    let mut inner = &meta_info;
    while let Value::Array(items) = inner {
        inner = &items[0];
    }
    assert!(inner[PARSED_AGAIN].as_str().unwrap().starts_with("[[[["));
    // What is stored, with its keys in another order, reads the same; so do all rules.
    for rule in [Rule::Keep, Rule::Hash, Rule::Drop] {
        let once = transform(&raw(text.clone()), origin(0), &policy(rule)).unwrap();
        let again = transform(&raw(once.payload.clone()), origin(0), &policy(rule)).unwrap();
        assert_eq!(once.content_hash, again.content_hash);
    }
}

#[test]
fn private_keys_of_a_parser_are_values_like_others() {
    for hidden in [
        json!({PARSED_AGAIN: "[1]"}),
        json!({"$serde_json::private::Number": "1e5"}),
        json!({PARSED_AGAIN: {"a": 1}}),
    ] {
        let row = read(&session_with(json!({"metaInfo": hidden, "novel": [hidden]})))
            .rows
            .session;
        assert_eq!(row.meta_info, Some(hidden.clone().into()));
        assert_eq!(row.extra, Some(json!({"novel": [hidden]}).into()));
    }
}

#[test]
fn a_record_is_bounded_in_bytes_and_in_values() {
    let padding = LARGEST_RECORD - record("novel", "\"\"").len();
    let largest = record("novel", &format!("\"{}\"", "x".repeat(padding)));
    assert_eq!(largest.len(), LARGEST_RECORD);
    assert_eq!(id(&accepted(largest)), "s-1");
    let larger = record("novel", &format!("\"{}\"", "x".repeat(padding + 1)));
    assert_eq!(
        rejected(&larger, &Policy::default()).reason,
        format!("larger than {LARGEST_RECORD} bytes")
    );
    let list = |values: usize| format!("[{}0]", "0,".repeat(values - 1));
    accepted(record("novel", &list(MOST_VALUES - 10)));
    let many = record("novel", &list(MOST_VALUES));
    let reason = rejected(&many, &Policy::default()).reason;
    assert_eq!(reason, "more than 10000 values");
    // However it is nested: nothing is built of it.
    for text in [
        "[".repeat(4 << 20) + &"]".repeat(4 << 20),
        r#"{"a":"#.repeat(1 << 20) + "1" + &"}".repeat(1 << 20),
    ] {
        assert!(
            rejected(&text, &Policy::default())
                .reason
                .starts_with("larger than")
        );
    }
}

#[test]
fn of_a_record_that_cannot_be_read_only_its_ids_are_kept() {
    let filler = "y".repeat(LARGEST_RECORD);
    let large = json!({
        "conversationId": "c-1", "sessionId": " s-1", "userId": "u-1", "csatFeedback": "nice",
        "metaInfo": {"caller": "+4930123"}, "errorDetails": filler,
    });
    let deep = "[".repeat(200) + &"]".repeat(200);
    let ids = r#""conversationId":"c-1","sessionId":" s-1","userId":"u-1""#;
    let key = Ids {
        conversation_id: Some("c-1".to_owned()),
        session_id: Some("s-1".to_owned()),
    }
    .key("acct");
    for text in [large.to_string(), format!(r#"{{{ids},"metaInfo":{deep}}}"#)] {
        for policy in [Policy::default(), policy(Rule::Drop)] {
            let kept = rejected(&text, &policy);
            assert_eq!(
                serde_json::from_str::<Value>(&kept.payload).unwrap(),
                json!({"conversationId": "c-1", "sessionId": "s-1"})
            );
            assert_eq!(kept.key, Some(key));
            assert_eq!(kept.record_bytes, Some(text.len() as u64));
        }
    }
    let long_id = json!({"sessionId": "s".repeat(LARGEST_RECORD)}).to_string();
    for text in [long_id, format!("\"secret {filler}\"")] {
        let kept = rejected(&text, &Policy::default());
        assert_eq!(
            serde_json::from_str::<Value>(&kept.payload).unwrap(),
            json!({"conversationId": null, "sessionId": null})
        );
        assert_eq!(kept.key, None);
    }
}

#[test]
fn what_was_received_can_be_replayed_however_it_has_grown() {
    let many: Value = (0..4_900)
        .map(|nth| (format!("+49 {nth}"), json!({"a": 1})))
        .collect();
    let text = record("metaInfo", &many.to_string());
    let hashing = policy(Rule::Hash);
    let once = transform(&raw(text), origin(0), &hashing).unwrap();
    assert!(once.payload.len() > 2 * LARGEST_RECORD, "{}", once.payload.len());
    let again = transform_stored(&raw(once.payload.clone()), origin(0), &hashing).unwrap();
    assert_eq!(once.content_hash, again.content_hash);
}
