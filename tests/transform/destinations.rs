//! Queues and agents: both shapes of a destination, and who was in it.

use serde_json::{Value, json};
use smartassist_etl::transform::{Response, Rows};

use super::rows_of;
use crate::support::instant;

fn rows_in(destinations: Value) -> Rows {
    rows_of(json!({"destinations": destinations}))
}

/// Who stood where: destination, segment, how, agent.
fn segments(rows: &Rows) -> Vec<(i32, i32, Response, Option<&str>)> {
    rows.agent_segments
        .iter()
        .map(|row| {
            (
                row.destination_index,
                row.segment_index,
                row.response,
                row.agent_id.as_deref(),
            )
        })
        .collect()
}

#[test]
fn non_responding_agents_precede_the_responding_one() {
    let rows = rows_in(json!([{
        "destinationType": "QueueEntry",
        "respondingAgent": {"agentId": "u-3"},
        "nonRespondingAgents": [{"agentId": "u-1", "nonResponseEvent": "Ignored"}, {"agentId": "u-2"}],
    }]));
    assert_eq!(
        segments(&rows),
        [
            (0, 0, Response::NonResponding, Some("u-1")),
            (0, 1, Response::NonResponding, Some("u-2")),
            (0, 2, Response::Responding, Some("u-3")),
        ]
    );
    assert_eq!(
        rows.agent_segments[0].non_response_event.as_deref(),
        Some("Ignored")
    );
}

#[test]
fn a_direct_transfer_is_a_destination_and_a_segment() {
    let rows = rows_in(json!([{
        "destinationType": "AgentSegment", "agentId": "u-1", "name": "Noor Example", "email": "noor@example.com",
        "status": "Answered", "assignedAt": "2026-03-10T12:00:05", "interactionDuration": 75,
    }]));
    assert_eq!(rows.destinations.len(), 1);
    assert_eq!(
        rows.destinations[0].destination_type.as_deref(),
        Some("AgentSegment")
    );
    assert_eq!(rows.destinations[0].queue_id, None);
    assert_eq!(segments(&rows), [(0, 0, Response::Direct, Some("u-1"))]);
    let segment = &rows.agent_segments[0];
    assert_eq!(segment.agent_name.as_deref(), Some("Noor Example"));
    assert_eq!(segment.agent_email.as_deref(), Some("noor@example.com"));
    assert_eq!(segment.status.as_deref(), Some("Answered"));
    assert_eq!(segment.assigned_at, Some(instant("2026-03-10T12:00:05Z")));
    assert_eq!(segment.interaction_seconds, Some(75));
    assert_eq!(segment.extra, None);
}

#[test]
fn an_agent_in_an_untyped_destination_is_a_direct_one() {
    let rows = rows_in(json!([{"agentId": "u-1"}]));
    assert_eq!(segments(&rows), [(0, 0, Response::Direct, Some("u-1"))]);
    assert_eq!(rows.destinations[0].destination_type, None);
}

#[test]
fn a_queue_that_nobody_answered_has_no_segment() {
    for agents in [json!(null), json!([]), json!("")] {
        let rows = rows_in(json!([{
            "destinationType": "QueueEntry", "queueId": "qu-1", "queueName": "Rooms", "CallbackOpted": false,
            "EnterTime": "2026-03-10T12:00:04", "nonRespondingAgents": agents, "respondingAgent": agents,
        }]));
        assert!(rows.agent_segments.is_empty());
        let queue = &rows.destinations[0];
        assert_eq!(queue.queue_id.as_deref(), Some("qu-1"));
        assert_eq!(queue.queue_name.as_deref(), Some("Rooms"));
        assert_eq!(queue.callback_opted, Some(false));
        assert_eq!(queue.entered_at, Some(instant("2026-03-10T12:00:04Z")));
        assert_eq!(queue.extra, None);
    }
}

#[test]
fn an_empty_responding_agent_is_nobody() {
    assert!(
        rows_in(json!([{"queueId": "qu-1", "respondingAgent": {}}]))
            .agent_segments
            .is_empty()
    );
}

#[test]
fn destinations_keep_their_order_as_index() {
    let rows = rows_in(json!([
        {"queueId": "qu-1", "nonRespondingAgents": [{"agentId": "u-1"}]},
        {"queueId": "qu-2"},
        {"destinationType": "AgentSegment", "agentId": "u-2"},
    ]));
    let queues: Vec<_> = rows
        .destinations
        .iter()
        .map(|row| (row.destination_index, row.queue_id.as_deref()))
        .collect();
    assert_eq!(queues, [(0, Some("qu-1")), (1, Some("qu-2")), (2, None)]);
    assert_eq!(
        segments(&rows),
        [
            (0, 0, Response::NonResponding, Some("u-1")),
            (2, 0, Response::Direct, Some("u-2"))
        ]
    );
}

