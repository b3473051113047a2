//! Starts that move by the same quarter hours between two readings.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::desk::{Desk, at};

/// A session from so many minutes past ten on; its id tells when it began, where it should.
fn session(minute: i64, tells: bool, shift_minutes: i64) -> Value {
    let start = at("10:00:00") + TimeDelta::minutes(minute);
    let stamp = |at: chrono::DateTime<chrono::Utc>| {
        (at + TimeDelta::minutes(shift_minutes))
            .format("%Y-%m-%dT%H:%M:%S")
            .to_string()
    };
    let id = if tells {
        format!("{:08x}{minute:016x}", start.timestamp())
    } else {
        format!("session-{minute}")
    };
    json!({"sessionId": id, "sessionStartTime": stamp(start), "sessionEndTime": stamp(start + TimeDelta::minutes(1))})
}

fn sessions(tells: bool, shift_minutes: i64) -> Vec<Value> {
    (0..10)
        .map(|minute| session(minute, tells, shift_minutes))
        .collect()
}

/// How many sessions began between ten and eleven.
async fn in_place(desk: &Desk) -> i64 {
    let sql = "select count(*) from smartassist.sessions where session_started_at between '2026-01-10T10:00:00Z' and '2026-01-10T11:00:00Z'";
    desk.database.number(sql).await
}

async fn problem(desk: &Desk) -> String {
    let sql = "select coalesce(string_agg(code || ': ' || detail, '; '), '') from smartassist_sync.problems";
    desk.database.text(sql).await
}

#[tokio::test]
async fn moved_starts_without_telling_ids_are_stored_and_reported() {
    let desk = Desk::open().await;
    desk.drained(&sessions(false, 0), "12:00:00").await;
    let moved = desk.drained(&sessions(false, 330), "12:10:00").await;
    assert_eq!((moved.updated, in_place(&desk).await), (10, 0));
    assert_eq!(
        problem(&desk).await,
        "time_zone: the starts of 10 interactions moved by 330 min between two readings; \
         time_zone_offset = -330 gives those of before"
    );
    desk.drained(&sessions(false, 330), "12:20:00").await;
    assert!(!problem(&desk).await.is_empty(), "it stands");
    desk.drained(&sessions(false, 0), "12:30:00").await;
    assert_eq!((in_place(&desk).await, problem(&desk).await.as_str()), (10, ""));
}

#[tokio::test]
async fn the_reading_that_session_ids_confirm_stays() {
    let desk = Desk::open().await;
    desk.drained(&sessions(true, 0), "12:00:00").await;
    let versions = desk.database.row_versions().await;
    let moved = desk.drained(&sessions(true, -60), "12:10:00").await;
    assert_eq!(
        (moved.updated, moved.unchanged, in_place(&desk).await),
        (0, 10, 10)
    );
    assert_eq!(desk.database.row_versions().await, versions);
    let problem = problem(&desk).await;
    assert!(problem.contains("10 were left as they are"), "{problem}");
}

#[tokio::test]
async fn starts_that_move_to_where_session_ids_say_are_well_again() {
    let desk = Desk::open().await;
    desk.drained(&sessions(true, 330), "12:00:00").await;
    let repaired = desk.drained(&sessions(true, 0), "12:10:00").await;
    assert_eq!((repaired.updated, in_place(&desk).await), (10, 10));
    assert_eq!(problem(&desk).await, "");
}

#[tokio::test]
async fn a_start_that_moves_alone_or_by_odd_minutes_is_no_problem() {
    let desk = Desk::open().await;
    desk.drained(&sessions(false, 0), "12:00:00").await;
    let mut records = sessions(false, 0);
    records[0] = session(0, false, 60);
    records[1] = session(1, false, 60);
    desk.drained(&records, "12:10:00").await;
    desk.drained(&sessions(false, 7), "12:20:00").await;
    assert_eq!(problem(&desk).await, "");
}
