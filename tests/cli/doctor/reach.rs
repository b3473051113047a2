//! The way to the API: name, certificate, sign-in, each as it should be and not.

use std::collections::HashMap;

use chrono::TimeDelta;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::{Diagnosis, busy};
use crate::support::tls::{Authority, Flaw, terminate};
use crate::support::{Program, Setup, TestDatabase, port, real_now};

const BASE_URL: &str = "SMARTASSIST_ETL__ACCOUNTS__MAIN__BASE_URL";

/// What is said of this account where it is reached by another `base_url`.
async fn by(base_url: &str, setup: &Setup, more: &[(&str, &str)]) -> Diagnosis {
    let database = TestDatabase::migrated().await;
    let mut environment = setup.environment_on(&database).await;
    for (name, value) in [(BASE_URL, base_url)].iter().chain(more) {
        environment.insert((*name).to_owned(), (*value).to_owned());
    }
    Diagnosis::of(&environment).await
}

#[tokio::test]
async fn a_name_that_nobody_knows_ends_the_way_there() {
    let setup = busy().await;
    let diagnosis = by("https://api.invalid", &setup, &[]).await;
    diagnosis.assert("API", "failed", "dns error");
    assert!(diagnosis.whole("API")["remedy"].to_string().contains("DNS"));
    for behind in ["TLS", "sign-in", "clocks"] {
        assert!(!diagnosis.has(behind), "{behind}");
    }
    assert_eq!(diagnosis.code, 1);
}

#[tokio::test]
async fn a_name_that_only_the_proxy_knows_is_reached() {
    let setup = busy().await;
    // Whatever the host in the request's URL, the simulator answers: as a proxy would.
    let proxy = [("HTTP_PROXY", setup.simulator.base_url())];
    let proxy = proxy.each_ref().map(|(name, value)| (*name, value.as_str()));
    let diagnosis = by("http://api.invalid", &setup, &proxy).await;
    diagnosis.assert("API", "ok", "it answers");
    assert_eq!(diagnosis.code, 0, "{:#}", diagnosis.report);
}

#[tokio::test]
async fn doctor_warns_of_plain_text_to_an_api_on_another_machine() {
    let setup = busy().await;
    // This machine, by an address that does not say so.
    let elsewhere = setup.simulator.base_url().replace("127.0.0.1", "0.0.0.0");
    let diagnosis = by(&elsewhere, &setup, &[]).await;
    diagnosis.assert("TLS", "warning", "requests to 0.0.0.0 are plain text");
    assert_eq!(diagnosis.code, 0, "{:#}", diagnosis.report);
}

#[tokio::test]
async fn doctor_says_why_a_certificate_is_invalid_and_checks_no_more() {
    let setup = busy().await;
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let file = authority.file(directory.path()).display().to_string();
    let trusted = [("SSL_CERT_FILE", file.as_str())];
    for (flaw, status, found) in [
        (Flaw::None, "ok", "the certificate of 127.0.0.1 is valid"),
        (Flaw::Expired, "failed", "certificate expired"),
        (Flaw::OtherHost, "failed", "not valid for"),
    ] {
        let address = terminate(setup.simulator.address(), authority.vouches(flaw)).await;
        let diagnosis = by(&format!("https://{address}"), &setup, &trusted).await;
        diagnosis.assert("TLS", status, found);
        let is_good = flaw == Flaw::None;
        assert_eq!(
            (diagnosis.has("sign-in"), diagnosis.has("API")),
            (is_good, is_good)
        );
        assert_eq!(diagnosis.code, i32::from(!is_good), "{:#}", diagnosis.report);
    }
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_told_so_and_nothing_behind_it() {
    let setup = busy().await;
    let closed = port::closed();
    let diagnosis = by(&format!("https://{closed}"), &setup, &[]).await;
    diagnosis.assert("API", "failed", "connect");
    assert!(!diagnosis.has("TLS") && !diagnosis.has("sign-in"));
    assert_eq!(diagnosis.code, 1);
}

/// What is said of an account that has a token from elsewhere, good for so long.
async fn with_token_for(life: TimeDelta) -> Diagnosis {
    let setup = busy().await;
    let claims = json!({ "exp": (real_now() + life).timestamp() });
    let key = EncodingKey::from_secret(b"somebody-elses-secret-0123456789");
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
    setup.simulator.world().credentials.static_token = Some(token.clone());
    let database = TestDatabase::migrated().await;
    let mut environment: HashMap<String, String> = setup.environment_on(&database).await;
    environment.retain(|name, _| !name.contains("__CLIENT_"));
    environment.insert("SMARTASSIST_ETL__ACCOUNTS__MAIN__TOKEN".to_owned(), token);
    Diagnosis::of(&environment).await
}

#[tokio::test]
async fn a_token_that_soon_runs_out_is_a_warning() {
    let diagnosis = with_token_for(TimeDelta::days(30)).await;
    diagnosis.assert("sign-in", "ok", "accepts the configured token; it expires at 20");
    let diagnosis = with_token_for(TimeDelta::days(2)).await;
    diagnosis.assert("sign-in", "warning", "it expires at 20");
    assert_eq!(diagnosis.code, 0, "{:#}", diagnosis.report);
}

#[tokio::test]
async fn a_refused_sign_in_is_exit_code_3_and_names_what_to_check() {
    let database = TestDatabase::migrated().await;
    let mut setup = busy().await;
    setup.set("client_secret", "wrong-secret-0123456789abcdef-wrong");
    let ended = Program::run(&["doctor"], &setup.environment_on(&database).await).await;
    assert_eq!(ended.code(), 3);
    let line = "failed   main: sign-in: the API refused us (status 401 Unauthorized)\n";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("remedy: check client_id, client_secret"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("wrong-secret"));
    assert!(ended.last_word().contains("doctor found problems"));
}
