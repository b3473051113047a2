//! Signing requests, and what follows when the API refuses a signature.

use axum::Router;
use axum::http::HeaderMap;
use chrono::TimeDelta;
use smartassist_etl::extract::{Action, ApiError};
use smartassist_simulator::{Algorithm, Fault, FaultKind, Simulator};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;

use super::{arrived, failure, page, shown, texts};
use crate::support::Setup;

/// An account whose token comes from a file.
async fn with_token_file(token: &str) -> (Setup, NamedTempFile) {
    let mut setup = Setup::with_interactions(500).await;
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), token).unwrap();
    setup.set("client_id", "");
    setup.set("client_secret", "");
    setup.set("token_file", file.path().to_str().unwrap());
    setup.simulator.world().credentials.static_token = Some(token.to_owned());
    (setup, file)
}

fn pages_asked(simulator: &Simulator) -> Vec<Option<i64>> {
    simulator
        .world()
        .requests()
        .map(|request| request.offset)
        .collect()
}

#[tokio::test]
async fn tokens_signed_with_a_shared_secret_are_let_in() {
    for (name, algorithm) in [("HS256", Algorithm::Hs256), ("HS512", Algorithm::Hs512)] {
        let mut setup = Setup::start().await;
        setup.set("jwt_algorithm", name);
        setup.simulator.world().credentials.algorithm = algorithm;
        let (page, requests) = page(&setup.client(), 0).await;
        assert!(page.is_ok(), "{name}: {page:?}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn tokens_signed_with_a_private_key_are_let_in() {
    for (name, algorithm) in [("RS256", Algorithm::Rs256), ("RS512", Algorithm::Rs512)] {
        let mut setup = Setup::start().await;
        setup.set("jwt_algorithm", name);
        setup.set("client_secret", "");
        let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/extract/keys/private.pem");
        setup.set("client_secret_file", key);
        let public = include_str!("keys/public.pem");
        public.clone_into(&mut setup.simulator.world().credentials.client_secret);
        setup.simulator.world().credentials.algorithm = algorithm;
        let (page, requests) = page(&setup.client(), 0).await;
        assert!(page.is_ok(), "{name}: {page:?}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn every_request_has_a_token_of_its_own_retries_included() {
    let (sender, mut tokens) = unbounded_channel();
    let app = Router::new().fallback(move |headers: HeaderMap| {
        sender.send(headers["auth"].to_str().unwrap().to_owned()).unwrap();
        async { "not a page" }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut setup = Setup::start().await;
    setup.set("base_url", &format!("http://{}", listener.local_addr().unwrap()));
    setup.set("max_retries", "4");
    tokio::spawn(async { axum::serve(listener, app).await });
    let (_, requests) = failure(&setup.client()).await;

    let mut ids = Vec::new();
    while let Ok(token) = tokens.try_recv() {
        let data = jsonwebtoken::dangerous::insecure_decode::<serde_json::Value>(&token).unwrap();
        assert_eq!(data.claims["appId"], "cs-sim");
        assert!(data.claims["exp"].as_i64() > data.claims["iat"].as_i64());
        ids.push(data.claims["jti"].as_str().unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), requests), (5, 5));
}

#[tokio::test]
async fn a_token_that_somebody_else_minted_is_sent_as_it_is() {
    let mut setup = Setup::start().await;
    setup.set("client_id", "");
    setup.set("client_secret", "");
    setup.set("token", "minted.elsewhere.0123");
    setup.simulator.world().credentials.static_token = Some("minted.elsewhere.0123".to_owned());
    assert!(page(&setup.client(), 0).await.0.is_ok());
}

#[tokio::test]
async fn a_token_file_replaced_during_a_request_is_read_again() {
    let (setup, file) = with_token_file("first.token.0").await;
    let client = setup.client();
    page(&client, 0).await.0.unwrap();
    let path = file.path().to_owned();
    // The first token was good when the request came, and runs out before it is answered.
    setup.simulator.world().before_request(1, move |world| {
        world.expire_tokens();
        world.credentials.static_token = Some("second.token.0".to_owned());
        world.inject(Fault::next(FaultKind::status(401)));
        std::fs::write(path, "second.token.0\n").unwrap();
    });
    let (second, requests) = page(&client, 1).await;
    assert_eq!(requests, 2);
    assert_eq!(pages_asked(&setup.simulator), [Some(0), Some(1), Some(1)]);
    assert_eq!(texts(&second.unwrap()), texts(&page(&client, 1).await.0.unwrap()));
}

#[tokio::test]
async fn a_token_file_that_was_not_replaced_ends_after_two_requests() {
    let (setup, _file) = with_token_file("first.token.0").await;
    let client = setup.client();
    page(&client, 0).await.0.unwrap();
    setup.simulator.world().expire_tokens();
    let (error, requests) = failure(&client).await;
    assert!(
        matches!(error, ApiError::Refused { status } if status == 401),
        "{error:?}"
    );
    assert_eq!(requests, 2);
    assert!(!shown(&error).contains("first.token"), "{error:?}");
}

#[tokio::test]
async fn an_expired_token_is_replaced_once_and_the_page_resumed() {
    let setup = Setup::with_interactions(500).await;
    let client = setup.client();
    page(&client, 0).await.0.unwrap();
    setup.simulator.world().before_request(1, |world| {
        world.expire_tokens();
        // Our tokens are dated back by the margin for clocks that differ.
        let now = world.now();
        world.set_now(now + TimeDelta::minutes(5));
        world.inject(Fault::next(FaultKind::status(401)));
    });
    let refused_until = setup.simulator.world().now() + TimeDelta::minutes(5);
    setup.clock.set(refused_until);
    let (second, requests) = page(&client, 1).await;
    assert!(second.is_ok(), "{second:?}");
    assert_eq!(requests, 2);
    assert_eq!(pages_asked(&setup.simulator), [Some(0), Some(1), Some(1)]);
}

#[tokio::test]
async fn a_refusal_that_persists_ends_after_two_requests() {
    for status in [401, 403] {
        let setup = Setup::start().await;
        setup
            .simulator
            .world()
            .inject(Fault::always(FaultKind::status(status)));
        let (error, requests) = failure(&setup.client()).await;
        assert!(
            matches!(error, ApiError::Refused { status: given } if given == status),
            "{error:?}"
        );
        // The one further try that this asks for has been made: whoever gets it stops the account.
        assert_eq!(error.action(), Action::SignInAgain);
        assert_eq!((requests, arrived(&setup)), (2, 2));
        assert!(error.remedy().contains("client_secret"));
    }
}

#[tokio::test]
async fn each_page_may_sign_in_again_once() {
    let setup = Setup::with_interactions(500).await;
    let client = setup.client();
    for offset in [0, 1] {
        setup
            .simulator
            .world()
            .inject(Fault::at_offset(offset, FaultKind::status(401)));
    }
    for offset in [0, 1] {
        let (page, requests) = page(&client, offset).await;
        assert!(page.is_ok(), "{page:?}");
        assert_eq!(requests, 2);
    }
}

#[tokio::test]
async fn a_wrong_secret_and_an_account_of_somebody_else_are_refused() {
    for (key, value) in [
        ("client_secret", "not-the-secret-0123456789abcdef"),
        ("client_id", "cs-other"),
        ("account_id", "acct-other"),
        ("stream_id", "st-other"),
    ] {
        let mut setup = Setup::start().await;
        setup.set(key, value);
        let (error, requests) = failure(&setup.client()).await;
        assert!(matches!(error, ApiError::Refused { .. }), "{key}: {error:?}");
        assert_eq!(requests, 2, "{key}");
        assert!(!shown(&error).contains(value), "{key}: {error:?}");
    }
}

#[tokio::test]
async fn a_missing_secret_file_stops_the_account_without_a_request() {
    let (setup, file) = with_token_file("first.token.0").await;
    let client = setup.client();
    let path = file.path().display().to_string();
    drop(file);
    let (error, requests) = failure(&client).await;
    assert_eq!(error.action(), Action::StopAccount);
    assert!(shown(&error).contains(&path), "{error:?}");
    assert_eq!((requests, arrived(&setup)), (0, 0));
}

#[tokio::test]
async fn what_cannot_sign_stops_the_account_without_being_quoted() {
    let mut setup = Setup::start().await;
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), include_str!("keys/private.pem")).unwrap();
    setup.set("jwt_algorithm", "RS256");
    setup.set("client_secret", "");
    setup.set("client_secret_file", file.path().to_str().unwrap());
    let client = setup.client();
    // The key was good when the program started.
    std::fs::write(file.path(), "simulator-secret").unwrap();
    let (error, requests) = failure(&client).await;
    assert_eq!((error.action(), requests), (Action::StopAccount, 0));
    assert!(!shown(&error).contains("simulator-secret"), "{error:?}");

    let (setup, _file) = with_token_file("two\nlines").await;
    let (error, requests) = failure(&setup.client()).await;
    assert_eq!((error.action(), requests), (Action::StopAccount, 0));
    assert!(!shown(&error).contains("lines"), "{error:?}");
    assert!(
        shown(&error).contains("the configured token cannot be sent"),
        "{error:?}"
    );
    assert!(error.remedy().contains("check token"), "{}", error.remedy());
    assert_eq!(arrived(&setup), 0);
}
