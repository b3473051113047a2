//! Rows of one interaction; database comments explain the columns.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

/// One row of `sessions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each is the column of that name, described in the database"
)]
pub struct Session {
    pub session_id: Option<String>,
    pub conversation_id: Option<String>,
    pub channel: Option<String>,
    pub direction: Option<String>,
    pub is_voicemail: Option<bool>,
    pub session_started_at: DateTime<Utc>,
    pub session_ended_at: Option<DateTime<Utc>>,
    pub bot_id: Option<String>,
    pub user_id: Option<String>,
    pub channel_specific_user_id: Option<String>,
    pub org_id: Option<String>,
    pub smart_status: Option<String>,
    pub final_status: Option<String>,
    pub reason: Option<String>,
    pub disconnecting_event: Option<String>,
    pub error_details: Option<String>,
    pub automation_bot_ids: Vec<Option<String>>,
    pub dispositions: Vec<Option<String>>,
    pub disposition_remarks: Vec<Option<String>>,
    pub skills: Option<Value>,
    pub survey_type: Option<String>,
    pub csat_score: Option<i32>,
    pub nps_score: Option<i32>,
    pub like_dislike_score: Option<i32>,
    pub csat_feedback: Option<String>,
    pub customer_phone: Option<String>,
    pub center_phone: Option<String>,
    pub customer_first_name: Option<String>,
    pub customer_last_name: Option<String>,
    pub customer_email: Option<String>,
    pub caller: Option<String>,
    pub callee: Option<String>,
    pub caller_host: Option<String>,
    pub dialed_number: Option<String>,
    pub ip_address: Option<String>,
    pub host_domain: Option<String>,
    pub os: Option<String>,
    pub last_intent_name: Option<String>,
    pub last_intent_user_input: Option<String>,
    pub campaign_id: Option<String>,
    pub campaign_name: Option<String>,
    pub campaign_instance_id: Option<String>,
    pub campaign_dialing_list_id: Option<String>,
    pub campaign_attempt: Option<i32>,
    pub campaign_contact_status: Option<String>,
    pub campaign_run_at: Option<DateTime<Utc>>,
    pub campaign_contact_lists: Vec<Option<String>>,
    pub meta_info: Option<Value>,
    pub extra: Option<Value>,
    pub warnings: Vec<String>,
    pub is_shadow: bool,
}

/// One row of `destinations`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each is the column of that name, described in the database"
)]
pub struct Destination {
    pub destination_index: i32,
    pub destination_type: Option<String>,
    pub queue_id: Option<String>,
    pub queue_name: Option<String>,
    pub callback_opted: Option<bool>,
    pub callback_opted_at: Option<DateTime<Utc>>,
    pub callback_accepted_at: Option<DateTime<Utc>>,
    pub entered_at: Option<DateTime<Utc>>,
    pub extra: Option<Value>,
}

/// One row of `agent_segments`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each is the column of that name, described in the database"
)]
pub struct AgentSegment {
    pub destination_index: i32,
    pub segment_index: i32,
    pub response: Response,
    pub agent_id: Option<String>,
    pub agent_name: Option<String>,
    pub agent_email: Option<String>,
    pub status: Option<String>,
    pub assigned_at: Option<DateTime<Utc>>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub first_responded_at: Option<DateTime<Utc>>,
    pub first_response_seconds: Option<i32>,
    pub interaction_ended_at: Option<DateTime<Utc>>,
    pub interaction_seconds: Option<i32>,
    pub hold_seconds: Option<i32>,
    pub after_call_work_seconds: Option<i32>,
    pub after_call_work_ended_at: Option<DateTime<Utc>>,
    pub non_response_event: Option<String>,
    pub agent_notes: Vec<Option<String>>,
    pub snooze_info: Option<Value>,
    pub agent_chose_translate: Option<bool>,
    pub extra: Option<Value>,
}

/// Position in the destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// In `respondingAgent`.
    #[default]
    Responding,
    /// In `nonRespondingAgents`.
    NonResponding,
    /// The destination itself.
    Direct,
}

impl Response {
    /// Spelling in column `response`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Responding => "responding",
            Self::NonResponding => "non_responding",
            Self::Direct => "direct",
        }
    }
}

/// One row of `consultations`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each is the column of that name, described in the database"
)]
pub struct Consultation {
    pub destination_index: i32,
    pub segment_index: i32,
    pub consultation_index: i32,
    pub consultant_name: Option<String>,
    pub consultant_agent_id: Option<String>,
    pub consultant_email: Option<String>,
    pub is_merged: Option<bool>,
    pub assigned_at: Option<DateTime<Utc>>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub extra: Option<Value>,
}

/// One row of `joined_users`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each is the column of that name, described in the database"
)]
pub struct JoinedUser {
    pub destination_index: i32,
    pub segment_index: i32,
    pub user_index: i32,
    pub agent_id: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub joined_at: Option<DateTime<Utc>>,
    pub left_at: Option<DateTime<Utc>>,
    pub extra: Option<Value>,
}

/// One row of `tags`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each is the column of that name, described in the database"
)]
pub struct Tag {
    pub tag_scope: TagScope,
    pub tag_index: i32,
    pub name: Option<String>,
    pub value: Option<String>,
    pub extra: Option<Value>,
}

/// What a tag belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TagScope {
    /// In `userleveltags`.
    User,
    /// In `sessionleveltags`.
    Session,
}

impl TagScope {
    /// Spelling in column `tag_scope`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Session => "session",
        }
    }
}
