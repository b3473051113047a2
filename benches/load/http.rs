//! What answers over HTTP, asked without a client's pool or retries.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// Bytes of what answers a GET.
pub(crate) async fn get(address: impl ToSocketAddrs, path: &str) -> Result<usize> {
    ask(
        address,
        &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"),
    )
    .await
}

pub(crate) async fn post(address: impl ToSocketAddrs, path: &str, json: &str) -> Result<usize> {
    let head = format!("POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json");
    let length = json.len();
    ask(
        address,
        &format!("{head}\r\nContent-Length: {length}\r\n\r\n{json}"),
    )
    .await
}

async fn ask(address: impl ToSocketAddrs, request: &str) -> Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let head = answer.get(..15).context("no answer")?;
    let asked = request.lines().next().unwrap_or_default();
    ensure!(
        head.ends_with(b" 200 OK"),
        "{asked}: {}",
        String::from_utf8_lossy(head)
    );
    Ok(answer.len())
}
