//! TCP connections that can misbehave: a handler may take a connection over, send bytes of its own and close or reset it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::Sleep,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How long sent bytes may travel before a reset, which would overtake them.
const BEFORE_RESET: Duration = Duration::from_millis(20);

/// What a connection does instead of what the HTTP server writes next.
#[derive(Debug)]
pub(crate) struct Script {
    /// Sent first.
    pub(crate) bytes: Vec<u8>,
    /// Then this.
    pub(crate) ending: Ending,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// FIN.
    Close,
    /// RST.
    Reset,
}

/// A handler's grip on the connection that its request came by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(Arc<Mutex<Option<Script>>>);

impl Line {
    /// Takes the connection over. The response that the handler returns is not sent.
    pub(crate) fn play(&self, script: Script) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(script);
    }

    fn take(&self) -> Option<Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A listener whose connections end when it is stopped.
pub(crate) struct Listening {
    pub(crate) listener: TcpListener,
    pub(crate) stop: CancellationToken,
}

impl Listener for Listening {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // A page is one write after the head; waiting for the acknowledgement of the head would cost 40 ms.
        if let Err(err) = stream.set_nodelay(true) {
            tracing::debug!(error = %err, "could not set TCP_NODELAY");
        }
        let stopped = Box::pin(self.stop.clone().cancelled_owned());
        (
            Connection {
                stream,
                line: Line::default(),
                playing: None,
                stopped,
                is_stopped: false,
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Listening>> for Line {
    fn connect_info(stream: IncomingStream<'_, Listening>) -> Self {
        stream.io().line.clone()
    }
}

/// An accepted connection.
pub(crate) struct Connection {
    stream: TcpStream,
    line: Line,
    playing: Option<Playing>,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    is_stopped: bool,
}

struct Playing {
    script: Script,
    sent: usize,
    pause: Pin<Box<Sleep>>,
}

impl Connection {
    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> bool {
        self.is_stopped = self.is_stopped || self.stopped.as_mut().poll(cx).is_ready();
        self.is_stopped
    }

    /// Plays the script to its end, which is always an error for the HTTP server: it drops the connection.
    fn poll_play(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(playing) = &mut self.playing else {
            return Poll::Pending;
        };
        while playing.sent < playing.script.bytes.len() {
            let rest = &playing.script.bytes[playing.sent..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest)) {
                Ok(sent) => playing.sent += sent,
                Err(err) => return Poll::Ready(err),
            }
            playing.pause = Box::pin(tokio::time::sleep(BEFORE_RESET));
        }
        match playing.script.ending {
            Ending::Close => {
                if let Err(err) = ready!(Pin::new(&mut self.stream).poll_shutdown(cx)) {
                    return Poll::Ready(err);
                }
            }
            Ending::Reset => {
                if !playing.script.bytes.is_empty() {
                    ready!(playing.pause.as_mut().poll(cx));
                }
                if let Err(err) = self.stream.set_zero_linger() {
                    return Poll::Ready(err);
                }
            }
        }
        Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, "cut on purpose"))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_stopped(cx) {
            // Nothing read is the end of the stream.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.poll_stopped(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if self.playing.is_none() {
            let Some(script) = self.line.take() else {
                return Pin::new(&mut self.stream).poll_write(cx, buf);
            };
            let pause = Box::pin(tokio::time::sleep(BEFORE_RESET));
            self.playing = Some(Playing {
                script,
                sent: 0,
                pause,
            });
        }
        self.poll_play(cx).map(Err)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
