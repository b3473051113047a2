//! The fields of a record, and how the API writes each.

/// How a field of the API is written.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Flag,
    Integer,
    Instant,
    Texts,
    Json,
    Object(&'static [(Kind, &'static [&'static str])]),
    List(&'static [(Kind, &'static [&'static str])]),
}

const CONSULTATION: &[(Kind, &[&str])] = &[
    (Kind::Text, &["name", "agentId", "email"]),
    (Kind::Flag, &["isMerged"]),
    (
        Kind::Instant,
        &["assignedAt", "acceptedTime", "consultingEndTime"],
    ),
    (Kind::Json, &["unknown"]),
];

const JOINED_USER: &[(Kind, &[&str])] = &[
    (Kind::Text, &["agentId", "name", "email"]),
    (Kind::Instant, &["joinedAt", "end"]),
    (Kind::Json, &["unknown"]),
];

const AGENT: &[(Kind, &[&str])] = &[
    (
        Kind::Text,
        &["agentId", "name", "email", "status", "nonResponseEvent"],
    ),
    (
        Kind::Instant,
        &[
            "assignedAt",
            "acceptedTime",
            "firstResponseTime",
            "interactionEndTime",
            "afterCallWorkEndTime",
        ],
    ),
    (
        Kind::Integer,
        &[
            "firstResponseDuration",
            "interactionDuration",
            "holdDuration",
            "afterCallWorkDuration",
        ],
    ),
    (Kind::Texts, &["agentNotes"]),
    (Kind::Flag, &["agentChoseTranslate"]),
    (Kind::Json, &["snoozeinfo", "unknown"]),
    (Kind::List(CONSULTATION), &["ConsultingAgents"]),
    (Kind::List(JOINED_USER), &["JoinedUsers"]),
];

const DESTINATION: &[(Kind, &[&str])] = &[
    (Kind::Text, &["destinationType", "queueId", "queueName"]),
    (Kind::Flag, &["CallbackOpted"]),
    (
        Kind::Instant,
        &["CallbackOptedTime", "userCallbackAcceptTime", "EnterTime"],
    ),
    (Kind::Json, &["unknown"]),
    (Kind::List(AGENT), &["nonRespondingAgents"]),
    (Kind::Object(AGENT), &["respondingAgent"]),
];

const TAG: &[(Kind, &[&str])] = &[(Kind::Text, &["name", "value"]), (Kind::Json, &["unknown"])];

pub(super) const RECORD: &[(Kind, &[&str])] = &[
    (
        Kind::Text,
        &[
            "channel",
            "Direction",
            "botId",
            "userId",
            "channelSpecificUserId",
            "orgId",
            "smartStatus",
            "finalStatus",
            "reason",
            "disconnectingEvent",
            "errorDetails",
            "surveyType",
            "csatFeedback",
        ],
    ),
    (Kind::Flag, &["isVoicemail"]),
    (Kind::Instant, &["sessionEndTime"]),
    (Kind::Integer, &["csatScore", "npsScore", "likeDislikeScore"]),
    (
        Kind::Texts,
        &["automationBotIDs", "dispositions", "dispositionRemarks"],
    ),
    (Kind::Json, &["skills", "unknown"]),
    (
        Kind::Object(&[
            (
                Kind::Text,
                &[
                    "caller",
                    "callee",
                    "callerHost",
                    "dialedNumber",
                    "ipAddress",
                    "hostDomain",
                    "os",
                ],
            ),
            (
                Kind::Object(&[(Kind::Text, &["lastIntentName", "lastIntentuserInput"])]),
                &["agentTransferConfig"],
            ),
            (Kind::Json, &["unknown"]),
        ]),
        &["metaInfo"],
    ),
    (
        Kind::Object(&[(
            Kind::Text,
            &[
                "CustomerPhone",
                "CenterPhone",
                "CustomerFirstName",
                "CustomerLastName",
                "CustomerEmail",
                "unknown",
            ],
        )]),
        &["customerinfo"],
    ),
    (
        Kind::Object(&[
            (
                Kind::Text,
                &[
                    "campaignId",
                    "campaignName",
                    "campaignInstanceId",
                    "campaignDialingListId",
                    "contactStatus",
                ],
            ),
            (Kind::Integer, &["attempt"]),
            (Kind::Instant, &["campaignRunDate"]),
            (Kind::Texts, &["contactListName"]),
        ]),
        &["campaigninfo"],
    ),
    (Kind::List(TAG), &["sessionleveltags", "userleveltags"]),
    (Kind::List(DESTINATION), &["destinations"]),
];