#[test]
fn consultations_belong_to_their_segment_and_count_from_zero() {
    let rows = rows_in(json!([{
        "nonRespondingAgents": [{"agentId": "u-1"}],
        "respondingAgent": {"agentId": "u-2", "ConsultingAgents": [
            {"name": "+15550177", "isMerged": "True", "assignedAt": "2026-03-10T12:01:00",
             "acceptedTime": "2026-03-10T12:01:10", "consultingEndTime": "2026-03-10T12:02:00"},
            {"name": "Omar Example", "isMerged": false, "holdSeconds": 4},
        ]},
    }]));
    let [phone, colleague] = rows.consultations.as_slice() else {
        panic!("{:?}", rows.consultations)
    };
    assert_eq!(
        (
            phone.destination_index,
            phone.segment_index,
            phone.consultation_index
        ),
        (0, 1, 0)
    );
    assert_eq!(phone.consultant_name.as_deref(), Some("+15550177"));
    assert_eq!(phone.is_merged, Some(true));
    assert_eq!(phone.assigned_at, Some(instant("2026-03-10T12:01:00Z")));
    assert_eq!(phone.accepted_at, Some(instant("2026-03-10T12:01:10Z")));
    assert_eq!(phone.ended_at, Some(instant("2026-03-10T12:02:00Z")));
    assert_eq!(colleague.consultation_index, 1);
    assert_eq!(colleague.is_merged, Some(false));
    assert_eq!(colleague.extra, Some(json!({"holdSeconds": 4}).into()));
}

#[test]
fn an_agent_may_work_on_after_the_session_has_ended() {
    let rows = rows_of(json!({
        "sessionEndTime": "2026-03-10T12:05:00",
        "destinations": [{"respondingAgent": {
            "agentId": "u-1", "interactionEndTime": "2026-03-10T12:05:03", "interactionDuration": 180,
            "afterCallWorkDuration": 600, "afterCallWorkEndTime": "2026-03-10T12:15:03",
        }}],
    }));
    let segment = &rows.agent_segments[0];
    assert_eq!(
        rows.session.session_ended_at,
        Some(instant("2026-03-10T12:05:00Z"))
    );
    assert_eq!(
        segment.interaction_ended_at,
        Some(instant("2026-03-10T12:05:03Z"))
    );
    assert_eq!(
        segment.after_call_work_ended_at,
        Some(instant("2026-03-10T12:15:03Z"))
    );
    assert_eq!(segment.after_call_work_seconds, Some(600));
    assert!(rows.session.warnings.is_empty());
}

#[test]
fn a_duration_of_zero_is_zero_and_an_absent_one_null() {
    let rows = rows_in(json!([{"respondingAgent": {"firstResponseDuration": 0}}]));
    assert_eq!(rows.agent_segments[0].first_response_seconds, Some(0));
    assert_eq!(rows.agent_segments[0].after_call_work_seconds, None);
}

#[test]
fn newer_fields_of_a_segment_have_their_columns() {
    let snoozes = json!([{"snoozeStartTime": "2026-03-10T12:03:00Z", "snoozeDuration": 60}]);
    let rows = rows_in(json!([{"respondingAgent": {
        "agentId": "u-1", "snoozeinfo": snoozes, "agentChoseTranslate": true, "JoinedUsers": [{"name": "Pia Example"}],
    }}]));
    let segment = &rows.agent_segments[0];
    assert_eq!(segment.snooze_info, Some(snoozes.into()));
    assert_eq!(segment.agent_chose_translate, Some(true));
    assert_eq!(rows.joined_users[0].name.as_deref(), Some("Pia Example"));
}

#[test]
fn nobody_joined_and_nothing_snoozed_is_null() {
    let rows = rows_in(json!([{"respondingAgent": {"agentId": "u-1", "JoinedUsers": [], "snoozeinfo": []}}]));
    assert_eq!(rows.joined_users, []);
    assert_eq!(rows.agent_segments[0].snooze_info, None);
}

#[test]
fn unknown_fields_are_the_extra_of_the_row_they_stood_in() {
    let rows = rows_in(json!([
        {"queueId": "qu-1", "priority": 3, "respondingAgent": {"agentId": "u-1", "coach": {"id": "u-9"}}},
        {"destinationType": "AgentSegment", "agentId": "u-2", "coach": "u-8"},
    ]));
    assert_eq!(rows.destinations[0].extra, Some(json!({"priority": 3}).into()));
    assert_eq!(
        rows.agent_segments[0].extra,
        Some(json!({"coach": {"id": "u-9"}}).into())
    );
    assert_eq!(rows.destinations[1].extra, None);
    assert_eq!(rows.agent_segments[1].extra, Some(json!({"coach": "u-8"}).into()));
}

#[test]
fn a_segment_of_another_type_keeps_it() {
    let rows = rows_in(json!([{"respondingAgent": {"agentId": "u-1", "destinationType": "BotSegment"}}]));
    assert_eq!(
        rows.agent_segments[0].extra,
        Some(json!({"destinationType": "BotSegment"}).into())
    );
}

#[test]
fn an_id_too_long_for_an_index_is_kept_as_extra_with_a_warning() {
    let long = "x".repeat(513);
    let rows = rows_in(json!([{"queueId": long, "respondingAgent": {"agentId": long}}]));
    assert_eq!(rows.destinations[0].queue_id, None);
    assert_eq!(rows.destinations[0].extra, Some(json!({"queueId": long}).into()));
    assert_eq!(rows.agent_segments[0].agent_id, None);
    assert_eq!(
        rows.agent_segments[0].extra,
        Some(json!({"agentId": long}).into())
    );
    assert_eq!(
        rows.session.warnings,
        [
            "destinations[0].queueId: longer than 512 bytes",
            "destinations[0].respondingAgent.agentId: longer than 512 bytes",
        ]
    );
}
