//! The zone of the API's stamps goes away between two readings, and comes back.

use chrono::TimeDelta;
use smartassist_simulator::Behaviour;

use super::past::Past;

const PROBLEM: &str =
    "select coalesce(string_agg(code || ': ' || detail, '; '), '') from smartassist_sync.problems";

fn shift(past: &Past, minutes: i64) {
    past.setup.simulator.world().set_behaviour(Behaviour {
        stamp_shift: TimeDelta::minutes(minutes),
        ..Behaviour::default()
    });
}

#[tokio::test]
async fn a_zone_that_goes_away_between_two_reads_moves_nothing() {
    let past = Past::of_a_day(120).await;
    let untouched = past.versions_but(&[]).await;
    assert_eq!(past.database.text(PROBLEM).await, "");
    shift(&past, 60);
    past.refresh_in_an_hour(TimeDelta::days(20)).await;
    assert_eq!(
        past.versions_but(&[]).await,
        untouched,
        "session ids say that they are right"
    );
    let problem = past.database.text(PROBLEM).await;
    assert!(problem.starts_with("time_zone: "), "{problem}");
    assert!(problem.contains("time_zone_offset = -60"), "{problem}");
    shift(&past, 0);
    past.refresh_in_an_hour(TimeDelta::days(20)).await;
    assert_eq!(past.database.text(PROBLEM).await, "");
    assert_eq!(past.versions_but(&[]).await, untouched);
}

#[tokio::test]
async fn a_raw_record_of_another_start_is_not_added_to_rows_that_stay() {
    let past = Past::of_a_day(120).await;
    let delete = "delete from smartassist.raw_interactions";
    past.database.execute(delete).await;
    let raw = "select count(*) from smartassist.raw_interactions";
    for (minutes, there) in [(60, 0), (0, 120)] {
        shift(&past, minutes);
        past.refresh_in_an_hour(TimeDelta::days(20)).await;
        assert_eq!(past.database.number(raw).await, there);
    }
}
