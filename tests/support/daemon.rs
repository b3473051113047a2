//! The daemon as a child process: how it is configured, and what its HTTP endpoints say.

use std::collections::HashMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Setup, TestDatabase};

/// A daemon that polls every second and does nothing else, with its own port for HTTP.
pub(crate) async fn environment(setup: &Setup, database: &TestDatabase) -> (HashMap<String, String>, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut environment = setup.environment();
    let bind = format!("127.0.0.1:{port}");
    for (key, value) in [
        ("SMARTASSIST_ETL__SYNC__POLL", "* * * * * *"),
        ("SMARTASSIST_ETL__SYNC__REFRESH", "[]"),
        ("SMARTASSIST_ETL__SYNC__SETTLE_SECONDS", "1"),
        ("SMARTASSIST_ETL__HTTP__BIND", bind.as_str()),
        ("DATABASE_URL", database.url().await.as_str()),
    ] {
        environment.insert(key.to_owned(), value.to_owned());
    }
    (environment, port)
}

/// Status and body of a GET.
pub(crate) async fn get(port: u16, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}
