//! A whole page in the shapes of the vendor's sample response, asked for at offset -330.

use std::collections::HashMap;

use serde_json::value::RawValue;
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Interaction, transform};

use super::{id, origin, raw, read};

/// The interactions of the page: three bot-only sessions, two calls, a chat.
fn interactions() -> Vec<Interaction> {
    let page: HashMap<&str, &RawValue> =
        serde_json::from_str(include_str!("fixtures/vendor_shapes.json")).unwrap();
    let records: Vec<&RawValue> = serde_json::from_str(page["data"].get()).unwrap();
    records
        .iter()
        .map(|record| transform(&raw(record.get()), origin(-330), &Policy::default()).unwrap())
        .collect()
}

#[test]
fn every_record_of_the_page_is_read_without_warnings_or_extra() {
    let interactions = interactions();
    let ids: Vec<&str> = interactions.iter().map(id).collect();
    assert_eq!(
        ids,
        [
            "6a0f31c100000000000b071",
            "6a0f31c200000000000b072",
            "6a0f31c300000000000b073",
            "c-consulted-by-phone",
            "c-called-back",
            "c-reassigned-chat",
        ]
    );
    for Interaction { rows, .. } in interactions {
        assert!(rows.session.warnings.is_empty(), "{:?}", rows.session.warnings);
        assert_eq!(rows.session.extra, None);
        assert!(rows.destinations.iter().all(|row| row.extra.is_none()));
        assert!(rows.agent_segments.iter().all(|row| row.extra.is_none()));
        assert!(rows.consultations.iter().all(|row| row.extra.is_none()));
    }
}

#[test]
fn a_bot_only_session_is_one_row() {
    insta::assert_json_snapshot!("bot_only_session", interactions()[2].rows);
}

#[test]
fn a_call_with_a_consultation_by_phone_has_a_row_at_every_level() {
    insta::assert_json_snapshot!("call_with_a_consultation", interactions()[3].rows);
}

#[test]
fn a_callback_has_the_same_instants_in_both_time_bases() {
    insta::assert_json_snapshot!("call_with_a_callback", interactions()[4].rows);
}

#[test]
fn a_reassigned_chat_has_a_queue_and_a_direct_destination() {
    insta::assert_json_snapshot!("reassigned_chat", interactions()[5].rows);
}

#[test]
fn the_payload_is_the_record_and_gives_the_same_rows_again() {
    let page: serde_json::Value = serde_json::from_str(include_str!("fixtures/vendor_shapes.json")).unwrap();
    for (interaction, record) in interactions().iter().zip(page["data"].as_array().unwrap()) {
        let payload: serde_json::Value = serde_json::from_str(&interaction.payload).unwrap();
        assert_eq!(&payload, record);
        assert_eq!(read(&payload).payload, interaction.payload);
    }
}
