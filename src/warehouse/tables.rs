//! Columns of the tables in schema `smartassist`.

use crate::transform::{AgentSegment, Consultation, Destination, Interaction, JoinedUser, Tag};

use super::columns::{Table, columns};

pub(super) static SESSIONS: Table<Interaction> = Table {
    name: "smartassist.sessions",
    constants: &[
        ("account_id", "constant.account_id"),
        ("first_seen_at", "constant.written_at"),
        ("last_changed_at", "constant.written_at"),
        ("missing_since", "null::timestamptz"),
    ],
    columns: columns!(Interaction, row;
        row.rows.session => {
            text: session_id conversation_id channel direction bot_id user_id
                channel_specific_user_id org_id smart_status final_status reason disconnecting_event error_details
                survey_type csat_feedback customer_phone center_phone customer_first_name customer_last_name
                customer_email caller callee caller_host dialed_number ip_address host_domain os last_intent_name
                last_intent_user_input campaign_id campaign_name campaign_instance_id campaign_dialing_list_id
                campaign_contact_status;
            flag: is_voicemail is_shadow;
            integer: csat_score nps_score like_dislike_score campaign_attempt;
            instant: session_started_at session_ended_at campaign_run_at;
            texts: automation_bot_ids dispositions disposition_remarks campaign_contact_lists warnings;
            json: skills meta_info extra;
        }
        row => {
            hash: content_hash;
        }
    ),
    updates: true,
    kept: &["first_seen_at"],
};

/// Rebuilt rows say nothing about what the API returns now.
pub(super) static REBUILT_SESSIONS: Table<Interaction> = Table {
    name: SESSIONS.name,
    constants: SESSIONS.constants,
    columns: SESSIONS.columns,
    updates: SESSIONS.updates,
    kept: &["first_seen_at", "missing_since"],
};

pub(super) static DESTINATIONS: Table<Destination> = Table {
    name: "smartassist.destinations",
    constants: &[],
    columns: columns!(Destination, row;
        row => {
            text: destination_type queue_id queue_name;
            integer: destination_index;
            flag: callback_opted;
            instant: callback_opted_at callback_accepted_at entered_at;
            json: extra;
        }
    ),
    updates: false,
    kept: &[],
};

pub(super) static AGENT_SEGMENTS: Table<AgentSegment> = Table {
    name: "smartassist.agent_segments",
    constants: &[],
    columns: columns!(AgentSegment, row;
        row => {
            text: response agent_id agent_name agent_email status non_response_event;
            integer: destination_index segment_index first_response_seconds interaction_seconds
                hold_seconds after_call_work_seconds;
            instant: assigned_at accepted_at first_responded_at interaction_ended_at after_call_work_ended_at;
            texts: agent_notes;
            json: snooze_info extra;
            flag: agent_chose_translate;
        }
    ),
    updates: false,
    kept: &[],
};

pub(super) static CONSULTATIONS: Table<Consultation> = Table {
    name: "smartassist.consultations",
    constants: &[],
    columns: columns!(Consultation, row;
        row => {
            text: consultant_name consultant_agent_id consultant_email;
            integer: destination_index segment_index consultation_index;
            flag: is_merged;
            instant: assigned_at accepted_at ended_at;
            json: extra;
        }
    ),
    updates: false,
    kept: &[],
};

pub(super) static JOINED_USERS: Table<JoinedUser> = Table {
    name: "smartassist.joined_users",
    constants: &[],
    columns: columns!(JoinedUser, row;
        row => {
            text: agent_id name email;
            integer: destination_index segment_index user_index;
            instant: joined_at left_at;
            json: extra;
        }
    ),
    updates: false,
    kept: &[],
};

pub(super) static TAGS: Table<Tag> = Table {
    name: "smartassist.tags",
    constants: &[],
    columns: columns!(Tag, row;
        row => {
            text: tag_scope name value;
            integer: tag_index;
            json: extra;
        }
    ),
    updates: false,
    kept: &[],
};

pub(super) static RAW_INTERACTIONS: Table<Interaction> = Table {
    name: "smartassist.raw_interactions",
    constants: &[
        ("fetched_at", "constant.written_at"),
        ("time_zone_offset", "constant.time_zone_offset"),
    ],
    columns: columns!(Interaction, row;
        row => {
            json_text: payload;
        }
    ),
    updates: true,
    kept: &[],
};
