//! The daemon as a child process: how it is configured, and what its HTTP endpoints say.

use std::collections::HashMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Setup, TestDatabase, port, wait};

/// A daemon that polls every second and does nothing else, with its own port for HTTP.
pub(crate) async fn environment(setup: &Setup, database: &TestDatabase) -> (HashMap<String, String>, u16) {
    let port = port::reserved();
    let mut environment = setup.environment_on(database).await;
    let bind = format!("127.0.0.1:{port}");
    for (key, value) in [
        ("SMARTASSIST_ETL__SYNC__POLL", "* * * * * *"),
        ("SMARTASSIST_ETL__SYNC__SETTLE_SECONDS", "1"),
        ("SMARTASSIST_ETL__HTTP__BIND", bind.as_str()),
    ] {
        environment.insert(key.to_owned(), value.to_owned());
    }
    (environment, port)
}

/// Status and body of a GET.
pub(crate) async fn get(port: u16, path: &str) -> (u16, String) {
    let (status, _, body) = ask(port, &format!("GET {path}"), "Host: localhost").await;
    (status, body)
}

/// Status, head and body of what answers a method and a path, with these lines of a head.
pub(crate) async fn ask(port: u16, what: &str, head: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // Of HTTP 1.0, which knows no chunks.
    let request = format!("{what} HTTP/1.0\r\n{head}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

/// Waits until a path answers with this status and a body that contains this. (What an answer shows may come a moment
/// after the line of the log that tells of the same.)
#[track_caller]
pub(crate) fn until_answer(port: u16, path: &str, status: u16, said: &str) -> impl Future<Output = String> {
    wait::until(&format!("{status} with {said:?} at {path}"), async move || {
        // Nobody may listen yet.
        let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await else {
            return Err((0, String::new()));
        };
        drop(stream);
        let (answer, body) = get(port, path).await;
        if answer == status && body.contains(said) {
            Ok(body)
        } else {
            Err((answer, body))
        }
    })
}
