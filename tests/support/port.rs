//! Ports of a test's own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use tokio::net::TcpSocket;

/// What keeps the ports that were given away. A socket that is bound and does not listen lets a server listen on
/// its port, as servers reuse addresses, and neither the system nor another test gives that port to anybody else.
static KEPT: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());

/// A port that nobody listens on until the test does, or has a program do so. It stays the test's own for as long as
/// this process lives.
pub(crate) fn reserved() -> u16 {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = socket.local_addr().unwrap().port();
    KEPT.lock().unwrap().push(socket);
    port
}

/// An address that refuses connections, now and later.
pub(crate) fn closed() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, reserved()))
}
