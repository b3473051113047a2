//! Records as other versions of the API send them.

use serde_json::{Value, json};
use smartassist_etl::transform::{Interaction, Rows};

use super::{id, read, rows_of, session_with, texts};
use crate::support::instant;

/// One record of each shape.
fn records() -> Vec<Value> {
    serde_json::from_str(include_str!("fixtures/shapes_of_all_versions.json")).unwrap()
}

fn interactions() -> Vec<Interaction> {
    records().iter().map(read).collect()
}

#[test]
fn every_shape_is_rows_and_only_unknown_fields_are_left_over() {
    let interactions = interactions();
    assert_eq!(interactions.len(), 7);
    for interaction in &interactions {
        let rows = &interaction.rows;
        assert_eq!(interaction.drift, [], "{}", id(interaction));
        assert_eq!(rows.session.extra, None);
        let extras = rows.agent_segments.iter().map(|row| &row.extra);
        let extras = extras.chain(rows.consultations.iter().map(|row| &row.extra));
        assert!(
            extras
                .chain(rows.joined_users.iter().map(|row| &row.extra))
                .all(Option::is_none)
        );
    }
    let warned: Vec<_> = interactions
        .iter()
        .filter(|one| !one.rows.session.warnings.is_empty())
        .map(id)
        .collect();
    assert_eq!(warned, ["c-ed526c9-0000"]);
}

#[test]
fn hold_time_and_consulted_agents_have_columns() {
    let rows = &interactions()[0].rows;
    assert_eq!(rows.agent_segments[0].hold_seconds, Some(57));
    assert_eq!(rows.agent_segments[0].interaction_seconds, Some(104));
    let consultation = &rows.consultations[0];
    assert_eq!(consultation.consultant_agent_id.as_deref(), Some("u-a2"));
    assert_eq!(
        consultation.consultant_email.as_deref(),
        Some("agent.two@example.com")
    );
    assert_eq!(consultation.consultant_name.as_deref(), Some("Agent Two"));
}

#[test]
fn who_joined_is_a_row_also_where_only_a_name_is_told() {
    let rows = &interactions()[2].rows;
    let joined = &rows.joined_users[0];
    assert_eq!(
        (joined.destination_index, joined.segment_index, joined.user_index),
        (0, 0, 0)
    );
    assert_eq!(joined.agent_id.as_deref(), Some("u-a3"));
    assert_eq!(joined.name.as_deref(), Some("Agent Three"));
    assert_eq!(joined.email.as_deref(), Some("agent.three@example.com"));
    assert_eq!(joined.joined_at, Some(instant("2024-08-24T09:18:47Z")));
    assert_eq!(joined.left_at, Some(instant("2024-08-24T09:18:56Z")));
    let rows = rows_of(
        json!({"destinations": [{"respondingAgent": {"agentId": "u-1", "JoinedUsers": [
            "Pia Example", null, {"name": "Omar Example", "joinedAt": "later", "role": "coach"}, 7,
        ]}}]}),
    );
    let names: Vec<_> = rows
        .joined_users
        .iter()
        .map(|row| (row.user_index, row.name.as_deref()))
        .collect();
    assert_eq!(
        names,
        [(0, Some("Pia Example")), (2, Some("Omar Example")), (3, None)]
    );
    assert_eq!(
        rows.joined_users[1].extra,
        Some(json!({"joinedAt": "later", "role": "coach"}).into())
    );
    assert_eq!(rows.joined_users[2].extra, Some(json!({"value": 7}).into()));
}

#[test]
fn a_transient_open_session_has_not_ended() {
    let session = &interactions()[1].rows.session;
    assert_eq!(session.final_status.as_deref(), Some("TRANSIENT_OPEN"));
    assert_eq!(session.session_ended_at, None);
    let ended = |status: &str, end: &str| {
        rows_of(json!({"finalStatus": status, "sessionEndTime": end}))
            .session
            .session_ended_at
    };
    assert_eq!(ended(" transient_open", "2026-03-10T12:00:00"), None);
    assert_eq!(ended("TRANSIENT_OPEN", "2026-03-10T11:59:59"), None);
    let at = instant("2026-03-10T12:00:00Z");
    assert_eq!(ended("BotResolved", "2026-03-10T12:00:00"), Some(at));
    assert!(ended("TRANSIENT_OPEN", "2026-03-10T12:00:01").is_some());
}

#[test]
fn a_record_without_a_start_has_that_of_its_session_id() {
    let session = &interactions()[3].rows.session;
    assert_eq!(session.session_started_at, instant("2023-11-21T09:44:36Z"));
    assert_eq!(session.warnings, ["sessionStartTime: taken from sessionId"]);
    let id = "69b00a20637e80158be10001";
    for unreadable in [
        json!(null),
        json!("soon"),
        json!("0001-01-01T00:00:00"),
        json!("3/4/2026"),
    ] {
        let row = rows_of(json!({"sessionId": id, "sessionStartTime": unreadable})).session;
        assert_eq!(
            row.session_started_at,
            instant("2026-03-10T12:10:08Z"),
            "{unreadable}"
        );
        assert!(
            row.warnings
                .contains(&"sessionStartTime: taken from sessionId".to_owned())
        );
        let kept = row.extra.map(|extra| extra.value()["sessionStartTime"].clone());
        assert_eq!(kept, Some(unreadable).filter(|value| !value.is_null()));
    }
    // A start that can be read is the start, whatever the id says.
    let row = rows_of(json!({"sessionId": id})).session;
    assert_eq!(
        (row.session_started_at, row.warnings.len()),
        (instant("2026-03-10T12:00:00Z"), 0)
    );
}

