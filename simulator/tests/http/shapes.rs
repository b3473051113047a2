//! The shapes that a record is known to come in: each of them is among a thousand.

use serde_json::Value;

use crate::client::{Client, day, simulator};

#[tokio::test]
async fn every_documented_shape_is_there() {
    let simulator = simulator(1000).await;
    let records = Client::new(&simulator).all(&day()).await;
    let bot_only = records
        .iter()
        .filter(|r| r.get("conversationId").is_none())
        .count();
    assert!((300..400).contains(&bot_only), "{bot_only}");
    let text = serde_json::to_string(&records).unwrap();
    let average = text.len() / records.len();
    assert!((1_500..2_600).contains(&average), "{average} bytes a record");
    for part in [
        r#""isVoicemail":"NO""#,
        r#""isVoicemail":"YES""#,
        r#""isVoicemail":false"#,
        r#""isVoicemail":true"#,
        r#""CallbackOpted":true"#,
        r#""CallbackOpted":"True""#,
        r#""CallbackOpted":"False""#,
        r#""attempt":2"#,
        r#""attempt":"""#,
        r#""automationBotIDs":null"#,
        r#""dispositions":[]"#,
        r#""nonRespondingAgents":null"#,
        r#""destinationType":"AgentSegment""#,
        r#""snoozeinfo":[{"#,
        r#""agentChoseTranslate":"#,
        r#""isMerged":"#,
        r#""surveyType":"csat""#,
        r#""surveyType":"nps""#,
        r#""surveyType":"likeDislike""#,
        r#""noAgentsFlowId":"#,
        r#""Reason":"#,
        r#""reason":null"#,
        r#""name":"+1555"#,
        r#""JoinedUsers":[""#,
        r#""nonResponseEvent":"Ignored""#,
        r#""value":{"#,
        r#""value":true"#,
        r#""value":null"#,
        r#""userCallbackAcceptTime":"#,
        r#""campaignRunDate":"#,
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[tokio::test]
async fn fields_sit_in_each_of_their_places() {
    let simulator = simulator(1000).await;
    let records = Client::new(&simulator).all(&day()).await;
    let any = |test: &dyn Fn(&Value) -> bool| records.iter().any(test);
    assert!(any(&|r| r["metaInfo"].get("customerinfo").is_some()));
    assert!(any(&|r| r.get("customerinfo").is_some()));
    assert!(any(
        &|r| r["conversationId"].is_string() && r.get("Direction").is_none()
    ));
    assert!(any(&|r| r["customerinfo"].get("Direction").is_some()));
    assert!(any(&|r| r["metaInfo"]["ipAddress"]
        .as_str()
        .is_some_and(|ip| ip.contains(':'))));
    assert!(any(&|r| r["destinations"][0]["destinationType"] == "AgentSegment"));
    let agent = |r: &Value| {
        let queue = &r["destinations"][0];
        (
            queue.get("respondingAgent").is_some(),
            queue.get("nonRespondingAgents").is_some_and(Value::is_array),
        )
    };
    for want in [(true, false), (false, true), (true, true), (false, false)] {
        assert!(
            any(&|r| r["destinations"][0]["queueId"].is_string() && agent(r) == want),
            "{want:?}"
        );
    }
    let outlasting = |r: &Value| {
        let end = r["sessionEndTime"].as_str().unwrap_or("9");
        r["destinations"][0]["respondingAgent"]["interactionEndTime"]
            .as_str()
            .is_some_and(|agent| agent > end)
    };
    assert!(any(&outlasting));
}
