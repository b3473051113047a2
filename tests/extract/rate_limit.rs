//! The API's rate limit: in which words it comes, and how long all requests then wait.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;
use smartassist_etl::extract::ApiError;
use smartassist_simulator::{Fault, FaultKind, RetryAfter};

use super::{arrived, failure, page, texts};
use crate::support::Setup;
use crate::support::wait::{self, Stopwatch};

const MESSAGES: [&str; 2] = [
    "You've exceeded the per-minute rate limit. Please wait for sometime before retrying.",
    "Rate limit for this API has been reached. Please try again later",
];

/// Waits until so many requests have come to the API.
async fn until_arrived(setup: &Setup, requests: u64) {
    wait::until("requests", async || {
        let arrived = arrived(setup);
        (arrived >= requests).then_some(()).ok_or(arrived)
    })
    .await;
}

#[tokio::test]
async fn retry_after_is_waited_for_in_seconds_and_as_a_date() {
    let setup = Setup::start().await;
    let date = (setup.simulator.world().now() + TimeDelta::seconds(1)).to_rfc2822();
    let date = date.replace("+0000", "GMT");
    for header in ["1", &date] {
        setup
            .simulator
            .world()
            .inject(Fault::next(FaultKind::retry_after(429, header)));
        let (began, watch) = (Instant::now(), Stopwatch::start());
        let (page, requests) = page(&setup.client(), 0).await;
        assert!(page.is_ok(), "{page:?}");
        assert_eq!(requests, 2);
        let waited = (began.elapsed(), watch.elapsed());
        assert!(waited.0 >= Duration::from_secs(1), "{header}: {waited:?}");
        assert!(waited.1 < Duration::from_secs(3), "{header}: {waited:?}");
    }
}

