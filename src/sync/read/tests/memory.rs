use chrono::TimeDelta;
use serde_json::json;

use super::super::TEXT_OF_A_WINDOW;
use super::{MemoryApi, instant, window};

#[tokio::test]
async fn windows_of_large_records_are_split_by_their_text() {
    let (records, kilobytes) = (600, 40);
    let first = instant("2026-01-15T02:00:00Z");
    let model = MemoryApi::new(|world| {
        for nth in 0..records {
            let start = first + TimeDelta::seconds(30 * nth);
            let stamp = start.format("%Y-%m-%dT%H:%M:%S").to_string();
            let text = "x".repeat(kilobytes << 10);
            let record = json!({"sessionId": format!("s-{nth}"), "sessionStartTime": stamp, "reason": text});
            world.insert_raw(start, &record);
        }
    });
    let loaded = model
        .load(window("2026-01-15T00:00:00Z", "2026-01-15T11:00:00Z"))
        .await;
    assert_eq!(
        (i64::try_from(loaded.records.len()), loaded.gaps),
        (Ok(records), vec![])
    );
    assert!(loaded.most_text <= TEXT_OF_A_WINDOW, "{}", loaded.most_text);
    // The planner is told how many fit.
    let most_records = TEXT_OF_A_WINDOW / (kilobytes << 10);
    let reach = model.profile().reach();
    assert!(
        (most_records / 2..=most_records).contains(&reach),
        "{reach} of {most_records}"
    );
    assert!(model.requests() < 40, "{}", model.requests());
}
