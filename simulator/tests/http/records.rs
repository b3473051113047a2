//! The records themselves: shapes, selected fields, filters, time zones, verbatim ones.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use smartassist_simulator::Seed;

use crate::client::{Client, at, day, monday, simulator, with};

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() {
    let (one, two) = (simulator(300).await, simulator(300).await);
    for offset in 0..3 {
        let query = format!("offset={offset}");
        let first = Client::new(&one).ask(&query, &day()).await.bytes().await.unwrap();
        let second = Client::new(&two).ask(&query, &day()).await.bytes().await.unwrap();
        assert_eq!(first, second);
    }
    let mut world = one.world();
    world.seed(&Seed::new(2, monday(), monday() + TimeDelta::days(1), 300));
    assert_eq!(world.len(), 600);
}

#[tokio::test]
async fn what_is_not_selected_is_absent() {
    let simulator = simulator(400).await;
    let client = Client::new(&simulator);
    let fields = [
        "skills",
        "customerinfo",
        "userleveltags",
        "sessionleveltags",
        "campaigninfo",
        "snoozeinfo",
    ];
    let has = |records: &[Value], field: &str| {
        serde_json::to_string(records)
            .unwrap()
            .contains(&format!("\"{field}\":"))
    };
    let mut bare = day();
    bare.as_object_mut().unwrap().remove("selectedFields");
    let none = client.all(&bare).await;
    assert!(fields.iter().all(|field| !has(&none, field)));
    for selected in fields {
        let records = client
            .all(&with(day(), "selectedFields", json!([selected])))
            .await;
        for field in fields {
            assert_eq!(has(&records, field), field == selected, "{field} with {selected}");
        }
    }
}

#[tokio::test]
async fn filters_part_the_records() {
    let simulator = simulator(600).await;
    let client = Client::new(&simulator);
    let all = client.all(&day()).await;
    let filtered = async |key: &str, value: Value| client.all_ids(&with(day(), key, value)).await;
    let ids = |keep: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
        all.iter().filter(|r| keep(r)).map(crate::client::id).collect()
    };
    assert_eq!(
        filtered("channels", json!(["voice"])).await,
        ids(&|r| r["channel"] == "Voice")
    );
    let two = filtered("channels", json!(["rtm", "System Mail"])).await;
    assert_eq!(two, ids(&|r| r["channel"] != "Voice"));
    let bot = all[0]["botId"].clone();
    assert_eq!(filtered("bots", json!([bot])).await, ids(&|r| r["botId"] == bot));
    let queue = "qu-577416d-0000-40e7-904c-000000000002";
    let in_queue = ids(&|r| {
        r["destinations"]
            .as_array()
            .is_some_and(|d| d.iter().any(|d| d["queueId"] == queue))
    });
    assert!(!in_queue.is_empty());
    assert_eq!(filtered("queues", json!([queue])).await, in_queue);
    let inbound = filtered("direction", json!("Inbound")).await;
    let outbound = filtered("direction", json!("Outbound")).await;
    assert!(inbound.is_disjoint(&outbound) && !outbound.is_empty());
    let handed_over = ids(&|r| r.get("conversationId").is_some());
    assert_eq!(&inbound | &outbound, handed_over);
    assert_eq!(filtered("direction", json!("Both")).await.len(), 600);
    assert_eq!(
        client.status("", &with(day(), "direction", json!("Up"))).await,
        400
    );
}

/// Turns naive stamps into UTC, in place, and leaves zoned ones.
fn to_utc(value: &mut Value, offset: TimeDelta) {
    match value {
        Value::String(text) => {
            if let Ok(local) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S") {
                *text = (local + offset).and_utc().to_rfc3339();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| to_utc(item, offset)),
        Value::Object(fields) => fields.values_mut().for_each(|field| to_utc(field, offset)),
        _ => {}
    }
}

#[tokio::test]
async fn the_same_instants_come_at_every_offset() {
    let simulator = simulator(300).await;
    let client = Client::new(&simulator);
    let mut utc = Value::Array(client.all(&day()).await);
    let india = json!({
        "startDate": "2025-09-01 05:30:00",
        "endDate": "2025-09-02 05:29:59",
        "timeZoneOffset": -330,
        "selectedFields": day()["selectedFields"],
    });
    let mut local = Value::Array(client.all(&india).await);
    assert_ne!(utc, local);
    to_utc(&mut utc, TimeDelta::zero());
    to_utc(&mut local, TimeDelta::minutes(-330));
    assert_eq!(utc, local);
}

#[tokio::test]
async fn hostile_records_come_back_verbatim() {
    let simulator = simulator(0).await;
    let client = Client::new(&simulator);
    let hostile = json!({ "sessionId": 7, "channel": "Voice", "text": "nul \u{0}", "deep": [[[[]]]] });
    let lone = br#"{"sessionId":"lone","text":"\ud800"}"#;
    {
        let mut world = simulator.world();
        world.insert_raw(at(10), &hostile);
        world.insert_raw(at(11), &json!("no object at all"));
        world.insert_raw_bytes(at(12), *lone);
        world.insert_raw_bytes(at(13), b"{\"text\":\"\xff\xfe\"}".as_slice());
        world.behaviour.order = smartassist_simulator::Order::Ascending;
        assert_eq!((world.len(), world.interactions().count()), (4, 0));
    }
    let body = client.ask("", &day()).await.bytes().await.unwrap();
    let want = [
        format!("{{\"numResults\":4,\"data\":[{hostile},\"no object at all\",").as_bytes(),
        lone,
        b",{\"text\":\"\xff\xfe\"}]}",
    ]
    .concat();
    assert_eq!(body, want);
    let page = client.page("", &with(day(), "channels", json!(["voice"]))).await;
    assert_eq!(page["data"], json!([hostile]));
}

#[tokio::test]
async fn the_vendor_spelling_follows_the_vendor_sample() {
    let simulator = simulator(50).await;
    let id = {
        let mut world = simulator.world();
        let it = world
            .interactions()
            .find(|it| it.conversation.is_some())
            .unwrap()
            .clone();
        world.update(&it.session_id, |it| {
            it.spelling = smartassist_simulator::Spelling(0);
        });
        it.session_id
    };
    let records = Client::new(&simulator).all(&day()).await;
    let record = records.iter().find(|r| r["sessionId"] == id.as_str()).unwrap();
    for key in [
        "Direction",
        "isVoicemail",
        "reason",
        "disconnectingEvent",
        "errorDetails",
        "skills",
        "dispositions",
    ] {
        assert!(record.get(key).is_some_and(|value| !value.is_null()), "{key}");
    }
    let start: DateTime<Utc> =
        NaiveDateTime::parse_from_str(record["sessionStartTime"].as_str().unwrap(), "%FT%T")
            .unwrap()
            .and_utc();
    assert_eq!(start, simulator.world().get(&id).unwrap().start);
}
