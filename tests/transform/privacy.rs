//! What of a person is left of a record under each rule.

use proptest::prelude::*;
use serde_json::{Value, json};
use smartassist_etl::transform::privacy::{Class, Policy, PrivacyKey, Rule};
use smartassist_etl::transform::{Interaction, transform};

use super::properties::session as any_record;
use super::{origin, raw, session_with};

const FIXTURES: [&str; 2] = [
    include_str!("fixtures/call_at_offset_0.json"),
    include_str!("fixtures/vendor_shapes.json"),
];

/// One rule for some classes, and the rest kept.
fn policy(rule: Rule, classes: &[Class]) -> Policy {
    let mut policy = Policy {
        key: Some(PrivacyKey::new("0123456789abcdef0123456789abcdef")),
        ..Policy::default()
    };
    for class in classes {
        *policy.rule_mut(*class) = rule;
    }
    policy
}

fn under(policy: &Policy, fields: Value) -> Interaction {
    transform(&raw(session_with(fields).to_string()), origin(0), policy).unwrap()
}

fn hashed(fields: Value) -> Interaction {
    under(&policy(Rule::Hash, &Class::ALL), fields)
}

/// The phone of a customer, hashed.
fn phone(spelling: &str) -> String {
    let interaction = hashed(json!({"customerinfo": {"CustomerPhone": spelling}}));
    interaction.rows.session.customer_phone.unwrap()
}

fn email(spelling: &str) -> String {
    let interaction = hashed(json!({"customerinfo": {"CustomerEmail": spelling}}));
    interaction.rows.session.customer_email.unwrap()
}

#[test]
fn all_spellings_of_a_phone_have_one_hash_and_others_another() {
    let one = phone("+49 (30) 123-456.7");
    assert!(one.starts_with("hmac:phone:") && one.len() == 75, "{one}");
    for same in [
        "+49301234567",
        "0049 30 1234567",
        "tel:+49301234567",
        "sip:+49301234567@host",
        " +49301234567 ",
    ] {
        assert_eq!(phone(same), one, "{same}");
    }
    assert_ne!(phone("+49301234568"), one);
    assert_ne!(phone("anonymous"), one);
    assert_eq!(phone("anonymous"), phone("anonymous "));
}

#[test]
fn a_hash_is_the_same_for_every_spelling_of_an_e_mail_address() {
    assert_eq!(email("John.Doe@Example.com "), email("john.doe@example.com"));
    assert_ne!(email("john.doe@example.org"), email("john.doe@example.com"));
}

#[test]
fn an_id_that_is_an_email_or_a_phone_has_the_hash_of_one() {
    let ids = |id: &str| {
        hashed(json!({"channelSpecificUserId": id}))
            .rows
            .session
            .channel_specific_user_id
    };
    assert_eq!(
        ids("John.Doe@example.com").unwrap(),
        email("john.doe@example.com")
    );
    assert_eq!(ids("+49 30 1234567").unwrap(), phone("+49301234567"));
    assert!(
        ids("u-4245d01e-6124-587a-85b2-939fe3cf0000")
            .unwrap()
            .starts_with("hmac:user_id:")
    );
}

#[test]
fn equal_values_of_different_kinds_have_different_hashes() {
    let session = hashed(json!({
        "csatFeedback": "John", "customerinfo": {"CustomerFirstName": "John"}, "metaInfo": {"ipAddress": "John"},
        "sessionleveltags": [{"name": "n", "value": "John"}],
    }));
    let (session, tags) = (session.rows.session, session.rows.tags);
    let hashes = [
        session.csat_feedback,
        session.customer_first_name,
        session.ip_address,
        tags[0].value.clone(),
    ];
    let digits: std::collections::BTreeSet<_> = hashes
        .iter()
        .flatten()
        .map(|hash| hash.rsplit(':').next().unwrap())
        .collect();
    assert_eq!(digits.len(), 4);
}

#[test]
fn another_key_gives_another_hash() {
    let mut other = policy(Rule::Hash, &Class::ALL);
    other.key = Some(PrivacyKey::new("another key of thirty-two letters"));
    let fields = json!({"userId": "u-1"});
    assert_ne!(
        under(&other, fields.clone()).rows.session.user_id,
        hashed(fields).rows.session.user_id
    );
}

