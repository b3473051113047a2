//! One meaning, many spellings: key case, types that drift, lists that are none.

use serde_json::{Value, json};
use smartassist_etl::transform::Rows;

use super::{rows_of, texts};
use crate::support::instant;

#[test]
fn a_field_is_known_in_any_case() {
    let rows = rows_of(json!({
        "direction": "Inbound", "Reason": "NO AGENTS AVAILABLE",
        "destinations": [{
            "enterTime": "2026-03-10T12:00:04", "callbackOpted": true, "callbackOptedTime": "2026-03-10T12:00:20Z",
            "respondingAgent": {"consultingAgents": [{"name": "+15550177"}], "joinedUsers": ["Pia Example"]},
        }],
    }));
    assert_eq!(rows.session.direction.as_deref(), Some("Inbound"));
    assert_eq!(rows.session.reason.as_deref(), Some("NO AGENTS AVAILABLE"));
    let queue = &rows.destinations[0];
    assert_eq!(queue.entered_at, Some(instant("2026-03-10T12:00:04Z")));
    assert_eq!(queue.callback_opted, Some(true));
    assert_eq!(queue.callback_opted_at, Some(instant("2026-03-10T12:00:20Z")));
    assert_eq!(
        rows.consultations[0].consultant_name.as_deref(),
        Some("+15550177")
    );
    assert_eq!(rows.joined_users[0].name.as_deref(), Some("Pia Example"));
    assert_eq!(rows.session.extra, None);
}

#[test]
fn the_documented_spelling_of_a_field_wins() {
    let both = rows_of(json!({"reason": "Booking Changed", "Reason": "NO AGENTS AVAILABLE"}));
    assert_eq!(both.session.reason.as_deref(), Some("Booking Changed"));
    assert_eq!(
        both.session.extra,
        Some(json!({"Reason": "NO AGENTS AVAILABLE"}).into())
    );
    let one = rows_of(json!({"reason": "", "Reason": "NO AGENTS AVAILABLE"}));
    assert_eq!(one.session.reason.as_deref(), Some("NO AGENTS AVAILABLE"));
    assert_eq!(one.session.extra, None);
}

#[test]
fn a_flag_may_be_a_word_or_a_boolean() {
    for (sent, meant) in [
        (json!("NO"), Some(false)),
        (json!("YES"), Some(true)),
        (json!("no"), Some(false)),
        (json!(true), Some(true)),
        (json!(false), Some(false)),
        (json!("True"), Some(true)),
        (json!("False"), Some(false)),
        (json!(""), None),
        (json!(null), None),
    ] {
        let rows = rows_of(json!({"isVoicemail": sent, "destinations": [{"CallbackOpted": sent}]}));
        assert_eq!(rows.session.is_voicemail, meant, "{sent}");
        assert_eq!(rows.destinations[0].callback_opted, meant, "{sent}");
        assert!(rows.session.warnings.is_empty());
    }
}

#[test]
fn a_duration_may_be_text_or_a_float_without_a_fraction() {
    for sent in [json!(49), json!("49"), json!(49.0), json!("49.0")] {
        let rows = rows_of(json!({"destinations": [{"respondingAgent": {"interactionDuration": sent}}]}));
        assert_eq!(rows.agent_segments[0].interaction_seconds, Some(49), "{sent}");
    }
}

