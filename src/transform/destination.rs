//! Reads destinations and their agent segments.

use super::Rows;
use super::duration::Span;
use super::fields::Fields;
use super::rows::{AgentSegment, Consultation, Destination, JoinedUser, Response};

const AGENT_SEGMENT: &str = "AgentSegment";

/// A direct transfer is its own agent segment.
pub(super) fn read(rows: &mut Rows, destination_index: i32, mut fields: Fields<'_>) {
    let destination_type = fields.label("destinationType");
    let is_segment = destination_type
        .as_deref()
        .is_some_and(|kind| kind.eq_ignore_ascii_case(AGENT_SEGMENT));
    // The privacy rules may have emptied `agentId`.
    let is_direct =
        is_segment || fields.has("agentId") || (destination_type.is_none() && fields.is_named("agentId"));
    let mut destination = Destination {
        destination_index,
        destination_type,
        queue_id: fields.indexed_id("queueId"),
        queue_name: fields.label("queueName"),
        callback_opted: fields.flag("CallbackOpted"),
        callback_opted_at: fields.instant("CallbackOptedTime"),
        callback_accepted_at: fields.instant("userCallbackAcceptTime"),
        entered_at: fields.instant("EnterTime"),
        extra: None,
    };
    let mut agents: Vec<(Response, Fields<'_>)> = fields
        .objects("nonRespondingAgents")
        .map(|(_, agent)| (Response::NonResponding, agent))
        .collect();
    agents.extend(
        fields
            .objects("respondingAgent")
            .map(|(_, agent)| (Response::Responding, agent)),
    );
    if is_direct {
        agents.push((Response::Direct, fields));
    } else {
        destination.extra = fields.rest();
    }
    rows.destinations.push(destination);
    for (segment_index, (response, agent)) in (0..).zip(agents) {
        let key = SegmentKey {
            destination_index,
            segment_index,
        };
        let segment = segment(rows, key, response, agent);
        rows.agent_segments.push(segment);
    }
}

#[derive(Clone, Copy)]
struct SegmentKey {
    destination_index: i32,
    segment_index: i32,
}

fn segment(rows: &mut Rows, key: SegmentKey, response: Response, mut fields: Fields<'_>) -> AgentSegment {
    consultations(rows, key, &mut fields);
    joined_users(rows, key, &mut fields);
    let accepted_at = fields.instant("acceptedTime");
    let assigned_at = fields.instant("assignedAt");
    let first_responded_at = fields.instant("firstResponseTime");
    let interaction_ended_at = fields.instant("interactionEndTime");
    let after_call_work_ended_at = fields.instant("afterCallWorkEndTime");
    let work = Span::between(accepted_at.or(assigned_at), interaction_ended_at);
    AgentSegment {
        destination_index: key.destination_index,
        segment_index: key.segment_index,
        response,
        agent_id: fields.indexed_id("agentId"),
        agent_name: fields.text("name"),
        agent_email: fields.text("email"),
        status: fields.label("status"),
        assigned_at,
        accepted_at,
        first_responded_at,
        first_response_seconds: fields.duration(
            "firstResponseDuration",
            Span::between(accepted_at, first_responded_at),
        ),
        interaction_ended_at,
        interaction_seconds: fields.duration("interactionDuration", work),
        hold_seconds: fields.duration("holdDuration", work),
        after_call_work_seconds: fields.duration(
            "afterCallWorkDuration",
            Span::between(interaction_ended_at, after_call_work_ended_at),
        ),
        after_call_work_ended_at,
        non_response_event: fields.label("nonResponseEvent"),
        agent_notes: fields.texts("agentNotes"),
        snooze_info: fields.json_in_utc("snoozeinfo"),
        agent_chose_translate: fields.flag("agentChoseTranslate"),
        extra: segment_extra(fields),
    }
}

fn segment_extra(mut fields: Fields<'_>) -> Option<serde_json::Value> {
    let kind = fields
        .text("destinationType")
        .filter(|kind| !kind.eq_ignore_ascii_case(AGENT_SEGMENT));
    let mut extra = fields.rest();
    if let Some(kind) = kind {
        let object = extra.get_or_insert_with(|| serde_json::json!({}));
        object["destinationType"] = kind.into();
    }
    extra
}

fn consultations(rows: &mut Rows, key: SegmentKey, fields: &mut Fields<'_>) {
    let consultations = fields
        .objects("ConsultingAgents")
        .map(|(consultation_index, mut consultation)| Consultation {
            destination_index: key.destination_index,
            segment_index: key.segment_index,
            consultation_index,
            consultant_name: consultation.text("name"),
            consultant_agent_id: consultation.indexed_id("agentId"),
            consultant_email: consultation.text("email"),
            is_merged: consultation.flag("isMerged"),
            assigned_at: consultation.instant("assignedAt"),
            accepted_at: consultation.instant("acceptedTime"),
            ended_at: consultation.instant("consultingEndTime"),
            extra: consultation.rest(),
        });
    rows.consultations.extend(consultations);
}

fn joined_users(rows: &mut Rows, key: SegmentKey, fields: &mut Fields<'_>) {
    let users = fields
        .objects_or("JoinedUsers", Some("name"))
        .map(|(user_index, mut user)| JoinedUser {
            destination_index: key.destination_index,
            segment_index: key.segment_index,
            user_index,
            agent_id: user.indexed_id("agentId"),
            name: user.text("name"),
            email: user.text("email"),
            joined_at: user.instant("joinedAt"),
            left_at: user.instant("end"),
            extra: user.rest(),
        });
    rows.joined_users.extend(users);
}
