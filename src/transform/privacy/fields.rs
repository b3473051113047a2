//! Privacy class of every field, as in `docs/privacy.md`; others are free text.

use super::Class;
use super::hash::Kind;

#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    Key,
    /// Not personal; an object is free text.
    Plain,
    /// This and the next four: unreadable values are free text.
    Flag,
    Integer,
    Number,
    Duration,
    Instant,
    /// Plain if known or a disposition, otherwise free text.
    Reason,
    /// A customer id, or a shadow's conversation.
    ChannelUser,
    Personal(Class, Kind),
    /// Anything but an object is free text.
    Object(Fields),
    ObjectOr(Fields, &'static Node),
    Both(Fields, Fields),
}

pub(super) type Fields = &'static [(&'static str, Node)];

use Node::{
    Both, ChannelUser, Duration, Flag, Instant, Integer, Key, Number, Object, ObjectOr, Personal, Plain,
    Reason,
};

const CUSTOMER_ID: Node = Personal(Class::Customer, Kind::UserId);
const CUSTOMER_PHONE: Node = Personal(Class::Customer, Kind::Phone);
const CUSTOMER_EMAIL: Node = Personal(Class::Customer, Kind::Email);
const CUSTOMER_NAME: Node = Personal(Class::Customer, Kind::Name);
const AGENT_ID: Node = Personal(Class::Agent, Kind::UserId);
const AGENT_EMAIL: Node = Personal(Class::Agent, Kind::Email);
const AGENT_NAME: Node = Personal(Class::Agent, Kind::Name);
const ADDRESS: Node = Personal(Class::Network, Kind::Address);
const FREE_TEXT: Node = Personal(Class::FreeText, Kind::Text);
const TAG_VALUE: Node = Personal(Class::TagValues, Kind::TagValue);

/// Bots define their own fields, so unknown ones are no drift.
pub(super) const META_INFO: &str = "metaInfo";

pub(super) const RECORD: Fields = &[
    ("sessionId", Key),
    ("conversationId", Key),
    ("channel", Plain),
    ("Direction", Plain),
    ("isVoicemail", Flag),
    ("sessionStartTime", Instant),
    ("sessionEndTime", Instant),
    ("botId", Plain),
    ("userId", CUSTOMER_ID),
    ("channelSpecificUserId", ChannelUser),
    ("orgId", Plain),
    ("smartStatus", Plain),
    ("finalStatus", Plain),
    ("reason", Reason),
    ("disconnectingEvent", Plain),
    ("errorDetails", FREE_TEXT),
    ("automationBotIDs", Plain),
    ("dispositions", Plain),
    ("dispositionRemarks", FREE_TEXT),
    (
        "skills",
        ObjectOr(&[("id", Plain), ("_id", Plain), ("name", Plain)], &Plain),
    ),
    ("surveyType", Plain),
    ("csatScore", Integer),
    ("npsScore", Integer),
    ("likeDislikeScore", Integer),
    ("csatFeedback", FREE_TEXT),
    ("campaigninfo", Object(CAMPAIGN)),
    ("customerinfo", Object(CUSTOMER)),
    (META_INFO, Object(META)),
    ("sessionleveltags", Object(TAG)),
    ("userleveltags", Object(TAG)),
    ("destinations", Both(DESTINATION, AGENT)),
];

const CAMPAIGN: Fields = &[
    ("campaignId", Plain),
    ("campaignName", Plain),
    ("campaignInstanceId", Plain),
    ("campaignDialingListId", Plain),
    ("attempt", Integer),
    ("contactStatus", Plain),
    ("campaignRunDate", Instant),
    ("contactListName", Plain),
];

const CUSTOMER: Fields = &[
    ("CustomerPhone", CUSTOMER_PHONE),
    ("CenterPhone", CUSTOMER_PHONE),
    ("CustomerFirstName", CUSTOMER_NAME),
    ("CustomerLastName", CUSTOMER_NAME),
    ("CustomerEmail", CUSTOMER_EMAIL),
    ("Direction", Plain),
];

const META: Fields = &[
    ("caller", CUSTOMER_PHONE),
    ("callee", CUSTOMER_PHONE),
    ("dialedNumber", CUSTOMER_PHONE),
    ("endUserNumber", CUSTOMER_PHONE),
    ("phoneNumber", CUSTOMER_PHONE),
    ("email", CUSTOMER_EMAIL),
    ("emailId", CUSTOMER_EMAIL),
    ("firstName", CUSTOMER_NAME),
    ("lastName", CUSTOMER_NAME),
    ("userId", CUSTOMER_ID),
    ("_id", CUSTOMER_ID),
    ("identities", Object(&[("val", CUSTOMER_ID), ("type", Plain)])),
    ("profImage", CUSTOMER_NAME),
    ("jTitle", CUSTOMER_NAME),
    ("dept", CUSTOMER_NAME),
    ("customerinfo", Object(CUSTOMER)),
    ("callerHost", ADDRESS),
    ("ipAddress", ADDRESS),
    ("hostDomain", ADDRESS),
    ("os", Plain),
    ("countryCode", Plain),
    ("agentTransferConfig", Object(TRANSFER)),
    (
        "customData",
        Object(&[
            ("isAgentAssistOnly", Flag),
            ("agentId", AGENT_ID),
            ("experience", Plain),
        ]),
    ),
    ("transcribeConfig", Object(&[("transcribe", Flag)])),
    (
        "workinghours",
        Object(&[("workdays", Plain), ("workstart", Plain), ("workend", Plain)]),
    ),
    ("profColour", Plain),
    ("activationStatus", Plain),
    ("orgId", Plain),
    ("accountId", Plain),
    ("campaignName", Plain),
    ("Initiation", Plain),
    ("attempt", Integer),
    ("category", Plain),
];

