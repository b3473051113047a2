//! The typed model of a record: instants in UTC and one meaning for every field. How it is spelled in JSON is the
//! business of the rendering, so a test can state what it expects without knowing the spelling.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{destination::Destination, spelling::Spelling};

/// A text that is mostly one of a few constants.
pub type Text = Cow<'static, str>;

/// One session. Without a conversation it never left the bot.
///
/// A record shows what is known at the time of the request: an end in the future is not told yet, and neither are
/// dispositions and surveys of a session that has not ended, nor steps of an agent that are still to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Interaction {
    /// `sessionId`, unique in a world.
    pub session_id: String,
    /// `sessionStartTime`, whole seconds.
    pub start: DateTime<Utc>,
    /// `sessionEndTime`, whole seconds; `None` for a session left open.
    pub end: Option<DateTime<Utc>>,
    /// `channel`.
    pub channel: Channel,
    /// `botId`, the instance bot.
    pub bot_id: Text,
    /// `orgId`.
    pub org_id: Text,
    /// `userId`.
    pub user_id: String,
    /// `channelSpecificUserId`.
    pub channel_specific_user_id: String,
    /// `automationBotIDs`.
    pub automation_bot_ids: Vec<Text>,
    /// `smartStatus` once ended.
    pub smart_status: Text,
    /// `finalStatus` once ended.
    pub final_status: Text,
    /// `reason`.
    pub reason: Text,
    /// `disconnectingEvent`.
    pub disconnecting_event: Text,
    /// `errorDetails`.
    pub error_details: Text,
    /// `userleveltags`.
    pub user_level_tags: Vec<Tag>,
    /// `sessionleveltags`.
    pub session_level_tags: Vec<Tag>,
    /// What an agent or a queue had to do with it.
    pub conversation: Option<Box<Conversation>>,
    /// How the record is written.
    pub spelling: Spelling,
}

/// The part of a session that was handed to a queue or an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// `conversationId`.
    pub id: String,
    /// `Direction`.
    pub direction: Direction,
    /// `isVoicemail`.
    pub voicemail: bool,
    /// `dispositions`.
    pub dispositions: Vec<Text>,
    /// `dispositionRemarks`.
    pub disposition_remarks: Vec<Text>,
    /// `skills`.
    pub skills: Vec<Skill>,
    /// The survey that the customer answered.
    pub survey: Option<Survey>,
    /// `customerinfo`.
    pub customer: Option<Customer>,
    /// `metaInfo`.
    pub meta: MetaInfo,
    /// `campaigninfo`.
    pub campaign: Option<Campaign>,
    /// `destinations`, in order.
    pub destinations: Vec<Destination>,
}

/// The channels that the generator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// `Web/Mobile Client`, filtered as `rtm`.
    WebMobile,
    /// `Voice`, filtered as `voice`.
    Voice,
    /// `System Mail`, filtered as `email`.
    SystemMail,
    /// `agentassist`: what the agent's assistant leaves beside a conversation.
    AgentAssist,
}

impl Channel {
    /// The name in a record.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::WebMobile => "Web/Mobile Client",
            Self::Voice => "Voice",
            Self::SystemMail => "System Mail",
            Self::AgentAssist => "agentassist",
        }
    }

    /// The name in the `channels` filter of a request.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::WebMobile => "rtm",
            Self::Voice => "voice",
            Self::SystemMail => "email",
            Self::AgentAssist => "agentassist",
        }
    }
}

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The customer came.
    Inbound,
    /// The centre called.
    Outbound,
}

impl Direction {
    /// The name in a record and in a request.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Inbound => "Inbound",
            Self::Outbound => "Outbound",
        }
    }
}

/// A tag; the value is mostly text but may be anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// `name`.
    pub name: Text,
    /// `value`.
    pub value: Value,
}

/// A skill that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skill {
    /// `id`.
    pub id: Text,
    /// `name`.
    pub name: Text,
}

/// The answer to a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// `surveyType`.
    pub kind: SurveyKind,
    /// The score: 1 to 5, 0 to 10, or 0 and 1.
    pub score: u8,
    /// `csatFeedback`; empty for none.
    pub feedback: Text,
}

/// The kinds of survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SurveyKind {
    /// `csat`, 1 to 5.
    Csat,
    /// `nps`, 0 to 10.
    Nps,
    /// `likeDislike`, 0 or 1.
    LikeDislike,
}

/// `customerinfo`. Empty texts are blanks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customer {
    /// `CustomerPhone`.
    pub phone: String,
    /// `CenterPhone`.
    pub center_phone: Text,
    /// `CustomerFirstName`.
    pub first_name: Text,
    /// `CustomerLastName`.
    pub last_name: Text,
    /// `CustomerEmail`.
    pub email: String,
}

/// The parts of `metaInfo` that vary; the rest of it is the same in every record of a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaInfo {
    /// `caller` of a call.
    pub caller: String,
    /// `callee` and `dialedNumber` of a call.
    pub callee: String,
    /// `callerHost` of a call, `ipAddress` of a chat; may carry a port.
    pub address: String,
    /// `agentTransferConfig.lastIntentName`.
    pub last_intent: Text,
    /// `agentTransferConfig.lastIntentuserInput`.
    pub last_input: Text,
    /// `category`.
    pub category: Text,
    /// Whether the agent's profile (working hours, picture) is repeated in it.
    pub profile: bool,
}

/// `campaigninfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// `campaignId`.
    pub id: Text,
    /// `campaignName`.
    pub name: Text,
    /// `campaignInstanceId`.
    pub instance_id: String,
    /// `campaignDialingListId`.
    pub dialing_list_id: String,
    /// `attempt`; `None` is written as an empty text.
    pub attempt: Option<u8>,
    /// `contactStatus`.
    pub contact_status: Text,
    /// `campaignRunDate`, UTC with milliseconds.
    pub run_at: DateTime<Utc>,
    /// `contactListName`.
    pub contact_lists: Vec<Text>,
}
