use crate::transform::Rows;

use super::steps::{Step, agent_key};
use super::{FactBasis, QueueVisit, count, label, outcome, seconds_between};

/// A queue, and the agents who were offered it directly from there.
struct Stay<'s, 'a> {
    queue: &'s Step<'a>,
    /// The queue first.
    steps: &'s [Step<'a>],
    /// Whether a destination follows the one that answered.
    last: i32,
}

pub(super) fn of<'a>(rows: &'a Rows, steps: &[Step<'a>], basis: &FactBasis) -> Vec<QueueVisit<'a>> {
    let Some(last) = steps.last().map(|step| step.destination.destination_index) else {
        return Vec::new();
    };
    let begin = steps.iter().position(|step| step.is_queue).unwrap_or(steps.len());
    let mut stays: Vec<Stay<'_, 'a>> = Vec::new();
    let mut rest = &steps[begin..];
    while let [queue, after @ ..] = rest {
        let length = 1 + after.iter().take_while(|step| !step.is_queue).count();
        let (own, others) = rest.split_at(length);
        stays.push(Stay {
            queue,
            steps: own,
            last,
        });
        rest = others;
    }
    let visit = |place: usize| {
        let before = place.checked_sub(1).map(|before| &stays[before]);
        stays[place].visit(rows, (before, stays.get(place + 1)), place, basis)
    };
    (0..stays.len()).map(visit).collect()
}

impl<'a> Stay<'_, 'a> {
    fn visit(
        &self,
        rows: &'a Rows,
        (before, next): (Option<&Self>, Option<&Self>),
        place: usize,
        basis: &FactBasis,
    ) -> QueueVisit<'a> {
        let (session, queue) = (&rows.session, self.queue.destination);
        let answering = self.steps.iter().find(|step| step.answer.is_some());
        let answer = answering.and_then(|step| step.answer);
        let answered_at = answer.and_then(|segment| segment.accepted_at);
        let offered_at = answer.and_then(|segment| segment.assigned_at);
        let next_entered_at = next.and_then(|next| next.queue.destination.entered_at);
        let given_at = self.steps[1..].iter().filter_map(Step::assigned_at).min();
        let ended_at = session.session_ended_at;
        let outcome = if answer.is_some() {
            "answered"
        } else if next.is_some() {
            "flowed_out"
        } else if ended_at.is_none() {
            "waiting"
        } else if self.steps.len() > 1 {
            "transferred_unanswered"
        } else {
            outcome::unanswered(session, queue.callback_opted == Some(true))
        };
        let left_at = match outcome {
            "waiting" => None,
            "answered" => answered_at.or(offered_at).or(next_entered_at).or(ended_at),
            "callback_open" => queue.callback_opted_at.or(ended_at),
            _ => next_entered_at.or(given_at).or(ended_at),
        };
        let entered = basis.grouped(queue.entered_at.unwrap_or(session.session_started_at));
        let until = if answer.is_some() { answered_at } else { left_at };
        let has_opted = queue.callback_opted == Some(true);
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
            queue_key: self.queue.queue_key,
            previous_queue_key: before.map(|before| before.queue.queue_key),
            next_queue_key: next.map(|next| next.queue.queue_key),
            outcome,
            answered_at,
            left_at,
            wait_seconds: seconds_between(queue.entered_at, until),
            agent_key: answer.map(agent_key),
            transferred_out: answering
                .is_some_and(|step| step.destination.destination_index < self.last)
                .into(),
            callback_opted: has_opted.into(),
            callback_connected: (has_opted && is_connected).into(),
            callback_asked_seconds: seconds_between(queue.entered_at, queue.callback_opted_at)
                .filter(|_| has_opted),
            callback_seconds: seconds_between(queue.callback_opted_at, queue.callback_accepted_at),
        }
    }
}
