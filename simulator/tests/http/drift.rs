//! Data that changes while it is read.

use smartassist_simulator::{Options, Order, Simulator, Survey, SurveyKind};

use crate::client::{Client, at, day, id, simulator};

#[tokio::test]
async fn rows_shift_between_two_pages() {
    let simulator = simulator(250).await;
    simulator.world().behaviour.order = Order::Ascending;
    let client = Client::new(&simulator);
    let first = client.ids("offset=0", &day()).await;
    let gone = first[0].clone();
    simulator.world().before_request(2, move |world| {
        world.vanish(&gone).unwrap();
    });
    assert_eq!(client.ids("offset=0", &day()).await, first);
    let second = client.ids("offset=1", &day()).await;
    assert_eq!(second.len(), 100);
    // What was the first row of page 1 has moved to page 0, unseen.
    let page_0 = client.ids("offset=0", &day()).await;
    assert!(!first.contains(&page_0[99]) && !second.contains(&page_0[99]));
}

#[tokio::test]
async fn a_vanished_session_can_come_back() {
    let simulator = simulator(20).await;
    let client = Client::new(&simulator);
    let before = client.all(&day()).await;
    let taken = simulator.world().vanish(&id(&before[3])).unwrap();
    assert_eq!(client.all(&day()).await.len(), 19);
    simulator.world().insert(taken);
    assert_eq!(client.all(&day()).await, before);
}

#[tokio::test]
async fn late_changes_show_in_the_record() {
    let simulator = simulator(40).await;
    let client = Client::new(&simulator);
    let (bot_only, handed_over) = {
        let world = simulator.world();
        let find = |bot| {
            world
                .interactions()
                .find(|it| it.conversation.is_none() == bot)
                .unwrap()
                .session_id
                .clone()
        };
        (find(true), find(false))
    };
    {
        let mut world = simulator.world();
        assert!(world.promote(&bot_only));
        assert!(world.end_session(&handed_over, at(90_000)));
        assert!(world.set_disposition(&handed_over, "Follow Up", "Call again"));
        let survey = Survey {
            kind: SurveyKind::Nps,
            score: 9,
            feedback: "Fine".into(),
        };
        assert!(world.set_survey(&handed_over, survey));
    }
    let records = client.all(&day()).await;
    let record = |wanted: &str| {
        records
            .iter()
            .find(|record| record["sessionId"] == wanted)
            .unwrap()
    };
    assert!(
        record(&bot_only)["conversationId"]
            .as_str()
            .unwrap()
            .starts_with("c-")
    );
    let changed = record(&handed_over);
    assert_eq!(changed["sessionEndTime"], "2025-09-02T01:00:00");
    assert_eq!(changed["dispositions"][0], "Follow Up");
    assert_eq!(
        (&changed["surveyType"], &changed["npsScore"]),
        (&"nps".into(), &9.into())
    );
}

#[tokio::test]
async fn a_server_comes_back_with_its_data() {
    let simulator = simulator(10).await;
    let client = Client::new(&simulator);
    assert_eq!(client.status("", &day()).await, 200);
    let (address, world) = (simulator.address(), simulator.shared_world());
    simulator.stop().await;
    assert!(client.request("", &day()).send().await.is_err());
    let again = Simulator::start_with(address, world).await.unwrap();
    assert_eq!(client.all(&day()).await.len(), 10);
    drop(again);
    assert!(client.request("", &day()).send().await.is_err());
    assert!(
        Simulator::start(Options {
            bind: address,
            ..Options::default()
        })
        .await
        .is_ok()
    );
}
