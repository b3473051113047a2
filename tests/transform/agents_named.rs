//! Agents who are named where no field of an agent is.

use serde_json::{Value, json};
use smartassist_etl::transform::privacy::{Class, Policy, PrivacyKey, Rule};
use smartassist_etl::transform::transform;

use super::{origin, raw, session_with};

const ANN: &str = "u-3ea001b4-664a-58b6-8108-b8bca375aaaa";
const BOB: &str = "u-e3f58196-0f28-5419-9601-dc136e8dbbbb";

/// The record after the rules: agents under `agent`, free text under `free_text`, all else kept.
fn ruled(agent: Rule, free_text: Rule, fields: Value) -> Value {
    let policy = Policy {
        agent,
        free_text,
        key: Some(PrivacyKey::new("0123456789abcdef0123456789abcdef")),
        ..Policy::default()
    };
    let once = transform(&raw(session_with(fields).to_string()), origin(0), &policy).unwrap();
    let again = transform(&raw(once.payload.clone()), origin(0), &policy).unwrap();
    assert_eq!(once.payload, again.payload);
    assert_eq!(once.content_hash, again.content_hash);
    serde_json::from_str(&once.payload).unwrap()
}

/// A call of Ann's, with these fields beside.
fn call(fields: Value) -> Value {
    let mut call =
        json!({"destinations": [{"queueId": "q", "respondingAgent": {"agentId": ANN, "name": "Ann Agent"}}]});
    for (name, value) in fields.as_object().unwrap() {
        call[name] = value.clone();
    }
    call
}

fn token_of_ann() -> Value {
    let ruled = ruled(Rule::Hash, Rule::Keep, call(json!({})));
    ruled["destinations"][0]["respondingAgent"]["agentId"].clone()
}

#[test]
fn an_agents_id_is_an_agents_wherever_it_stands() {
    let record = || {
        call(json!({
            "metaInfo": {"customData": {"agentId": ANN, "isAgentAssistOnly": false}, "owner": {"deep": [{"who": ANN}, BOB]}, "os": BOB,
                         "seen": format!("by {BOB}, then {ANN}"), (BOB): true},
            "novel": BOB, "sessionleveltags": [{"name": "who", "value": ANN}], "csatFeedback": format!("{ANN} was kind"),
            "error": {"agentId": 4711},
        }))
    };
    assert_eq!(
        ruled(Rule::Keep, Rule::Keep, record())["metaInfo"],
        record()["metaInfo"]
    );
    let hashed = ruled(Rule::Hash, Rule::Keep, record());
    let text = hashed.to_string();
    assert!(
        !text.contains(ANN) && !text.contains(BOB) && !text.contains("4711"),
        "{text}"
    );
    // The same hash everywhere, so that they join.
    let token = token_of_ann();
    for place in [
        "/metaInfo/customData/agentId",
        "/metaInfo/owner/deep/0/who",
        "/sessionleveltags/0/value",
    ] {
        assert_eq!(hashed.pointer(place), Some(&token), "{place}");
    }
    assert_eq!(
        hashed["csatFeedback"],
        format!("{} was kind", token.as_str().unwrap())
    );
    assert_eq!(hashed["metaInfo"]["customData"]["isAgentAssistOnly"], false);
    let dropped = ruled(Rule::Drop, Rule::Keep, record());
    let text = dropped.to_string();
    assert!(
        !text.contains("u-3ea") && !text.contains("u-e3f") && !text.contains("4711"),
        "{text}"
    );
    assert_eq!(dropped["csatFeedback"], " was kind");
    // Of the two rules the stricter one counts.
    for (agent, free_text) in [
        (Rule::Keep, Rule::Drop),
        (Rule::Hash, Rule::Drop),
        (Rule::Drop, Rule::Hash),
    ] {
        let text = ruled(agent, free_text, record())["metaInfo"]["owner"].to_string();
        assert!(!text.contains("u-"), "{agent:?} {free_text:?} {text}");
    }
}

