//! Every variation of a record that the API is known to send, and the rows that it becomes.

use serde_json::{Map, Value, json};

use super::rows_of;

/// The rows of a session with these fields, without the columns that say nothing.
fn told(fields: Value) -> Value {
    fn strip(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| (name, strip(value)));
                let says =
                    |(_, value): &(String, Value)| !matches!(value, Value::Null) && *value != json!([]);
                Value::Object(fields.filter(says).collect::<Map<_, _>>())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(strip).collect()),
            value => value,
        }
    }
    strip(serde_json::to_value(rows_of(fields)).unwrap())
}

macro_rules! variations {
    ($($name:ident: $fields:tt),+ $(,)?) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(serde_json::to_string_pretty(&told(json!($fields))).unwrap());
        }
    )+};
}

variations! {
    a_queue_entry_without_agents: {"destinations": [{"destinationType": "QueueEntry", "queueId": "q", "EnterTime": "2026-03-10T12:00:04"}]},
    a_queue_entry_with_agents_of_both_kinds: {"destinations": [{
        "destinationType": "QueueEntry", "queueId": "q", "queueName": "Desk",
        "nonRespondingAgents": [{"agentId": "a-1", "nonResponseEvent": "Ignored"}, {"agentId": "a-2", "nonResponseEvent": "Supervisor Reassigned"}],
        "respondingAgent": {"agentId": "a-3", "status": "Answered", "firstResponseDuration": 4.0, "interactionDuration": "49"},
    }]},
    a_bare_agent_segment: {"destinations": [{"destinationType": "AgentSegment", "agentId": "a", "email": "a@example.com", "acceptedTime": "2026-03-10 2:25:54"}]},
    a_lone_destination_and_lone_agents: {"destinations": {"queueId": "q", "nonRespondingAgents": {"agentId": "a"}, "respondingAgent": [{"agentId": "b"}]}},
    lists_that_are_null: {"destinations": null, "automationBotIDs": null, "dispositions": null, "sessionleveltags": null, "skills": null},
    a_callback_with_two_time_bases: {"destinations": [{"queueId": "q", "CallbackOpted": "True",
        "CallbackOptedTime": "2026-03-10T12:00:20.810Z", "userCallbackAcceptTime": "2026-03-10T12:01:00Z", "EnterTime": "2026-03-10T12:00:04"}]},
    a_consultant_who_is_a_phone_number: {"destinations": [{"respondingAgent": {"agentId": "a", "ConsultingAgents": {"name": "+15550100",
        "isMerged": "NO", "assignedAt": "2026-03-10T12:00:44"}}}]},
    keys_in_another_case: {"direction": "Outbound", "Reason": "Late", "isvoicemail": "YES", "Destinations": [{"enterTime": "2026-03-10T12:00:04", "queueid": "q"}]},
    customer_info_at_the_top: {"customerinfo": {"CustomerPhone": "1888456780", "CenterPhone": 1234567890, "Direction": "Inbound", "CustomerFirstName": "Ada", "CustomerEmail": ""}},
    customer_info_within_meta_info: {"metaInfo": {"caller": "+15550100", "ipAddress": "10.0.0.1:4711", "customerinfo": {"CustomerPhone": "1888456780", "Direction": "Inbound"}}},
    a_survey: {"surveyType": "nps", "npsScore": "10", "csatScore": 4.0, "likeDislikeScore": 1, "csatFeedback": "fine"},
    a_campaign: {"campaigninfo": {"campaignName": "Spring", "campaignId": "c", "attempt": 2, "campaignRunDate": "2026-03-10T06:34:48.810Z",
        "contactListName": ["A", "", "B"], "contactStatus": "DONE", "wave": 3}},
    a_campaign_of_nothing: {"campaigninfo": {"attempt": "", "contactListName": null}},
    a_snoozed_and_translated_segment: {"destinations": [{"respondingAgent": {"agentId": "a", "agentChoseTranslate": "true",
        "snoozeinfo": [{"from": "2026-03-10T12:00:04", "until": "2026-03-10T13:00:00Z"}], "JoinedUsers": ["Pia"]}}]},
    tags_of_any_value: {"sessionleveltags": [{"name": "n", "value": "1"}, {"name": "o", "value": {"deep": [1]}}, {"name": "p", "value": true}, "loose"],
        "userleveltags": {"name": "account", "value": 7, "since": "2020"}},
    values_that_cannot_be_read: {"isVoicemail": "perhaps", "csatScore": 4.5, "npsScore": 99999999999_i64, "sessionEndTime": "2026-02-30T10:00:00",
        "destinations": [{"EnterTime": "noon", "respondingAgent": {"agentId": {"of": 1}, "interactionDuration": true}}, "loose"]},
    fields_that_nobody_knows: {"mood": "sad", "destinations": [{"queueId": "q", "mood": 1, "respondingAgent": {"agentId": "a", "mood": [1]}}], "customerinfo": {"mood": {"is": 1}}},
    texts_that_are_none: {"reason": "", "errorDetails": 404, "channel": ["a", "b"], "botId": {"id": "b"}, "finalStatus": false},
    the_intent_of_the_transfer: {"metaInfo": {"agentTransferConfig": {"lastIntentName": "Pay Bill", "lastIntentuserInput": "pay my bill", "skillsIds": ["s"]}}},
}
