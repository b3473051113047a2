use chrono::{DateTime, Utc};

use crate::transform::{AgentSegment, Consultation, Rows};

use super::steps::{Step, agent_key, handle_seconds, is_answered, work_ended_at};
use super::{AgentOffer, FactBasis, count, label, outcome, seconds_between};

pub(super) fn of<'a>(rows: &'a Rows, steps: &[Step<'a>], basis: &FactBasis) -> Vec<AgentOffer<'a>> {
    let session = &rows.session;
    let last = steps.last().map(|step| step.destination.destination_index);
    // Scores belong to the last agent who answered.
    let scored = rows.agent_segments.iter().rfind(|segment| is_answered(segment));
    let offers = steps
        .iter()
        .flat_map(|step| step.segments.iter().map(move |segment| (step, segment)));
    let offer = |(step, segment): (&Step<'a>, &'a AgentSegment)| {
        let is_answered = is_answered(segment);
        let is_scored = scored.is_some_and(|scored| std::ptr::eq(scored, segment));
        let (offered_at, accepted_at) = instants(rows, step, segment);
        let assigned = basis.grouped(offered_at);
        let accepted = accepted_at.map(|at| basis.grouped(at));
        let consultations = consultations_of(rows, segment);
        let spans = consultations
            .iter()
            .filter_map(|one| seconds_between(one.accepted_at, one.ended_at));
        let merged = consultations.iter().filter(|one| one.is_merged == Some(true));
        AgentOffer {
            destination_index: segment.destination_index,
            segment_index: segment.segment_index,
            assigned_quarter_local: assigned.quarter_local,
            assigned_on: assigned.on,
            assigned_quarter: assigned.quarter,
            accepted_quarter_local: accepted.map(|accepted| accepted.quarter_local),
            accepted_on: accepted.map(|accepted| accepted.on),
            accepted_quarter: accepted.map(|accepted| accepted.quarter),
            assigned_at: segment.assigned_at,
            accepted_at: segment.accepted_at,
            work_ended_at: work_ended_at(segment).filter(|_| is_answered),
            session_started_at: session.session_started_at,
            conversation_id: session.conversation_id.as_deref(),
            channel: label(session.channel.as_deref()),
            direction: label(session.direction.as_deref()),
            queue_key: step.is_queue.then_some(step.queue_key),
            visit_queue_key: queue_of(steps, step),
            agent_key: agent_key(segment),
            outcome: if is_answered {
                "answered"
            } else {
                let event = segment.non_response_event.as_deref();
                outcome::not_answered(event, session.session_ended_at.is_some())
            },
            non_response_event: segment.non_response_event.as_deref(),
            transferred_out: (is_answered && Some(segment.destination_index) < last).into(),
            consultations: count(consultations.len()),
            consultations_merged: count(merged.count()),
            consult_seconds: spans.reduce(|all, one| all + one),
            pickup_seconds: seconds_between(segment.assigned_at, segment.accepted_at).filter(|_| is_answered),
            first_response_seconds: segment.first_response_seconds.filter(|_| is_answered),
            interaction_seconds: segment.interaction_seconds.filter(|_| is_answered),
            hold_seconds: segment.hold_seconds.filter(|_| is_answered),
            after_call_work_seconds: segment.after_call_work_seconds.filter(|_| is_answered),
            handle_seconds: handle_seconds(segment).filter(|_| is_answered),
            csat_score: session.csat_score.filter(|_| is_scored),
            nps_score: session.nps_score.filter(|_| is_scored),
        }
    };
    offers.map(offer).collect()
}

/// Of offer and acceptance: what has no stamp goes by the nearest one.
fn instants(rows: &Rows, step: &Step<'_>, segment: &AgentSegment) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
    let stamps = [
        segment.assigned_at,
        segment.accepted_at,
        step.destination.entered_at,
    ];
    let offered_at = stamps.into_iter().flatten().next();
    let offered_at = offered_at.unwrap_or(rows.session.session_started_at);
    let handled_at = segment.first_responded_at.unwrap_or(offered_at);
    let accepted_at = segment.accepted_at.or(is_answered(segment).then_some(handled_at));
    (offered_at, accepted_at)
}

/// Its own, or the last one before it.
fn queue_of<'a>(steps: &[Step<'a>], step: &Step<'a>) -> Option<&'a str> {
    let place = step.destination.destination_index;
    let until = steps
        .iter()
        .take_while(|other| other.destination.destination_index <= place);
    until
        .filter(|other| other.is_queue)
        .last()
        .map(|queue| queue.queue_key)
}

fn consultations_of<'a>(rows: &'a Rows, segment: &AgentSegment) -> Vec<&'a Consultation> {
    let place = (segment.destination_index, segment.segment_index);
    let is_of = |one: &&Consultation| (one.destination_index, one.segment_index) == place;
    rows.consultations.iter().filter(is_of).collect()
}
