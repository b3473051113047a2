//! A server that answers what no HTTP library would write, a few times, and then is the real one.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// Answers the first `times` connections with these bytes and hangs up; passes all others on.
pub(super) async fn before(server: SocketAddr, answer: &'static [u8], times: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut answered = 0;
        while let Ok((mut client, _)) = listener.accept().await {
            answered += 1;
            let is_real = answered > times;
            tokio::spawn(async move {
                if is_real {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
                // A request is there once its body is; what is not read would reset the connection.
                let mut request = vec![0; 65_536];
                let mut length = 0;
                while !request[..length].ends_with(b"}") {
                    match client.read(&mut request[length..]).await {
                        Ok(more @ 1..) => length += more,
                        _ => return,
                    }
                }
                let _ = client.write_all(answer).await;
                let _ = client.shutdown().await;
            });
        }
    });
    address
}