#[test]
fn each_class_is_ruled_by_itself() {
    let record = json!({
        "userId": "u-1", "csatFeedback": "nice", "metaInfo": {"ipAddress": "10.0.0.1"},
        "sessionleveltags": [{"name": "n", "value": "v"}],
        "destinations": [{"respondingAgent": {"agentId": "a-1", "name": "Ann"}}],
    });
    let of = |interaction: &Interaction| {
        let (session, rows) = (&interaction.rows.session, &interaction.rows);
        [
            session.user_id.clone(),
            rows.agent_segments[0].agent_name.clone(),
            session.ip_address.clone(),
            session.csat_feedback.clone(),
            rows.tags[0].value.clone(),
        ]
    };
    let kept = of(&under(&Policy::default(), record.clone()));
    for (place, class) in Class::ALL.into_iter().enumerate() {
        let dropped = of(&under(&policy(Rule::Drop, &[class]), record.clone()));
        for (other, value) in dropped.iter().enumerate() {
            assert_eq!(value.is_none(), other == place, "{class:?}");
            assert!(value.is_none() || *value == kept[other], "{class:?}");
        }
    }
}

#[test]
fn as_many_rows_are_left_of_a_record_as_it_has_without_rules() {
    let agent = json!({"agentId": "a-1", "name": "Ann", "ConsultingAgents": [{"name": "Bob"}]});
    let record = json!({
        "destinations": [{"respondingAgent": agent, "nonRespondingAgents": [agent]}, agent, {"queueId": "q", "note": "x"}],
        "userleveltags": [{"value": "v"}], "sessionleveltags": "v",
    });
    let counts = |policy: &Policy| {
        let rows = under(policy, record.clone()).rows;
        [
            rows.destinations.len(),
            rows.agent_segments.len(),
            rows.consultations.len(),
            rows.tags.len(),
        ]
    };
    assert_eq!(counts(&Policy::default()), [3, 3, 3, 2]);
    assert_eq!(counts(&policy(Rule::Hash, &Class::ALL)), [3, 3, 3, 2]);
    // What is no object where one is meant is free text, of which nothing is left.
    assert_eq!(counts(&policy(Rule::Drop, &Class::ALL)), [3, 3, 3, 1]);
}

#[test]
fn unknown_fields_are_free_text_wherever_they_stand() {
    let record = json!({
        "mood": "sad", "metaInfo": {"mood": ["sad"], "+49 30 1234567": 1},
        "destinations": [{"mood": {"is": "sad"}}], "customerinfo": {"mood": 7},
    });
    let kept = under(
        &policy(Rule::Drop, &[Class::Customer, Class::Agent]),
        record.clone(),
    );
    assert_eq!(kept.rows.session.extra.unwrap().value()["mood"], "sad");
    let dropped = under(&policy(Rule::Drop, &[Class::FreeText]), record.clone());
    assert!(
        !dropped.payload.contains("sad") && !dropped.payload.contains("1234567"),
        "{}",
        dropped.payload
    );
    assert_eq!(dropped.rows.session.extra, None);
    let hashed = under(&policy(Rule::Hash, &[Class::FreeText]), record);
    assert!(
        !hashed.payload.contains("sad") && !hashed.payload.contains("1234567"),
        "{}",
        hashed.payload
    );
    assert!(
        hashed.rows.destinations[0].extra.as_ref().unwrap().value()["mood"][0]
            .as_str()
            .unwrap()
            .starts_with("hmac:text:")
    );
}

#[test]
fn what_is_not_known_is_drift_also_where_nothing_of_it_is_left() {
    let record = json!({
        "mood": {"is": "sad"}, "metaInfo": {"mood": 1}, "customerinfo": {"mood": 7}, "isVoicemail": "perhaps",
        "destinations": [{"mood": true, "respondingAgent": {"Mood": []}}, {"agentId": "a", "colour": ["red"]}],
    });
    let drift = |policy: &Policy| {
        let drift = under(policy, record.clone()).drift.into_iter();
        drift
            .map(|drift| (drift.path.replace("[]", ""), drift.json_type))
            .collect::<std::collections::BTreeSet<_>>()
    };
    let kept = drift(&Policy::default());
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert_eq!(drift(&policy(Rule::Drop, &[Class::FreeText])), kept);
    assert_eq!(drift(&policy(Rule::Hash, &Class::ALL)), kept);
}

