//! How many interactions of each age had changed when they were read again.

use chrono::TimeDelta;
use serde_json::json;
use smartassist_simulator::Interaction;

use super::past::Past;
use crate::support::instant;

#[tokio::test]
async fn how_often_interactions_of_each_age_had_changed_is_measured() {
    let past = Past::of(600).await;
    let now = instant("2026-01-15T13:00:00Z");
    let (mut young, mut older) = (0, 0);
    {
        let mut world = past.setup.simulator.world();
        let all: Vec<Interaction> = world.interactions().cloned().collect();
        for (place, one) in all.iter().enumerate() {
            let age = now - one.start;
            if age < TimeDelta::days(1) && age >= TimeDelta::hours(12) {
                young += 1;
                world.add_tag(&one.session_id, "late", json!("1"));
            } else if age >= TimeDelta::days(7) && age < TimeDelta::days(14) {
                older += usize::from(place % 4 == 0);
                (place % 4 == 0).then(|| world.add_tag(&one.session_id, "late", json!("1")));
            }
        }
    }
    past.refresh_in_an_hour(TimeDelta::days(20)).await;
    let by_age = "select string_agg(age_from || '-' || age_to || ' ' || changed, ', ' order by age_from_hours) \
                  from smartassist_bi.change_by_age where changed > 0";
    assert_eq!(
        past.database.text(by_age).await,
        format!("12 h-1 d {young}, 7 d-14 d {older}")
    );
    let percent = "select changed_percent::bigint from smartassist_bi.change_by_age where age_from = '12 h'";
    assert_eq!(past.database.number(percent).await, 100);
    let reread = "select sum(reread)::bigint from smartassist_bi.change_by_age";
    assert!((600..610).contains(&past.database.number(reread).await));
}