#[test]
fn an_agents_id_in_a_customers_place_is_ruled_as_an_agents() {
    // An outbound call: the user is the agent, by an id of any form.
    let record = json!({
        "userId": "a-9", "channelSpecificUserId": "a-99", "metaInfo": {"userId": BOB},
        "destinations": [{"agentId": "a-9"}, {"agentId": "a-99"}],
    });
    let hashed = ruled(Rule::Hash, Rule::Keep, record.clone());
    assert_eq!(hashed["userId"], "a-9", "too short to be sure of");
    assert_eq!(
        hashed["channelSpecificUserId"],
        hashed["destinations"][1]["agentId"]
    );
    // Ids of customers have the form of agents' ids.
    assert_eq!(hashed["metaInfo"]["userId"], BOB);
    assert_eq!(
        ruled(Rule::Drop, Rule::Keep, record)["channelSpecificUserId"],
        Value::Null
    );
}

#[test]
fn a_reason_that_is_no_known_word_is_free_text() {
    let reason = |agent, free_text, reason: Value| {
        let record = call(json!({"Reason": reason, "dispositions": ["Sold twice", null]}));
        ruled(agent, free_text, record)["Reason"].clone()
    };
    for known in [
        "NO AGENTS AVAILABLE",
        "drop-off",
        " Resolved ",
        "Resolution",
        "Requires Supervisor Attention",
        "sold twice",
        "",
    ] {
        for rule in [Rule::Hash, Rule::Drop] {
            assert_eq!(reason(Rule::Keep, rule, json!(known)), known);
        }
    }
    for unknown in [
        json!("Billing:Ann Agent"),
        json!("Ann"),
        json!(["Ann"]),
        json!({"by": "Ann"}),
        json!(4711),
    ] {
        assert!(
            !reason(Rule::Keep, Rule::Hash, unknown.clone())
                .to_string()
                .contains("Ann"),
            "{unknown}"
        );
        assert!(
            !reason(Rule::Keep, Rule::Drop, unknown.clone())
                .to_string()
                .contains("Ann"),
            "{unknown}"
        );
        assert_eq!(reason(Rule::Keep, Rule::Keep, unknown.clone()), unknown);
    }
    // Kept as free text, it names no agent where agents are not kept.
    let hashed = reason(Rule::Hash, Rule::Keep, json!("Billing:ann agent"));
    assert!(
        hashed.as_str().unwrap().starts_with("Billing:hmac:name:"),
        "{hashed}"
    );
    assert_eq!(
        reason(Rule::Drop, Rule::Keep, json!("Billing:Ann Agent")),
        "Billing:"
    );
}

#[test]
fn who_joined_and_is_told_as_a_text_is_not_named_in_reason() {
    for joined in [
        json!(["Cleo Agent"]),
        json!("Cleo Agent"),
        json!([[" cleo AGENT "]]),
        json!([{"joinedAt": "x"}, "Cleo Agent"]),
    ] {
        let agent = json!({"agentId": BOB, "JoinedUsers": joined});
        for destination in [
            json!({"respondingAgent": agent}),
            json!({"nonRespondingAgents": [agent]}),
            json!({"joinedusers": joined}),
        ] {
            let record = json!({"destinations": [destination], "Reason": "Billing:Cleo Agent"});
            let ruled = ruled(Rule::Hash, Rule::Keep, record);
            let reason = ruled["Reason"].as_str().unwrap();
            assert!(reason.starts_with("Billing:hmac:name:"), "{joined}: {reason}");
            assert!(!ruled.to_string().to_lowercase().contains("cleo"), "{ruled}");
        }
    }
}