#[test]
fn the_fields_that_rows_are_read_from_are_known_to_the_rules() {
    // Were a field that becomes a column not in the list, it would be hashed as free text.
    let free_text = policy(Rule::Hash, &[Class::FreeText]);
    for record in FIXTURES.iter().flat_map(|fixture| records(fixture)) {
        let kept = transform(&raw(record.to_string()), origin(0), &Policy::default());
        let Ok(kept) = kept else { continue };
        let hashed = transform(&raw(record.to_string()), origin(0), &free_text).unwrap();
        let (mut kept, mut hashed) = (kept.rows, hashed.rows);
        for rows in [&mut kept, &mut hashed] {
            let session = &mut rows.session;
            (
                session.error_details,
                session.csat_feedback,
                session.last_intent_user_input,
            ) = (None, None, None);
            (session.disposition_remarks, session.meta_info, session.extra) = (Vec::new(), None, None);
            rows.destinations.iter_mut().for_each(|row| row.extra = None);
            rows.consultations.iter_mut().for_each(|row| row.extra = None);
            rows.tags.iter_mut().for_each(|row| row.extra = None);
            for segment in &mut rows.agent_segments {
                (segment.agent_notes, segment.extra) = (Vec::new(), None);
            }
        }
        assert_eq!(kept, hashed);
    }
}

fn records(fixture: &str) -> Vec<Value> {
    match serde_json::from_str(fixture).unwrap() {
        Value::Array(records) => records,
        Value::Object(page) if page.contains_key("data") => page["data"].as_array().unwrap().clone(),
        record => vec![record],
    }
}

#[test]
fn what_is_rejected_is_ruled_as_well() {
    let drop = policy(Rule::Drop, &Class::ALL);
    let hash = policy(Rule::Hash, &Class::ALL);
    for text in [r#"{"sessionId": "s", "userId": "sad"}"#, r#"["sad"]"#, r#""sad""#] {
        for policy in [&drop, &hash] {
            let rejected = transform(&raw(text), origin(0), policy).unwrap_err();
            assert!(!rejected.payload.contains("sad"), "{}", rejected.payload);
        }
        let kept = transform(&raw(text), origin(0), &Policy::default()).unwrap_err();
        assert_eq!(kept.payload, text);
    }
    let rejected = transform(&raw(r#"{"sessionId": "s", "userId": "sad"}"#), origin(0), &drop).unwrap_err();
    assert!(rejected.key.is_some());
}

proptest! {
    #[test]
    fn rules_can_be_applied_any_number_of_times(text in any_record(), rules in prop::collection::vec(0..3_u8, 5)) {
        let mut policy = policy(Rule::Keep, &[]);
        for (class, rule) in Class::ALL.into_iter().zip(rules) {
            *policy.rule_mut(class) = [Rule::Keep, Rule::Hash, Rule::Drop][usize::from(rule)];
        }
        if let Ok(once) = transform(&raw(text), origin(0), &policy) {
            let again = transform(&raw(once.payload.clone()), origin(0), &policy).unwrap();
            prop_assert_eq!(&once.payload, &again.payload);
            prop_assert_eq!(once.content_hash, again.content_hash);
        }
    }
}

/// What the rule of agents has emptied is no free text that could be hashed.
#[test]
fn an_unreadable_id_of_an_agent_is_ruled_once() {
    let mut policy = policy(Rule::Keep, &[]);
    *policy.rule_mut(Class::Agent) = Rule::Drop;
    *policy.rule_mut(Class::FreeText) = Rule::Hash;
    let text = r#"{"sessionEndTime":[1e999999],"destinations":{"agentId":1e999999},"sessionId":"s-1","sessionStartTime":"2026-03-10T12:00:00"}"#;
    let once = transform(&raw(text), origin(0), &policy).unwrap();
    let again = transform(&raw(once.payload.clone()), origin(0), &policy).unwrap();
    assert_eq!(once.payload, again.payload);
}
