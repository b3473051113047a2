use crate::transform::record::is;
use crate::transform::{AgentSegment, Destination, JsonText, Response, Rows};

use super::{Instant, UNKNOWN};

/// A key must fit an index.
const LONGEST_NAME: usize = 500;

/// A destination: a queue, or an agent directly.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) destination: &'a Destination,
    pub(super) is_queue: bool,
    pub(super) queue_key: &'a str,
    pub(super) segments: &'a [AgentSegment],
    /// The first answered segment.
    pub(super) answer: Option<&'a AgentSegment>,
}

impl Step<'_> {
    pub(super) fn assigned_at(&self) -> Option<Instant> {
        self.segments
            .iter()
            .filter_map(|segment| segment.assigned_at)
            .min()
    }
}

/// In the API's order.
pub(super) fn of(rows: &Rows) -> Vec<Step<'_>> {
    let mut segments = rows.agent_segments.as_slice();
    let step = |destination: &'_ Destination| {
        let is_of = |segment: &AgentSegment| segment.destination_index == destination.destination_index;
        let own = segments.iter().take_while(|segment| is_of(segment)).count();
        let (own, rest) = segments.split_at(own);
        segments = rest;
        (own, own.iter().find(|segment| is_answered(segment)))
    };
    let found: Vec<_> = rows.destinations.iter().map(step).collect();
    let steps = rows.destinations.iter().zip(found);
    steps
        .map(|(destination, (segments, answer))| Step {
            destination,
            is_queue: destination.is_queue(),
            queue_key: dimension_key(destination.queue_id.as_deref(), destination.queue_name.as_deref()),
            segments,
            answer,
        })
        .collect()
}

impl Destination {
    /// Else an agent.
    pub fn is_queue(&self) -> bool {
        self.queue_id.is_some()
            || self.queue_name.is_some()
            || is(self.destination_type.as_deref(), "QueueEntry")
    }
}

/// The API calls its agent responding, or a direct transfer was accepted or responded to.
pub(super) fn is_answered(segment: &AgentSegment) -> bool {
    match segment.response {
        Response::Responding => true,
        Response::NonResponding => false,
        Response::Direct => segment.accepted_at.is_some() || segment.first_responded_at.is_some(),
    }
}

pub(super) fn agent_key(segment: &AgentSegment) -> &str {
    dimension_key(segment.agent_id.as_deref(), segment.agent_name.as_deref())
}

/// The id, or the name if there is none.
pub fn dimension_key<'a>(id: Option<&'a str>, name: Option<&'a str>) -> &'a str {
    let cut = |name: &'a str| {
        let end = name
            .char_indices()
            .nth(LONGEST_NAME)
            .map_or(name.len(), |(end, _)| end);
        &name[..end]
    };
    id.or(name.map(cut)).unwrap_or(UNKNOWN)
}

/// It was sent, but could not be read.
pub(super) fn has_unreadable_work(segment: &AgentSegment) -> bool {
    let is_left_over = |extra: &JsonText| extra.value().get("afterCallWorkDuration").is_some();
    segment.after_call_work_seconds.is_none() && segment.extra.as_ref().is_some_and(is_left_over)
}

/// Including after-call work.
pub(super) fn work_ended_at(segment: &AgentSegment) -> Option<Instant> {
    segment.interaction_ended_at.max(segment.after_call_work_ended_at)
}

pub(super) fn handle_seconds(segment: &AgentSegment) -> Option<i64> {
    let spoken = segment
        .interaction_seconds
        .filter(|_| !has_unreadable_work(segment))?;
    Some(i64::from(spoken) + i64::from(segment.after_call_work_seconds.unwrap_or(0)))
}