#[test]
fn what_the_agents_assistant_leaves_is_a_shadow() {
    let shadows: Vec<bool> = interactions()
        .iter()
        .map(|one| one.rows.session.is_shadow)
        .collect();
    assert_eq!(shadows, [false, false, false, false, true, false, false]);
    let is_shadow = |fields: Value| read(&session_with(fields)).rows.session.is_shadow;
    for shadow in [
        json!({"channel": "agentassist"}),
        json!({"channel": " AGENTASSISTV2 "}),
        json!({"channel": "AgentAssistV2"}),
        json!({"channelSpecificUserId": "66050d249f946671f64a0001/agentassist/c-c9d0a98-0000"}),
        json!({"metaInfo": {"customData": {"isAgentAssistOnly": "true"}}}),
        json!({"metaInfo": {"CustomData": {"isAgentAssistOnly": true}}}),
        json!({"METAINFO": {"customdata": {"ISAGENTASSISTONLY": "yes"}}}),
    ] {
        assert!(is_shadow(shadow.clone()), "{shadow}");
    }
    let queue = json!([{"queueId": "q"}]);
    for contact in [
        json!({}),
        json!({"channel": "Voice"}),
        json!({"channelSpecificUserId": "66050d249f946671f64a0001/korevg/c-1"}),
        json!({"metaInfo": {"customData": {"isAgentAssistOnly": false}}}),
        json!({"metaInfo": {"customData": "isAgentAssistOnly"}}),
        // It waited in a queue: it is a contact.
        json!({"metaInfo": {"customData": {"isAgentAssistOnly": true}}, "destinations": queue}),
    ] {
        assert!(!is_shadow(contact.clone()), "{contact}");
    }
}

#[test]
fn a_label_has_no_white_space_around_it_and_keeps_its_case() {
    let rows = rows_of(json!({
        "channel": "Jones\u{2003}", "finalStatus": " CLOSED", "reason": "\tDROP-OFF\n", "dispositions": [" Sold ", "\u{a0}"],
        "sessionleveltags": [{"name": "tier ", "value": " gold "}], "errorDetails": " as sent ",
        "destinations": [{"queueName": " Default Queue ", "respondingAgent": {"status": "Answered ", "agentId": "u-1"}}],
    }));
    let Rows {
        session,
        destinations,
        agent_segments,
        tags,
        ..
    } = rows;
    assert_eq!(session.channel.as_deref(), Some("Jones"));
    assert_eq!(session.final_status.as_deref(), Some("CLOSED"));
    assert_eq!(session.reason.as_deref(), Some("DROP-OFF"));
    assert_eq!(session.dispositions, [Some("Sold".to_owned()), None]);
    assert_eq!(session.error_details.as_deref(), Some(" as sent "));
    assert_eq!(
        (tags[0].name.as_deref(), tags[0].value.as_deref()),
        (Some("tier"), Some(" gold "))
    );
    assert_eq!(destinations[0].queue_name.as_deref(), Some("Default Queue"));
    assert_eq!(agent_segments[0].status.as_deref(), Some("Answered"));
    assert_eq!(interactions()[1].rows.session.channel.as_deref(), Some("Jones"));
    assert_eq!(interactions()[6].rows.session.dispositions, texts(&["DROP-OFF"]));
}

#[test]
fn a_duration_that_its_stamps_contradict_is_null_with_a_warning() {
    let segment = |duration: Value| {
        let rows = rows_of(json!({"destinations": [{"respondingAgent": {
            "acceptedTime": "2026-03-10T12:00:00", "interactionEndTime": "2026-03-10T12:00:49", "interactionDuration": duration,
            "holdDuration": 30_000, "afterCallWorkDuration": 4,
        }}]}));
        (rows.agent_segments[0].clone(), rows.session.warnings)
    };
    let (right, warnings) = segment(json!(49.4));
    assert_eq!(
        (
            right.interaction_seconds,
            right.hold_seconds,
            right.after_call_work_seconds
        ),
        (Some(49), None, Some(4))
    );
    assert_eq!(warnings.len(), 1);
    let (wrong, warnings) = segment(json!(49_000));
    assert_eq!(wrong.interaction_seconds, None);
    assert_eq!(
        wrong.extra,
        Some(json!({"interactionDuration": 49_000, "holdDuration": 30_000}).into())
    );
    assert_eq!(warnings.len(), 2);
    assert!(
        warnings[0]
            .starts_with("destinations[0].respondingAgent.interactionDuration: more than a hundred times"),
        "{warnings:?}"
    );
}
