//! Who may see the page, and what browsers are told about it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::daemon::{ask, environment, get};
use crate::support::wait::{PATIENCE, Stopwatch};
use crate::support::{Program, Setup, TestDatabase};

const PAGES: [&str; 3] = ["/", "/accounts/main", "/api/status"];

#[tokio::test]
async fn every_page_has_security_headers_and_allows_no_writes() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (environment, port) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    for path in PAGES
        .iter()
        .chain(&["/healthz", "/readyz", "/metrics", "/nowhere"])
    {
        let (status, head, _) = ask(port, &format!("GET {path}"), "Host: localhost").await;
        assert_eq!(status, if *path == "/nowhere" { 404 } else { 200 }, "{path}");
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{path}: no {header} in\n{head}");
        }
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let (status, ..) = ask(port, &format!("{method} {path}"), "Host: localhost").await;
            assert!(matches!(status, 404 | 405), "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn without_a_token_only_probes_are_open_to_other_machines() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (mut environment, port) = environment(&setup, &database).await;
    environment.insert(
        "SMARTASSIST_ETL__HTTP__BIND".to_owned(),
        format!("0.0.0.0:{port}"),
    );
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    let named = "Host: etl.example.com";
    for path in PAGES {
        let (status, _, body) = ask(port, &format!("GET {path}"), named).await;
        assert_eq!(status, 403, "{path}");
        assert!(body.contains("Set http.token"), "{body}");
        assert_eq!(get(port, path).await.0, 200, "{path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(port, &format!("GET {path}"), named).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn the_page_requires_the_token_and_accepts_a_new_one_at_once() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (mut environment, port) = environment(&setup, &database).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "an-old-token-of-24-chars\n").unwrap();
    let path = file.path().display().to_string();
    environment.insert("SMARTASSIST_ETL__HTTP__TOKEN_FILE".to_owned(), path);
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    let bearer = |token: &str| format!("Host: etl.example.com\r\nAuthorization: Bearer {token}");
    for path in PAGES {
        let (status, head, _) = ask(port, &format!("GET {path}"), "Host: localhost").await;
        assert_eq!(status, 401, "{path}");
        assert!(head.contains("www-authenticate: basic realm="), "{head}");
        let given = bearer("an-old-token-of-24-chars");
        assert_eq!(ask(port, &format!("GET {path}"), &given).await.0, 200, "{path}");
        assert_eq!(
            ask(port, &format!("GET {path}"), &bearer("wrong")).await.0,
            401,
            "{path}"
        );
    }
    std::fs::write(file.path(), "a-new-token-of-24-chars!").unwrap();
    assert_eq!(
        ask(port, "GET /", &bearer("an-old-token-of-24-chars")).await.0,
        401
    );
    assert_eq!(
        ask(port, "GET /", &bearer("a-new-token-of-24-chars!")).await.0,
        200
    );
    assert_eq!(get(port, "/readyz").await.0, 200);
    assert!(
        !daemon.log.join("\n").contains("token-of-24-chars"),
        "a token is in the log"
    );
}

#[tokio::test]
async fn a_token_that_can_be_guessed_is_refused() {
    let environment = [("SMARTASSIST_ETL__HTTP__TOKEN".to_owned(), "secret".to_owned())].into();
    let ended = Program::run(&["run"], &environment).await;
    assert_eq!(ended.code(), 2);
    let word = ended.log.join("\n");
    assert!(
        word.contains("http.token: must have at least 16 characters"),
        "{word}"
    );
    assert!(!word.contains("secret"), "{word}");
}

/// Opens a connection that says this much.
async fn half_open(port: u16, said: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(said.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn half_open_connections_are_closed_and_others_are_answered() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (environment, port) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    let mut waiting = Vec::new();
    for _ in 0..40 {
        waiting.push(half_open(port, "").await);
        waiting.push(half_open(port, "GET / HTTP/1.1\r\nHost: localhost\r\n").await);
        waiting.push(half_open(port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await);
    }
    // Once those that say nothing have to be done with their heads.
    let watch = Stopwatch::start();
    assert_eq!(get(port, "/healthz").await.0, 200);
    assert!(watch.elapsed() < Duration::from_secs(5), "{:?}", watch.elapsed());
    let all = async {
        for mut stream in waiting {
            // It may be reset, too.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        let mut endless = half_open(port, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ").await;
        let some = [b'x'; 1_024];
        let mut sent = 0;
        while endless.write_all(&some).await.is_ok() {
            sent += some.len();
        }
        assert!(sent < 16 * 1_024 * 1_024, "{sent} bytes of a head were taken");
    };
    timeout(PATIENCE, all).await.unwrap();
}
