//! The shapes that a record is known to come in: each of them is among a thousand.

use chrono::TimeDelta;
use serde_json::Value;
use smartassist_simulator::Seed;

use crate::client::{Client, at, day, monday, simulator};

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

#[tokio::test]
async fn the_shapes_of_all_versions_are_there_when_asked_for() {
    let simulator = simulator(0).await;
    simulator.world().behaviour.vendor_shapes = true;
    let (from, to) = (monday(), monday() + TimeDelta::days(1));
    simulator.world().seed(&Seed::new(1, from, to, 1_000));
    // Some are still going on.
    simulator.world().set_now(at(80_000));
    let records = Client::new(&simulator).all(&day()).await;
    let text = serde_json::to_string(&records).unwrap();
    for part in [
        r#""holdDuration":"#,
        r#""JoinedUsers":[{"#,
        r#""joinedAt":"#,
        r#""ConsultingAgents":[{"agentId":"u-a"#,
        r#""customData":{"#,
        r#""dialog_tone":[{"#,
        r#""finalStatus":"TRANSIENT_OPEN""#,
        r#""channel":"Voice ""#,
        r#""channel":"voice""#,
        r#""channel":"agentassist""#,
        r#"/agentassist/c-"#,
        r#"Default Queue:"#,
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(
        records
            .iter()
            .any(|record| record.get("sessionStartTime").is_none())
    );
    let ids: Vec<&str> = records
        .iter()
        .filter_map(|record| record["conversationId"].as_str())
        .collect();
    let users = records
        .iter()
        .filter_map(|record| record["channelSpecificUserId"].as_str());
    let spoken_of: Vec<&str> = users
        .filter_map(|user| user.split_once("/agentassist/"))
        .map(|(_, id)| id)
        .collect();
    assert!(
        spoken_of.len() > 10 && spoken_of.iter().all(|id| ids.contains(id)),
        "{spoken_of:?}"
    );
}