#[test]
fn who_joined_and_who_was_consulted_are_agents() {
    let agent = || json!({"agentId": BOB, "email": "bob@example.com", "name": "Bob Agent"});
    let record = json!({"destinations": [{"respondingAgent": {
        "agentId": ANN, "JoinedUsers": [agent(), "Cleo Agent"], "ConsultingAgents": [agent()],
    }}]});
    let hashed = ruled(Rule::Hash, Rule::Keep, record.clone());
    let segment = &hashed["destinations"][0]["respondingAgent"];
    for field in ["agentId", "email", "name"] {
        let token = segment["JoinedUsers"][0][field].as_str().unwrap();
        assert!(token.starts_with("hmac:"), "{token}");
        assert_eq!(segment["ConsultingAgents"][0][field], token);
    }
    assert!(!hashed.to_string().contains("Cleo"));
    assert!(!ruled(Rule::Drop, Rule::Keep, record).to_string().contains("Cleo"));
}

#[test]
fn unknown_text_in_meta_info_is_free_text_at_every_depth() {
    let record = json!({"metaInfo": {
        "customData": {"experience": "CHAT", "note": "said", "more": [{"deep": "said"}]}, "other": [[{"x": "said"}]],
        "agentTransferConfig": {"dialog_tone": [{"tone_name": "sad", "level": 2.5, "count": 2, "totalLevel": 5, "words": "said"}], "z": "said"},
    }});
    for rule in [Rule::Hash, Rule::Drop] {
        let ruled = ruled(Rule::Keep, rule, record.clone());
        assert!(!ruled.to_string().contains("said"), "{ruled}");
        assert_eq!(ruled["metaInfo"]["customData"]["experience"], "CHAT");
        let tone = &ruled["metaInfo"]["agentTransferConfig"]["dialog_tone"][0];
        assert_eq!(
            (&tone["tone_name"], &tone["level"], &tone["totalLevel"]),
            (&json!("sad"), &json!(2.5), &json!(5))
        );
    }
}

#[test]
fn a_shadow_says_its_conversation_under_every_rule() {
    let mut policy = Policy {
        key: Some(PrivacyKey::new("0123456789abcdef0123456789abcdef")),
        ..Policy::default()
    };
    for rule in [Rule::Hash, Rule::Drop] {
        Class::ALL
            .into_iter()
            .for_each(|class| *policy.rule_mut(class) = rule);
        let under = |id: &str| {
            let record = session_with(json!({"channelSpecificUserId": id})).to_string();
            transform(&raw(record), origin(0), &policy).unwrap().rows.session
        };
        let shadow = under("66050d249f946671f64a0001/agentassist/c-c9d0a98-0000");
        assert_eq!(
            shadow.channel_specific_user_id.as_deref(),
            Some("66050d249f946671f64a0001/agentassist/c-c9d0a98-0000")
        );
        assert!(shadow.is_shadow);
        for other in [
            "66050d249f946671f64a0001/agentassist/jo@example.com",
            "66050d249f946671f64a0001/korevg/c-1",
            "Jo/agentassist/c-1/+4930",
        ] {
            let session = under(other);
            assert!(
                !session.is_shadow && session.channel_specific_user_id.as_deref() != Some(other),
                "{other}"
            );
        }
    }
}

#[test]
fn that_a_value_could_not_be_read_is_known_under_every_rule() {
    let record = json!({"destinations": [{"respondingAgent": {"interactionDuration": "Jane said so", "acceptedTime": "at noon"}}]});
    for rule in [Rule::Keep, Rule::Hash, Rule::Drop] {
        let ruled = ruled(Rule::Keep, rule, record.clone());
        let interaction = transform(&raw(ruled.to_string()), origin(0), &Policy::default()).unwrap();
        let segment = &interaction.rows.agent_segments[0];
        assert!(
            segment.extra.as_ref().unwrap().value()["interactionDuration"] != Value::Null,
            "{rule:?}"
        );
        assert_eq!(interaction.rows.session.warnings.len(), 2, "{rule:?}");
        assert_eq!(ruled.to_string().contains("Jane"), rule == Rule::Keep);
    }
}
