use super::interaction::unanswered;
use super::{
    AgentOffer, FactBasis, Instant, QueueVisit, Step, agent_key, count, handle_seconds, is_answered, label,
    seconds_between, work_ended_at,
};
use crate::transform::{AgentSegment, Consultation, Rows};

pub(super) fn visits<'a>(rows: &'a Rows, steps: &[Step<'a>], basis: &FactBasis) -> Vec<QueueVisit<'a>> {
    let begin = steps.iter().position(|step| step.is_queue).unwrap_or(steps.len());
    let stays: Vec<_> = steps[begin..].chunk_by(|_, next| !next.is_queue).collect();
    (0..stays.len())
        .map(|place| visit(rows, &stays, place, basis))
        .collect()
}

/// A stay: a queue, and the agents who were offered it directly from there.
fn visit<'a>(rows: &'a Rows, stays: &[&[Step<'a>]], place: usize, basis: &FactBasis) -> QueueVisit<'a> {
    let stay = stays[place];
    let before = place.checked_sub(1).map(|before| &stays[before][0]);
    let next = stays.get(place + 1).map(|next| &next[0]);
    let last = rows.destinations.last().map(|last| last.destination_index);
    let (session, queue) = (&rows.session, stay[0].destination);
    let has_opted = queue.callback_opted == Some(true);
    let answering = stay.iter().find(|step| step.answer.is_some());
    let answer = answering.and_then(|step| step.answer);
    let answered_at = answer.and_then(|segment| segment.accepted_at);
    let offered_at = answer.and_then(|segment| segment.assigned_at);
    let next_entered_at = next.and_then(|next| next.destination.entered_at);
    let given_at = stay[1..].iter().filter_map(Step::assigned_at).min();
    let ended_at = session.session_ended_at;
    let outcome = match answer {
        Some(_) => "answered",
        None if next.is_some() => "flowed_out",
        None if ended_at.is_none() => "waiting",
        None if stay.len() > 1 => "transferred_unanswered",
        None => unanswered(session, has_opted),
    };
    let left_at = match outcome {
        "waiting" => None,
        "answered" => answered_at.or(offered_at).or(next_entered_at).or(ended_at),
        "callback_open" => queue.callback_opted_at.or(ended_at),
        _ => next_entered_at.or(given_at).or(ended_at),
    };
    let entered = basis.grouped(queue.entered_at.unwrap_or(session.session_started_at));
    let until = if answer.is_some() { answered_at } else { left_at };
    let is_connected = answered_at >= queue.callback_opted_at && queue.callback_opted_at.is_some();
    QueueVisit {
        destination_index: queue.destination_index,
        entered_quarter_local: entered.quarter_local,
        entered_on: entered.on,
        entered_quarter: entered.quarter,
        entered_at: queue.entered_at,
        session_started_at: session.session_started_at,
        conversation_id: session.conversation_id.as_deref(),
        channel: label(session.channel.as_deref()),
        direction: label(session.direction.as_deref()),
        campaign_name: session.campaign_name.as_deref(),
        last_intent_name: session.last_intent_name.as_deref(),
        visit_number: count(place + 1),
        queue_key: stay[0].queue_key,
        previous_queue_key: before.map(|before| before.queue_key),
        next_queue_key: next.map(|next| next.queue_key),
        outcome,
        answered_at,
        left_at,
        wait_seconds: seconds_between(queue.entered_at, until),
        agent_key: answer.map(agent_key),
        transferred_out: answering
            .is_some_and(|step| Some(step.destination.destination_index) < last)
            .into(),
        callback_opted: has_opted.into(),
        callback_connected: (has_opted && is_connected).into(),
        callback_asked_seconds: seconds_between(queue.entered_at, queue.callback_opted_at)
            .filter(|_| has_opted),
        callback_seconds: seconds_between(queue.callback_opted_at, queue.callback_accepted_at),
    }
}

pub(super) fn offers<'a>(rows: &'a Rows, steps: &[Step<'a>], basis: &FactBasis) -> Vec<AgentOffer<'a>> {
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
                not_answered(event, session.session_ended_at.is_some())
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
fn instants(rows: &Rows, step: &Step<'_>, segment: &AgentSegment) -> (Instant, Option<Instant>) {
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
    let is_it = |other: &&Step<'a>| other.is_queue && other.destination.destination_index <= place;
    steps.iter().rfind(is_it).map(|queue| queue.queue_key)
}

fn consultations_of<'a>(rows: &'a Rows, segment: &AgentSegment) -> Vec<&'a Consultation> {
    let place = (segment.destination_index, segment.segment_index);
    let is_of = |one: &&Consultation| (one.destination_index, one.segment_index) == place;
    rows.consultations.iter().filter(is_of).collect()
}

fn not_answered(event: Option<&str>, has_session_ended: bool) -> &'static str {
    match event {
        Some(event) if !event.to_lowercase().starts_with("ignor") => "taken_away",
        None if !has_session_ended => "ringing",
        _ => "missed",
    }
}