#[test]
fn a_text_that_came_as_something_else_is_its_json_text() {
    let rows = rows_of(json!({"userId": 42, "reason": ["a", "b"], "errorDetails": {"code": 7}}));
    assert_eq!(rows.session.user_id.as_deref(), Some("42"));
    assert_eq!(rows.session.reason.as_deref(), Some(r#"["a","b"]"#));
    assert_eq!(rows.session.error_details.as_deref(), Some(r#"{"code":7}"#));
}

const LISTS: [&str; 7] = [
    "automationBotIDs",
    "dispositions",
    "dispositionRemarks",
    "skills",
    "destinations",
    "userleveltags",
    "sessionleveltags",
];

#[test]
fn a_list_that_is_null_empty_or_absent_is_the_same() {
    let absent = rows_of(json!({}));
    for nothing in [json!(null), json!([]), json!("")] {
        let fields: Value = LISTS
            .iter()
            .map(|name| ((*name).to_owned(), nothing.clone()))
            .collect();
        assert_eq!(rows_of(fields), absent, "{nothing}");
    }
}

#[test]
fn the_lists_of_a_segment_may_be_null_too() {
    let segment = |lists: Value| -> Rows {
        rows_of(json!({"destinations": [{"respondingAgent": {
            "agentId": "u-1", "agentNotes": lists, "ConsultingAgents": lists, "JoinedUsers": lists, "snoozeinfo": lists,
        }}]}))
    };
    assert_eq!(segment(json!(null)), segment(json!([])));
    assert_eq!(segment(json!("")), segment(json!([])));
    assert!(segment(json!(null)).agent_segments[0].agent_notes.is_empty());
}

#[test]
fn a_lone_text_counts_as_a_list_of_one() {
    let rows = rows_of(json!({
        "automationBotIDs": "st-1", "dispositions": "Booking Changed", "dispositionRemarks": "moved",
        "campaigninfo": {"contactListName": "North"},
        "destinations": [{"respondingAgent": {"agentNotes": "calm"}}],
    }));
    assert_eq!(rows.session.automation_bot_ids, texts(&["st-1"]));
    assert_eq!(rows.session.dispositions, texts(&["Booking Changed"]));
    assert_eq!(rows.session.disposition_remarks, texts(&["moved"]));
    assert_eq!(rows.session.campaign_contact_lists, texts(&["North"]));
    assert_eq!(rows.agent_segments[0].agent_notes, texts(&["calm"]));
}

#[test]
fn a_single_object_and_a_list_of_one_are_read_alike() {
    let rows = rows_of(json!({
        "userleveltags": {"name": "tier", "value": "gold"},
        "destinations": {
            "queueId": "qu-1", "nonRespondingAgents": {"agentId": "u-1"},
            "respondingAgent": [{"agentId": "u-2", "ConsultingAgents": {"name": "+15550177"}}],
        },
    }));
    assert_eq!(rows.tags.len(), 1);
    assert_eq!(rows.destinations.len(), 1);
    let agents: Vec<_> = rows
        .agent_segments
        .iter()
        .map(|row| row.agent_id.as_deref())
        .collect();
    assert_eq!(agents, [Some("u-1"), Some("u-2")]);
    assert_eq!(rows.consultations[0].segment_index, 1);
    assert!(rows.session.warnings.is_empty());
}

#[test]
fn an_unreadable_value_is_null_with_a_warning_that_names_it() {
    let rows = rows_of(json!({
        "isVoicemail": "perhaps", "sessionEndTime": "later", "csatScore": 4.5, "npsScore": "ten",
        "campaigninfo": {"attempt": [2], "campaignRunDate": 20_261_310},
        "destinations": [{}, {
            "CallbackOpted": {}, "EnterTime": "2026-02-30T12:00:00",
            "nonRespondingAgents": [{"assignedAt": true}],
            "respondingAgent": {"interactionDuration": "long", "ConsultingAgents": [{"isMerged": 2}]},
        }],
    }));
    assert_eq!(
        rows.session.warnings,
        [
            "isVoicemail: not a yes or no",
            "sessionEndTime: not a date and time",
            "csatScore: not a whole number",
            "npsScore: not a whole number",
            "campaigninfo.attempt: not a whole number",
            "campaigninfo.campaignRunDate: before 2000 or after 2099, which means never",
            "destinations[1].CallbackOpted: not a yes or no",
            "destinations[1].EnterTime: not a date and time",
            "destinations[1].nonRespondingAgents[0].assignedAt: not a date and time",
            "destinations[1].respondingAgent.ConsultingAgents[0].isMerged: not a yes or no",
            "destinations[1].respondingAgent.interactionDuration: not a duration in seconds",
        ]
    );
    assert_eq!(rows.session.csat_score, None);
    assert_eq!(rows.agent_segments.len(), 2);
}

#[test]
fn an_object_that_came_as_something_else_is_kept_in_extra() {
    let rows = rows_of(json!({"campaigninfo": "Spring", "customerinfo": [1], "metaInfo": "none"}));
    assert_eq!(
        rows.session.extra,
        Some(json!({"campaigninfo": "Spring", "customerinfo": [1]}).into())
    );
    assert_eq!(rows.session.meta_info, Some(json!("none").into()));
    assert_eq!(
        rows.session.warnings,
        [
            "metaInfo: not an object",
            "customerinfo: not an object",
            "campaigninfo: not an object"
        ]
    );
}

#[test]
fn a_destination_that_is_no_object_keeps_its_place() {
    let rows = rows_of(json!({"destinations": ["lost", {"queueId": "qu-1"}]}));
    assert_eq!(rows.destinations[0].extra, Some(json!({"value": "lost"}).into()));
    assert_eq!(rows.destinations[1].destination_index, 1);
    assert_eq!(rows.session.warnings, ["destinations[0]: not an object"]);
}

#[test]
fn what_cannot_be_read_is_kept_in_the_rows_extra() {
    let rows = rows_of(json!({
        "csatScore": "four",
        "destinations": [{"EnterTime": "noon", "respondingAgent": {"interactionDuration": "long"}}],
    }));
    assert_eq!(rows.session.extra, Some(json!({"csatScore": "four"}).into()));
    assert_eq!(
        rows.destinations[0].extra,
        Some(json!({"EnterTime": "noon"}).into())
    );
    assert_eq!(
        rows.agent_segments[0].extra,
        Some(json!({"interactionDuration": "long"}).into())
    );
}

#[test]
fn an_empty_element_of_a_list_of_texts_keeps_its_place() {
    let rows = rows_of(json!({"dispositions": ["A", "B"], "dispositionRemarks": ["", "on B"]}));
    assert_eq!(rows.session.disposition_remarks, [None, Some("on B".to_owned())]);
}

#[test]
fn an_element_that_says_nothing_is_no_row() {
    let rows = rows_of(json!({
        "destinations": [null, {"queueId": "qu-1", "nonRespondingAgents": [null, {}], "respondingAgent": {}}],
    }));
    assert_eq!(rows.destinations.len(), 1);
    assert_eq!(rows.destinations[0].destination_index, 1);
    assert!(rows.agent_segments.is_empty());
}
