//! Two time bases in one record, and the same record asked for at two offsets.

use std::collections::BTreeMap;

use serde_json::json;
use smartassist_etl::extract::{PAGE_SIZE, PageRequest, Priority, Tally};
use smartassist_etl::time::Window;
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Interaction, transform};
use smartassist_simulator::Seed;

use super::{origin, raw, rows_of, session_with};
use uuid::Uuid;

use crate::support::{Setup, instant};

const AT_0: &str = include_str!("fixtures/call_at_offset_0.json");
const AT_MINUS_330: &str = include_str!("fixtures/call_at_offset_minus_330.json");

#[test]
fn a_stamp_without_a_zone_is_local_and_one_with_z_is_utc() {
    let record = session_with(json!({
        "sessionStartTime": "2026-03-10T14:31:05",
        "destinations": [{"EnterTime": "2026-03-10T14:32:03", "CallbackOptedTime": "2026-03-10T09:02:03.417Z"}],
    }));
    for (offset, started, entered) in [
        (-330, "2026-03-10T09:01:05Z", "2026-03-10T09:02:03Z"),
        (0, "2026-03-10T14:31:05Z", "2026-03-10T14:32:03Z"),
        (300, "2026-03-10T19:31:05Z", "2026-03-10T19:32:03Z"),
    ] {
        let rows = transform(&raw(record.to_string()), origin(offset), &Policy::default())
            .unwrap()
            .rows;
        assert_eq!(rows.session.session_started_at, instant(started));
        assert_eq!(rows.destinations[0].entered_at, Some(instant(entered)));
        assert_eq!(
            rows.destinations[0].callback_opted_at,
            Some(instant("2026-03-10T09:02:03.417Z"))
        );
    }
}

#[test]
fn the_spelling_of_the_vendors_tables_is_read() {
    let rows =
        rows_of(json!({"sessionStartTime": "2023-01-10 2:25:54", "sessionEndTime": "2023-01-10 12:25:54"}));
    assert_eq!(rows.session.session_started_at, instant("2023-01-10T02:25:54Z"));
    assert_eq!(
        rows.session.session_ended_at,
        Some(instant("2023-01-10T12:25:54Z"))
    );
    let east = session_with(json!({"sessionStartTime": "2023-01-10 2:25:54"}));
    let rows = transform(&raw(east.to_string()), origin(-330), &Policy::default())
        .unwrap()
        .rows;
    assert_eq!(rows.session.session_started_at, instant("2023-01-09T20:55:54Z"));
}

#[test]
fn an_end_before_its_start_is_kept_as_sent() {
    let rows = rows_of(json!({"sessionEndTime": "2026-03-10T11:00:00"}));
    assert_eq!(
        rows.session.session_ended_at,
        Some(instant("2026-03-10T11:00:00Z"))
    );
    assert!(rows.session.warnings.is_empty());
}

#[test]
fn the_same_call_at_two_offsets_is_the_same_interaction() {
    let utc = transform(&raw(AT_0), origin(0), &Policy::default()).unwrap();
    let india = transform(&raw(AT_MINUS_330), origin(-330), &Policy::default()).unwrap();
    assert_eq!(utc.rows.session.warnings, [""; 0]);
    assert_eq!(utc.rows, india.rows);
    assert_eq!(utc.content_hash, india.content_hash);
    assert_ne!(utc.payload, india.payload);
}

#[test]
fn a_call_read_at_the_wrong_offset_is_another_interaction() {
    let right = transform(&raw(AT_MINUS_330), origin(-330), &Policy::default()).unwrap();
    let wrong = transform(&raw(AT_MINUS_330), origin(0), &Policy::default()).unwrap();
    assert_ne!(right.content_hash, wrong.content_hash);
}

#[test]
fn the_stamps_inside_a_snooze_are_utc_too() {
    let rows = transform(&raw(AT_MINUS_330), origin(-330), &Policy::default())
        .unwrap()
        .rows;
    assert_eq!(
        rows.agent_segments[1].snooze_info,
        Some(json!([
            {"snoozeStartTime": "2026-03-10T09:34:00Z", "snoozeEndTime": "2026-03-10T09:35:00Z", "snoozeDuration": 60},
        ]).into())
    );
}

/// All interactions of the account's first week, as its client gets them.
async fn first_week(setup: &Setup) -> BTreeMap<Uuid, Interaction> {
    let client = setup.client();
    let window = Window::new(instant("2026-01-01T00:00:00Z"), instant("2026-01-07T00:00:00Z"));
    let mut interactions = BTreeMap::new();
    for offset in 0..10 {
        let request = PageRequest {
            window,
            offset,
            limit: PAGE_SIZE,
            filters: None,
            priority: Priority::Head,
            may_be_past_the_end: false,
        };
        let page = client.page(&request, &Tally::default()).await.unwrap();
        for record in &page.records {
            let interaction = transform(
                &raw(record.get()),
                origin(client.account().time_zone_offset),
                &Policy::default(),
            )
            .unwrap();
            interactions.insert(interaction.key, interaction);
        }
    }
    interactions
}

#[tokio::test]
async fn a_thousand_interactions_are_the_same_at_every_offset() {
    let mut setup = Setup::start().await;
    let (from, to) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-06T23:59:59Z"));
    setup.simulator.world().seed(&Seed::new(11, from, to, 1_000));
    let utc = first_week(&setup).await;
    assert_eq!(utc.len(), 1_000);
    for offset in ["-330", "300", "-840"] {
        setup.set("time_zone_offset", offset);
        let elsewhere = first_week(&setup).await;
        assert_eq!(elsewhere.len(), 1_000);
        for (id, interaction) in &elsewhere {
            assert_eq!(utc[id].rows, interaction.rows, "at offset {offset}");
            assert_eq!(utc[id].content_hash, interaction.content_hash);
        }
    }
}
