//! Answers that are not a page: which are asked for again, and where that ends.

use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use smartassist_etl::extract::{Action, ApiError};
use smartassist_simulator::{Fault, FaultKind};
use tokio::net::TcpListener;

use super::{arrived, failure, page, shown, texts};
use crate::support::Setup;

#[tokio::test]
async fn a_burst_of_server_failures_is_outlasted() {
    for status in [408, 500, 502, 503, 504] {
        for kind in [FaultKind::status(status), FaultKind::html(status)] {
            let setup = Setup::with_interactions(40).await;
            let client = setup.client();
            let whole = page(&client, 0).await.0.unwrap();
            setup.simulator.world().inject(Fault::times(3, kind));
            let (page, requests) = page(&client, 0).await;
            assert_eq!(texts(&page.unwrap()), texts(&whole), "{status}");
            assert_eq!((requests, arrived(&setup)), (4, 5), "{status}");
        }
    }
}

#[tokio::test]
async fn a_failure_that_stays_ends_after_the_retries_that_are_allowed() {
    for retries in [0, 1, 6] {
        let mut setup = Setup::start().await;
        setup.set("max_retries", &retries.to_string());
        setup
            .simulator
            .world()
            .inject(Fault::always(FaultKind::html(502)));
        let (error, requests) = failure(&setup.client()).await;
        assert!(
            matches!(error, ApiError::ServerFault { status } if status == 502),
            "{error:?}"
        );
        assert_eq!(requests, retries + 1);
        assert_eq!(arrived(&setup), retries + 1);
    }
}

#[tokio::test]
async fn all_failures_share_max_retries_except_one_new_sign_in() {
    let mut setup = Setup::start().await;
    setup.set("max_retries", "3");
    let faults = [
        FaultKind::status(500),
        FaultKind::status(401),
        FaultKind::ResetInBody,
        FaultKind::status(429),
    ];
    for kind in faults.clone() {
        setup.simulator.world().inject(Fault::next(kind));
    }
    let client = setup.client();
    let (result, requests) = page(&client, 0).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(requests, 5);

    for kind in faults {
        setup.simulator.world().inject(Fault::next(kind));
    }
    setup
        .simulator
        .world()
        .inject(Fault::next(FaultKind::status(503)));
    let (error, requests) = failure(&client).await;
    assert!(matches!(error, ApiError::ServerFault { .. }), "{error:?}");
    assert_eq!(requests, 5);
}

#[tokio::test]
async fn pauses_grow() {
    let mut setup = Setup::start().await;
    setup.set("retry_pause_milliseconds", "60");
    setup
        .simulator
        .world()
        .inject(Fault::times(3, FaultKind::status(500)));
    let began = Instant::now();
    page(&setup.client(), 0).await.0.unwrap();
    assert!(
        began.elapsed() >= Duration::from_millis(60 + 120 + 240),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn what_the_api_does_not_accept_is_not_asked_again() {
    for status in [400, 404, 405, 413, 422] {
        let setup = Setup::start().await;
        setup
            .simulator
            .world()
            .inject(Fault::always(FaultKind::status(status)));
        let (error, requests) = failure(&setup.client()).await;
        assert!(matches!(error, ApiError::Unaccepted { .. }), "{error:?}");
        assert_eq!((error.action(), requests), (Action::GiveUpWindow, 1), "{status}");
        assert!(!shown(&error).contains("simulated failure"), "{error:?}");
    }
}

/// Nobody has called.
async fn assert_is_alone(elsewhere: &TcpListener) {
    let called = tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await;
    assert!(called.is_err(), "the target of the redirect was called");
}

#[tokio::test]
async fn a_redirect_to_another_server_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/login", elsewhere.local_addr().unwrap());
    let setup = Setup::start().await;
    setup
        .simulator
        .world()
        .inject(Fault::always(FaultKind::Redirect(target)));
    let (error, requests) = failure(&setup.client()).await;
    assert!(
        matches!(error, ApiError::Redirected { status } if status == 302),
        "{error:?}"
    );
    assert_eq!(
        (error.action(), requests, arrived(&setup)),
        (Action::StopAccount, 1, 1)
    );
    assert!(!shown(&error).contains("login"), "{error:?}");
    assert_is_alone(&elsewhere).await;
}

#[tokio::test]
async fn a_redirect_that_keeps_the_method_is_not_followed_either() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/v3", elsewhere.local_addr().unwrap());
    for status in [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT] {
        let answer = (status, [(LOCATION, target.clone())]);
        let app = Router::new().fallback(move || async { answer });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut setup = Setup::start().await;
        setup.set("base_url", &format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async { axum::serve(listener, app).await });
        let (error, requests) = failure(&setup.client()).await;
        assert!(matches!(error, ApiError::Redirected { .. }), "{error:?}");
        assert_eq!(requests, 1);
    }
    assert_is_alone(&elsewhere).await;
}

#[tokio::test]
async fn a_200_that_is_no_page_is_asked_for_again() {
    for body in [
        "",
        "<html><body>Please sign in</body></html>",
        r#"{"errors":[{"msg":"internal failure","code":500}]}"#,
        r#"{"numResults":3}"#,
        r#"{"numResults":3,"data":null}"#,
        r#"{"data":{"message":"Internal error"}}"#,
        r#"{"numResults":0,"data":[],"error":"Internal error"}"#,
        r#"{"numResults":1,"data":[{"errors":[{"msg":"Internal error"}]}]}"#,
        r#"{"numResults":0,"data":null,"errors":["Internal error"]}"#,
        r#"{"numResults":1,"data":[{"sessionId":"s-1","note":"cut"#,
        "null",
        "[]",
    ] {
        let setup = Setup::with_interactions(40).await;
        let client = setup.client();
        let whole = page(&client, 0).await.0.unwrap();
        setup
            .simulator
            .world()
            .inject(Fault::times(2, FaultKind::Body(body.into())));
        let (page, requests) = page(&client, 0).await;
        assert_eq!(texts(&page.unwrap()), texts(&whole), "{body}");
        assert_eq!(requests, 3, "{body}");
    }
}

#[tokio::test]
async fn a_200_without_a_page_is_an_error_that_quotes_no_content() {
    for body in [
        "<html><body>Ms Marple, 555-0100</body></html>",
        r#"{"data":[{"customer":"Ms Marple, 555-0100"}"#,
    ] {
        let mut setup = Setup::start().await;
        setup.set("max_retries", "2");
        setup
            .simulator
            .world()
            .inject(Fault::always(FaultKind::Body(body.into())));
        let (error, requests) = failure(&setup.client()).await;
        assert!(
            matches!(error, ApiError::Undecodable { bytes } if bytes == body.len()),
            "{error:?}"
        );
        assert_eq!(requests, 3);
        let shown = shown(&error);
        assert!(!shown.contains("Marple") && !shown.contains("555"), "{shown}");
    }
}
