//! Every documented limit, from outside.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use smartassist_simulator::{PastOffset, RetryAfter};

use crate::client::{Client, at, day, ids, monday, range, simulator, with};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_page_has_at_most_a_hundred_records() {
    let simulator = simulator(250).await;
    let client = Client::new(&simulator);
    assert_eq!(client.ids("offset=0&limit=100", &day()).await.len(), 100);
    assert_eq!(client.ids("offset=2&limit=100", &day()).await.len(), 50);
    assert_eq!(client.ids("offset=0&limit=7", &day()).await.len(), 7);
    assert_eq!(client.ids("", &day()).await.len(), 100);
    for query in ["limit=101", "limit=0", "limit=many"] {
        assert_eq!(client.status(query, &day()).await, 400, "{query}");
    }
}

#[tokio::test]
async fn only_1100_records_of_a_range_can_be_reached() {
    let simulator = simulator(1200).await;
    let client = Client::new(&simulator);
    let page = client.page("offset=10&limit=100", &day()).await;
    assert_eq!((ids(&page).len(), &page["numResults"]), (100, &json!(1200)));
    let refused = client.ask("offset=11&limit=100", &day()).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("offset"));

    simulator.world().behaviour.past_offset = PastOffset::Empty;
    let page = client.page("offset=11&limit=100", &day()).await;
    assert_eq!((ids(&page).len(), &page["numResults"]), (0, &json!(1200)));
}

#[tokio::test]
async fn a_range_has_at_most_seven_days() {
    let simulator = simulator(10).await;
    let client = Client::new(&simulator);
    assert_eq!(client.status("", &range(monday(), at(7 * 86_400))).await, 200);
    assert_eq!(client.status("", &range(monday(), at(7 * 86_400 + 1))).await, 400);
    assert_eq!(client.status("", &range(at(1), monday())).await, 400);
    assert_eq!(
        client
            .status("", &with(day(), "timeZoneOffset", Value::Null))
            .await,
        400
    );
    assert_eq!(
        client
            .status("", &with(day(), "isAutomation", json!(false)))
            .await,
        200
    );
    assert_eq!(simulator.world().counters().refused, 3);
}

#[tokio::test]
async fn requests_over_the_limit_get_429_until_the_minute_has_passed() {
    let simulator = simulator(10).await;
    let client = Client::new(&simulator);
    {
        let limits = &mut simulator.world().limits;
        limits.requests_per_minute = Some(3);
        limits.minute = MINUTE;
        limits.retry_after = RetryAfter::Seconds;
    }
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(client.status("", &day()).await, 200);
    }
    let limited = client.ask("", &day()).await;
    assert_eq!(limited.status(), 429);
    let wait = limited.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let wait = Duration::from_secs(wait);
    assert!(wait <= MINUTE && wait >= MINUTE - began.elapsed(), "{wait:?}");
    assert!(
        limited
            .text()
            .await
            .unwrap()
            .contains("You've exceeded the per-minute rate limit.")
    );
    tokio::time::pause();
    tokio::time::advance(MINUTE).await;
    tokio::time::resume();
    assert_eq!(client.status("", &day()).await, 200);
    let counters = simulator.world().counters();
    assert_eq!((counters.rate_limited, counters.requests), (1, 5));
}

#[tokio::test]
async fn the_limit_may_come_as_another_status_with_the_same_message() {
    let simulator = simulator(10).await;
    let client = Client::new(&simulator);
    for (status, style) in [
        (200, RetryAfter::Absent),
        (400, RetryAfter::Exactly("soon".to_owned())),
    ] {
        {
            let limits = &mut simulator.world().limits;
            limits.requests_per_minute = Some(0);
            limits.rate_limit_status = status;
            limits.retry_after = style.clone();
        }
        let limited = client.ask("", &day()).await;
        assert_eq!(limited.status().as_u16(), status);
        assert_eq!(
            limited.headers().contains_key("retry-after"),
            style != RetryAfter::Absent
        );
        assert!(limited.text().await.unwrap().contains("per-minute rate limit"));
    }
}

#[tokio::test]
async fn the_log_shows_what_was_asked_and_answered() {
    let simulator = simulator(150).await;
    let client = Client::new(&simulator);
    client.page("offset=1&limit=100", &day()).await;
    client.status("offset=11&limit=100", &day()).await;
    let world = simulator.world();
    let log: Vec<_> = world.requests().collect();
    assert_eq!(
        (log[0].number, log[0].offset, log[0].limit),
        (1, Some(1), Some(100))
    );
    assert_eq!((log[0].start, log[0].end), (Some(monday()), Some(at(86_399))));
    assert_eq!((log[0].status, log[0].records, &log[0].body), (200, 50, &day()));
    assert_eq!((log[1].status, log[1].records, log[1].offset), (400, 0, Some(11)));
    let counters = world.counters();
    assert_eq!(
        (
            counters.requests,
            counters.records_served,
            counters.in_flight_peak
        ),
        (2, 50, 1)
    );
}
