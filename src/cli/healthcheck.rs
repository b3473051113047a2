use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Config;

use super::exit::CommandError;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Every failure is exit code 1: container engines know no other.
pub(super) async fn healthcheck(file: Option<&Path>) -> Result<(), CommandError> {
    let address = reachable(Config::load_bind(file).map_err(CommandError::other)?);
    let failed =
        |why: String| CommandError::other(format!("no live daemon at http://{address}/healthz: {why}"));
    match tokio::time::timeout(TIMEOUT, status_line(address)).await {
        Ok(Ok(line)) if line.contains(" 200 ") => Ok(()),
        Ok(Ok(line)) => Err(failed(format!("it answered {line:?}"))),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {} seconds", TIMEOUT.as_secs()))),
    }
}

fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, bind.port())
}

/// An HTTP client would load root certificates each time.
async fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(1_024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}
