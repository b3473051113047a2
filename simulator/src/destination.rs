//! The typed model of where a conversation went, and what its agents did.

use chrono::{DateTime, Utc};

use crate::interaction::Text;

/// Where a conversation was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `QueueEntry`.
    Queue(QueueEntry),
    /// A bare `AgentSegment`: a direct transfer.
    Agent(AgentSegment),
}

impl Destination {
    /// The first instant of it.
    #[must_use]
    pub const fn entered(&self) -> DateTime<Utc> {
        match self {
            Self::Queue(queue) => queue.entered,
            Self::Agent(agent) => agent.assigned,
        }
    }
}

/// A stay in a queue, with a responding agent, non-responding ones, both or neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// `queueId`.
    pub queue_id: Text,
    /// `queueName`; empty for a blank.
    pub queue_name: Text,
    /// `EnterTime`, whole seconds.
    pub entered: DateTime<Utc>,
    /// Present if the customer asked to be called back.
    pub callback: Option<Callback>,
    /// `respondingAgent`.
    pub responding: Option<Box<AgentSegment>>,
    /// `nonRespondingAgents`.
    pub non_responding: Vec<AgentSegment>,
}

/// A wish to be called back; both instants are UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callback {
    /// `CallbackOptedTime`.
    pub opted: DateTime<Utc>,
    /// `userCallbackAcceptTime`.
    pub accepted: Option<DateTime<Utc>>,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// `agentId`.
    pub id: Text,
    /// `name`.
    pub name: Text,
    /// `email`.
    pub email: Text,
}

/// What one agent did. Instants have whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSegment {
    /// The agent.
    pub agent: Agent,
    /// `agentNotes`.
    pub notes: Vec<Text>,
    /// `assignedAt`.
    pub assigned: DateTime<Utc>,
    /// `acceptedTime`; `None` for an agent that did not respond.
    pub accepted: Option<DateTime<Utc>>,
    /// `firstResponseTime`.
    pub first_response: Option<DateTime<Utc>>,
    /// `interactionEndTime`; may lie after the session's end.
    pub ended: Option<DateTime<Utc>>,
    /// `afterCallWorkDuration` in seconds, from the end on.
    pub after_call_work_seconds: Option<u32>,
    /// `nonResponseEvent`; empty for none.
    pub non_response_event: Text,
    /// `ConsultingAgents`.
    pub consultations: Vec<Consultation>,
    /// The names in `JoinedUsers`.
    pub joined_users: Vec<Text>,
    /// `snoozeinfo`.
    pub snoozes: Vec<Snooze>,
    /// `agentChoseTranslate`.
    pub chose_translate: Option<bool>,
}

/// A second agent asked for help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consultation {
    /// `name`, or a phone number.
    pub name: Text,
    /// `assignedAt`.
    pub assigned: DateTime<Utc>,
    /// `acceptedTime`.
    pub accepted: Option<DateTime<Utc>>,
    /// `consultingEndTime`.
    pub ended: Option<DateTime<Utc>>,
    /// `isMerged`.
    pub merged: Option<bool>,
}

/// A conversation put aside for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snooze {
    /// `snoozeStartTime`.
    pub from: DateTime<Utc>,
    /// `snoozeEndTime`.
    pub to: DateTime<Utc>,
}
