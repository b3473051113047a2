//! Every reading of what the vendor leaves open.

use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;
use serde_json::json;
use smartassist_simulator::{Basis, End, Interaction, NumResults, OffsetUnit, Order, Simulator};

use crate::client::{Client, at, day, range, simulator};

#[tokio::test]
async fn rows_come_in_the_order_that_is_set() {
    let simulator = simulator(300).await;
    let client = Client::new(&simulator);
    let by_start: Vec<_> = simulator
        .world()
        .interactions()
        .map(|it| (it.start, it.session_id.clone()))
        .collect();
    let start = |id: &String| by_start.iter().find(|(_, other)| other == id).unwrap().0;

    simulator.world().behaviour.order = Order::Ascending;
    let ascending = client.ids("offset=1", &day()).await;
    assert!(ascending.is_sorted_by_key(&start));
    simulator.world().behaviour.order = Order::Descending;
    let mut descending = client.ids("offset=1", &day()).await;
    descending.reverse();
    assert_eq!(ascending, descending);

    simulator.world().behaviour.order = Order::Unordered;
    let shuffled = client.ids("offset=0", &day()).await;
    assert!(!shuffled.is_sorted_by_key(&start));
    assert_eq!(shuffled, client.ids("offset=0", &day()).await);
    assert_eq!(client.all_ids(&day()).await.len(), 300);

    simulator.world().behaviour.order = Order::Reshuffled;
    assert_ne!(
        client.ids("offset=0", &day()).await,
        client.ids("offset=0", &day()).await
    );
    assert!(client.all_ids(&day()).await.len() < 300);
}

#[tokio::test]
async fn num_results_counts_what_it_is_set_to() {
    let simulator = simulator(130).await;
    let client = Client::new(&simulator);
    for (setting, want) in [
        (NumResults::Total, json!(130)),
        (NumResults::Page, json!(30)),
        (NumResults::Absent, json!(null)),
    ] {
        simulator.world().behaviour.num_results = setting;
        let page = client.page("offset=1", &day()).await;
        assert_eq!(page["numResults"], want);
        assert_eq!(page.get("numResults").is_some(), setting != NumResults::Absent);
    }
}

/// Sessions named for when they start and end, around a range of 100 to 200.
fn around(simulator: &Simulator) {
    let model = simulator.world().interactions().next().unwrap().clone();
    let mut world = simulator.world();
    for (name, start, end) in [
        ("before", 10, Some(20)),
        ("into", 90, Some(150)),
        ("inside", 120, Some(180)),
        ("out", 150, Some(250)),
        ("over", 50, Some(300)),
        ("at-start", 100, Some(100)),
        ("at-end", 200, Some(200)),
        ("after", 250, Some(260)),
        ("open", 30, None),
        ("open-inside", 130, None),
    ] {
        world.insert(Interaction {
            session_id: name.to_owned(),
            start: at(start),
            end: end.map(at),
            ..model.clone()
        });
    }
    let id = model.session_id;
    world.vanish(&id);
}

#[tokio::test]
async fn the_range_filters_on_what_is_set() {
    let simulator = simulator(1).await;
    around(&simulator);
    let client = Client::new(&simulator);
    let range = range(at(100), at(200));
    for (basis, end, want) in [
        (
            Basis::Start,
            End::Inclusive,
            vec!["at-end", "at-start", "inside", "open-inside", "out"],
        ),
        (
            Basis::Start,
            End::Exclusive,
            vec!["at-start", "inside", "open-inside", "out"],
        ),
        (
            Basis::End,
            End::Inclusive,
            vec!["at-end", "at-start", "inside", "into"],
        ),
        (Basis::End, End::Exclusive, vec!["at-start", "inside", "into"]),
        (
            Basis::Overlap,
            End::Inclusive,
            vec![
                "at-end",
                "at-start",
                "inside",
                "into",
                "open",
                "open-inside",
                "out",
                "over",
            ],
        ),
        (
            Basis::Overlap,
            End::Exclusive,
            vec!["at-start", "inside", "into", "open", "open-inside", "out", "over"],
        ),
    ] {
        {
            let mut world = simulator.world();
            (world.behaviour.basis, world.behaviour.end) = (basis, end);
        }
        let got = client.all_ids(&range).await;
        assert_eq!(
            got,
            want.into_iter().map(str::to_owned).collect(),
            "{basis:?} {end:?}"
        );
    }
    simulator.world().behaviour.basis = Basis::Start;
    simulator.world().behaviour.open_sessions = false;
    assert!(!client.all_ids(&range).await.contains("open-inside"));
}

#[tokio::test]
async fn an_overlapping_range_agrees_with_a_plain_scan() {
    let simulator = simulator(800).await;
    simulator.world().behaviour.basis = Basis::Overlap;
    let client = Client::new(&simulator);
    for from in [0, 10_000, 40_000, 86_000] {
        let (from, to) = (at(from), at(from + 3_600));
        let want: BTreeSet<_> = simulator
            .world()
            .interactions()
            .filter(|it| it.start <= to && it.end.unwrap() >= from)
            .map(|it| it.session_id.clone())
            .collect();
        assert_eq!(client.all_ids(&range(from, to)).await, want);
    }
}

#[tokio::test]
async fn offset_counts_pages_or_records() {
    let simulator = simulator(50).await;
    simulator.world().behaviour.order = Order::Ascending;
    let client = Client::new(&simulator);
    let all = client.ids("limit=100", &day()).await;
    assert_eq!(client.ids("offset=2&limit=5", &day()).await, all[10..15]);
    simulator.world().behaviour.offset_unit = OffsetUnit::Records;
    assert_eq!(client.ids("offset=2&limit=5", &day()).await, all[2..7]);
}

#[tokio::test]
async fn what_has_not_happened_yet_is_not_told() {
    let simulator = simulator(400).await;
    let client = Client::new(&simulator);
    let noon = at(43_200);
    simulator.world().set_now(noon);
    let records = client.all(&day()).await;
    let started = simulator
        .world()
        .interactions()
        .filter(|it| it.start <= noon)
        .count();
    assert_eq!(records.len(), started);
    let open: Vec<_> = records
        .iter()
        .filter(|record| record["smartStatus"] == "OPEN")
        .collect();
    assert!(!open.is_empty());
    for record in open {
        assert!(record["sessionEndTime"].as_str().unwrap_or_default().is_empty());
        assert!(record["dispositions"].as_array().is_none_or(Vec::is_empty));
        assert!(record.get("surveyType").is_none());
    }
    assert!(!serde_json::to_string(&records).unwrap().contains("2025-09-01T13"));

    simulator.world().run_clock(TimeDelta::zero());
    let later = client.all(&day()).await;
    assert_eq!(later.len(), 400);
    assert!(later.iter().all(|record| record["smartStatus"] != "OPEN"));
}

#[tokio::test]
async fn every_answer_takes_the_latency_that_is_set() {
    let simulator = simulator(1).await;
    simulator.world().behaviour.latency = Duration::from_millis(120);
    let begun = std::time::Instant::now();
    Client::new(&simulator).page("", &day()).await;
    assert!(begun.elapsed() >= Duration::from_millis(120));
}
