//! What every field of a record is, as far as persons are concerned: the one list.
//!
//! A field that is not here is free text. `docs/privacy.md` shows this list to people.

use super::Class;
use super::hash::Kind;

/// What stands under a name. A list of something is treated as each of its elements.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    /// A part of the record's key. An object in its place is free text.
    Key,
    /// A value that says nothing of a person, like a status. An object in its place is free text.
    Plain,
    /// As [`Node::Plain`], where what cannot be read as such is free text.
    Flag,
    /// As [`Node::Flag`].
    Integer,
    /// As [`Node::Flag`]: a number that counts or measures, with a fraction or none.
    Number,
    /// As [`Node::Flag`].
    Duration,
    /// As [`Node::Flag`].
    Instant,
    /// Why a session ended: [`Node::Plain`] where it is a word that is known or a disposition, free text otherwise.
    Reason,
    /// An id of the customer in a channel; of a shadow session, the ids of its account and conversation.
    ChannelUser,
    /// Personal data of a class.
    Personal(Class, Kind),
    /// An object with fields of its own. A value in its place is free text.
    Object(Fields),
    /// As [`Node::Object`], where a value in its place is something else.
    ObjectOr(Fields, &'static Node),
    /// As [`Node::Object`], of fields of two kinds.
    Both(Fields, Fields),
}

/// The fields of an object, as documented.
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

/// What is in here is the bot's author's own: what is not known there is no drift.
pub(super) const META_INFO: &str = "metaInfo";

/// The record itself.
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
    // A queue entry, or an agent segment in its place.
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

/// Beside what the vendor documents, what its samples show.
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
    // May be a phone number: whoever was consulted.
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

/// What stands under a name, with the name as documented; it is found without regard to case, as the
/// readers of rows do.
pub(super) fn find(fields: Fields, name: &str) -> Option<(&'static str, Node)> {
    let known = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.copied()
}

/// Whether a record has a field of this name, as documented.
pub(in super::super) fn is_documented(name: &str) -> bool {
    find(RECORD, name).is_some()
}

/// Every field that holds no fields of its own, by its path, and its class; `None` for those that
/// are kept whatever the policy.
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