const TRANSFER: Fields = &[
    ("lastIntentName", Plain),
    ("lastIntentuserInput", FREE_TEXT),
    ("skillsIds", Plain),
    ("overrideAgents", Flag),
    ("overrideValues", Plain),
    (
        "assistEvents",
        Object(&[("startEvent", Object(&[("isEnabled", Flag)]))]),
    ),
    ("automationBotId", Plain),
    ("dialog_tone", ObjectOr(TONE, &Plain)),
    ("accountId", Plain),
    ("noAgentsFlowId", Plain),
    ("sendTranscriptLink", Flag),
];

const TONE: Fields = &[
    ("tone_name", Plain),
    ("level", Number),
    ("count", Integer),
    ("totalLevel", Number),
];

const TAG: Fields = &[("name", Plain), ("value", TAG_VALUE)];

const DESTINATION: Fields = &[
    ("destinationType", Plain),
    ("queueId", Plain),
    ("queueName", Plain),
    ("CallbackOpted", Flag),
    ("CallbackOptedTime", Instant),
    ("userCallbackAcceptTime", Instant),
    ("EnterTime", Instant),
    ("respondingAgent", Object(AGENT)),
    ("nonRespondingAgents", Object(AGENT)),
];

const AGENT: Fields = &[
    ("destinationType", Plain),
    ("agentId", AGENT_ID),
    ("name", AGENT_NAME),
    ("email", AGENT_EMAIL),
    ("status", Plain),
    ("assignedAt", Instant),
    ("acceptedTime", Instant),
    ("firstResponseTime", Instant),
    ("firstResponseDuration", Duration),
    ("interactionEndTime", Instant),
    ("interactionDuration", Duration),
    ("holdDuration", Duration),
    ("afterCallWorkDuration", Duration),
    ("afterCallWorkEndTime", Instant),
    ("nonResponseEvent", Plain),
    ("agentNotes", FREE_TEXT),
    ("JoinedUsers", ObjectOr(JOINED_USER, &AGENT_NAME)),
    ("snoozeinfo", AGENT_NAME),
    ("agentChoseTranslate", Flag),
    ("ConsultingAgents", Object(CONSULTATION)),
];

const CONSULTATION: Fields = &[
    // May be a phone number.
    ("name", AGENT_NAME),
    ("agentId", AGENT_ID),
    ("email", AGENT_EMAIL),
    ("isMerged", Flag),
    ("assignedAt", Instant),
    ("acceptedTime", Instant),
    ("consultingEndTime", Instant),
];

const JOINED_USER: Fields = &[
    ("agentId", AGENT_ID),
    ("name", AGENT_NAME),
    ("email", AGENT_EMAIL),
    ("joinedAt", Instant),
    ("end", Instant),
];

pub(super) fn find(fields: Fields, name: &str) -> Option<(&'static str, Node)> {
    let known = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.copied()
}

pub(in super::super) fn is_documented(name: &str) -> bool {
    find(RECORD, name).is_some()
}

/// All leaf fields with class; `None` is always kept.
pub fn listed() -> Vec<(String, Option<Class>)> {
    let mut listed = Vec::new();
    list(RECORD, "", &mut listed);
    listed
}

fn list(fields: Fields, path: &str, listed: &mut Vec<(String, Option<Class>)>) {
    for (name, node) in fields {
        let path = if path.is_empty() {
            (*name).to_owned()
        } else {
            format!("{path}.{name}")
        };
        match node {
            Personal(class, _) => listed.push((path, Some(*class))),
            Object(fields) => list(fields, &path, listed),
            ObjectOr(fields, lone) => {
                if let Personal(class, _) = lone {
                    listed.push((path.clone(), Some(*class)));
                }
                list(fields, &path, listed);
            }
            ChannelUser => listed.push((path, Some(Class::Customer))),
            Reason => listed.push((path, Some(Class::FreeText))),
            Both(one, other) => {
                list(one, &path, listed);
                list(other, &path, listed);
            }
            Key | Plain | Flag | Integer | Number | Duration | Instant => listed.push((path, None)),
        }
    }
}