#[tokio::test]
async fn without_a_usable_retry_after_the_backoff_alone_is_waited_for() {
    let setup = Setup::start().await;
    for kind in [
        FaultKind::status(429),
        FaultKind::retry_after(429, ""),
        FaultKind::retry_after(429, "soon"),
        FaultKind::retry_after(429, "-5"),
        FaultKind::retry_after(429, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        setup.simulator.world().inject(Fault::times(2, kind.clone()));
        let watch = Stopwatch::start();
        let (page, requests) = page(&setup.client(), 0).await;
        assert!(page.is_ok(), "{page:?}");
        assert_eq!(requests, 3);
        assert!(watch.elapsed() < Duration::from_millis(900), "{kind:?}");
    }
}

#[tokio::test]
async fn an_extremely_long_retry_after_does_not_overflow() {
    for header in ["86400", "18446744073709551615", "99999999999999999999999"] {
        let setup = Setup::start().await;
        setup
            .simulator
            .world()
            .inject(Fault::next(FaultKind::retry_after(429, header)));
        let client = setup.client();
        let asking = page(&client, 0);
        tokio::select! {
            asked = asking => panic!("{header}: {asked:?}"),
            () = async {
                until_arrived(&setup, 1).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            } => {}
        }
        assert_eq!(arrived(&setup), 1, "{header}");
    }
}

#[tokio::test]
async fn a_rate_limited_answer_holds_back_every_request_of_the_client() {
    let mut setup = Setup::start().await;
    // The other page waits for the end of the first request, and finds the pause already set.
    setup.set("max_in_flight", "1");
    setup
        .simulator
        .world()
        .inject(Fault::at_offset(0, FaultKind::retry_after(429, "1")));
    let client = setup.client();
    let began = Instant::now();
    let limited = page(&client, 0);
    let other = async {
        until_arrived(&setup, 1).await;
        page(&client, 1).await.0.unwrap();
        began.elapsed()
    };
    let ((limited, requests), waited) = tokio::join!(limited, other);
    assert!(limited.is_ok(), "{limited:?}");
    assert_eq!((requests, arrived(&setup)), (2, 3));
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[tokio::test]
async fn a_request_of_one_account_does_not_wait_for_another_account() {
    let (limited, free) = (Setup::start().await, Setup::start().await);
    limited
        .simulator
        .world()
        .inject(Fault::next(FaultKind::retry_after(429, "60")));
    let (waiting, client) = (limited.client(), free.client());
    let watch = Stopwatch::start();
    tokio::select! {
        _ = page(&waiting, 0) => panic!("did not wait"),
        () = async {
            until_arrived(&limited, 1).await;
            page(&client, 0).await.0.unwrap();
        } => {}
    }
    assert!(watch.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn the_rate_limits_message_is_understood_under_every_status() {
    for status in [200, 400, 403, 429, 503] {
        for message in MESSAGES {
            let mut setup = Setup::start().await;
            setup.set("max_retries", "2");
            let kind = FaultKind::Status {
                status,
                retry_after: Some("0".to_owned()),
                content_type: "application/json".to_owned(),
                body: format!(r#"{{"errors":[{{"msg":"{message}","code":4290}}]}}"#),
            };
            setup.simulator.world().inject(Fault::always(kind));
            let (error, requests) = failure(&setup.client()).await;
            assert!(
                matches!(error, ApiError::RateLimited { status: given, .. } if given == status),
                "{status}: {error:?}"
            );
            assert_eq!(requests, 3, "{status}");
        }
    }
}

#[tokio::test]
async fn a_rate_limit_message_without_records_is_no_empty_page() {
    for message in MESSAGES {
        let setup = Setup::with_interactions(40).await;
        let client = setup.client();
        let bodies = [
            format!(r#"{{"numResults":0,"data":[],"message":"{message}"}}"#),
            format!(r#"{{"numResults":0,"data":[],"note":"{message}"}}"#),
            format!(r#"{{"numResults":0,"data":null,"message":"{message}"}}"#),
            format!(r#"{{"data":{{"message":"{message}"}}}}"#),
        ];
        for body in &bodies {
            setup
                .simulator
                .world()
                .inject(Fault::next(FaultKind::Body(body.clone().into_bytes())));
            let (page, requests) = page(&client, 0).await;
            assert!(!page.unwrap().records.is_empty());
            assert_eq!(requests, 2);
        }
        let mut setup = Setup::start().await;
        setup.set("max_retries", "0");
        for body in bodies {
            setup
                .simulator
                .world()
                .inject(Fault::next(FaultKind::Body(body.clone().into_bytes())));
            let (error, _) = failure(&setup.client()).await;
            assert!(matches!(error, ApiError::RateLimited { .. }), "{body}: {error:?}");
        }
    }
}

#[tokio::test]
async fn the_next_window_waits_for_a_retry_after_without_retries_left() {
    for headers in [&["1"][..], &["0", "1"]] {
        let mut setup = Setup::start().await;
        setup.set("max_retries", &(headers.len() - 1).to_string());
        for header in headers {
            setup
                .simulator
                .world()
                .inject(Fault::next(FaultKind::retry_after(429, *header)));
        }
        let (client, began) = (setup.client(), Instant::now());
        let (error, requests) = failure(&client).await;
        let watch = Stopwatch::start();
        assert!(matches!(error, ApiError::RateLimited { .. }), "{error:?}");
        assert_eq!(requests, headers.len() as u64);
        page(&client, 0).await.0.unwrap();
        let waited = (began.elapsed(), watch.elapsed());
        assert!(waited.0 >= Duration::from_secs(1), "{waited:?}");
        assert!(waited.1 < Duration::from_secs(3), "{waited:?}");
    }
}

#[tokio::test]
async fn a_customers_words_about_a_rate_limit_are_just_a_record() {
    let setup = Setup::start().await;
    let body = r#"{"numResults":1,"data":[{"sessionId":"s","lastIntentuserInput":"the rate limit"}]}"#;
    setup
        .simulator
        .world()
        .inject(Fault::next(FaultKind::Body(body.into())));
    let (page, requests) = page(&setup.client(), 0).await;
    assert_eq!((page.unwrap().records.len(), requests), (1, 1));
}

#[tokio::test]
async fn a_real_limit_of_the_server_is_waited_out_under_any_status() {
    let answers = [200, 400, 429].into_iter().flat_map(|status| {
        [RetryAfter::Absent, RetryAfter::Seconds, RetryAfter::HttpDate].map(|header| (status, header))
    });
    let all = answers.map(async |(status, retry_after)| {
        let mut setup = Setup::with_interactions(40).await;
        setup.set("retry_pause_milliseconds", "50");
        {
            let mut world = setup.simulator.world();
            world.limits.requests_per_minute = Some(1);
            world.limits.minute = Duration::from_millis(300);
            world.limits.rate_limit_status = status;
            world.limits.retry_after = retry_after;
        }
        let client = setup.client();
        let first = page(&client, 0).await.0.unwrap();
        // However late the second one comes, its minute is not over.
        setup.simulator.world().limits.requests_per_minute = Some(0);
        let (second, ()) = tokio::join!(page(&client, 0), async {
            wait::until("a request that is limited", async || {
                let limited = setup.simulator.world().counters().rate_limited;
                (limited > 0).then_some(()).ok_or(limited)
            })
            .await;
            setup.simulator.world().limits.requests_per_minute = Some(1);
        });
        assert_eq!(texts(&first), texts(&second.0.unwrap()));
    });
    join_all(all).await;
}
