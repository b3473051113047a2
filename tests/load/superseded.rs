//! What another record has taken the place of is marked at once.

use serde_json::{Value, json};
use smartassist_etl::ledger::{Counters, Status};

use super::desk::{Desk, Reading, at, conversation, window};
use super::missing::{inside, witness};

/// A session that is still with the bot of conversation `c`. It has no end yet, so it lies wholly
/// inside of no window.
fn with_the_bot() -> Value {
    json!({"sessionId": "s-c", "sessionStartTime": "2026-01-10T10:10:00"})
}

#[tokio::test]
async fn a_session_that_became_a_conversation_is_superseded() {
    let desk = Desk::open().await;
    desk.drained(&[with_the_bot(), inside("other")], "12:00:00").await;
    let grown = desk.drained(&[inside("c"), inside("other")], "12:10:00").await;
    assert_eq!((grown.inserted, grown.missing), (1, 1));
    assert_eq!(desk.missing().await, "s-c=12:10:00");
    let again = desk.drained(&[inside("c"), inside("other")], "12:20:00").await;
    assert_eq!(again.missing, 0);
}

#[tokio::test]
async fn a_read_that_did_not_see_everything_supersedes_nothing() {
    for status in [Status::Split, Status::Gap] {
        let desk = Desk::open().await;
        desk.drained(&[with_the_bot()], "12:00:00").await;
        let grown = desk.hour(status, &[inside("c")], "12:10:00").await;
        assert_eq!((grown.inserted, grown.missing), (1, 0));
        assert_eq!(desk.missing().await, "");
        // The parts of the window tell.
        assert_eq!(desk.drained(&[inside("c")], "12:10:01").await.missing, 1);
    }
}

#[tokio::test]
async fn a_session_from_before_the_window_is_not_superseded() {
    let desk = Desk::open().await;
    desk.drained(&[with_the_bot()], "12:00:00").await;
    let records = [conversation("c", "10:10:01", Some("10:20:00"))];
    for (start, superseded) in [("10:10:01", 0), ("10:10:00", 1)] {
        let reading = Reading {
            window: window(start, "11:00:00"),
            status: Status::Drained,
            records: &records,
            rejected: &[],
            at: at("12:10:00"),
        };
        let counters = desk.commit(&reading).await.unwrap().counters;
        assert_eq!(counters.missing, superseded, "{start}");
    }
}

#[tokio::test]
async fn a_session_returned_beside_its_conversation_stays() {
    let desk = Desk::open().await;
    desk.drained(&[with_the_bot()], "12:00:00").await;
    let both = desk.drained(&[with_the_bot(), inside("c")], "12:10:00").await;
    assert_eq!((both.missing, desk.missing().await.as_str()), (0, ""));
}

#[tokio::test]
async fn a_conversation_named_like_another_session_is_not_superseded() {
    let desk = Desk::open().await;
    desk.drained(&[inside("s-c")], "12:00:00").await;
    let counters: Counters = desk.drained(&[inside("c"), inside("s-c")], "12:10:00").await;
    assert_eq!(counters.missing, 0);
    let counters = desk.hour(Status::Split, &[inside("c")], "12:20:00").await;
    assert_eq!((counters.missing, desk.missing().await.as_str()), (0, ""));
}

/// A session of these ids.
fn of_ids(conversation: Option<&str>, session: Option<&str>) -> Value {
    json!({"conversationId": conversation, "sessionId": session, "sessionStartTime": "2026-01-10T10:10:00",
           "sessionEndTime": "2026-01-10T10:20:00"})
}

#[tokio::test]
async fn an_id_that_comes_late_supersedes_what_was_known_without_it() {
    for (before, after) in [
        ((None, Some("s-1")), (Some("c-1"), Some("s-1"))),
        ((Some("c-1"), None), (Some("c-1"), Some("s-1"))),
        ((Some("c-1"), Some("s-old")), (Some("c-1"), Some("s-1"))),
        ((Some("c-old"), Some("s-1")), (Some("c-1"), Some("s-1"))),
    ] {
        let desk = Desk::open().await;
        desk.drained(&[of_ids(before.0, before.1), witness()], "12:00:00")
            .await;
        let counters = desk
            .drained(&[of_ids(after.0, after.1), witness()], "12:10:00")
            .await;
        assert_eq!(
            (counters.inserted, counters.missing, counters.missed),
            (1, 1, 0),
            "{before:?}"
        );
        let again = desk
            .drained(&[of_ids(after.0, after.1), witness()], "12:20:00")
            .await;
        assert_eq!((again.unchanged, again.missing), (2, 0), "{before:?}");
    }
}

#[tokio::test]
async fn a_sibling_that_goes_on_after_the_window_is_not_superseded() {
    let desk = Desk::open().await;
    let mut open = of_ids(Some("c-1"), Some("s-old"));
    open["sessionEndTime"] = Value::Null;
    desk.drained(&[open, witness()], "12:00:00").await;
    let counters = desk
        .drained(&[of_ids(Some("c-1"), Some("s-1")), witness()], "12:10:00")
        .await;
    assert_eq!(counters.missing, 0);
}

#[tokio::test]
async fn an_id_that_stands_for_many_supersedes_nobody() {
    let desk = Desk::open().await;
    let all: Vec<Value> = (0..30)
        .map(|place| of_ids(Some(&format!("c-{place}")), Some("web")))
        .collect();
    desk.drained(&all, "12:00:00").await;
    let counters = desk.drained(&all[1..], "12:10:00").await;
    assert_eq!(
        (counters.missed, counters.missing),
        (1, 0),
        "as of any other, twice"
    );
}
