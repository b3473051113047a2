//! Between a client and PostgreSQL: passes everything on until it is told to do harm.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it does when a COMMIT comes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Harm {
    None,
    /// The server gets it, the client never hears of it: the connection is cut.
    CutAfterCommit,
    /// The server never gets it: the connection is cut.
    CutBeforeCommit,
    /// The server gets it, and nobody ever hears anything of anybody again.
    FallSilent,
}

/// A COMMIT, as sqlx sends it.
const COMMIT: &[u8] = b"COMMIT\0";

#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) port: u16,
    harm: Arc<AtomicU8>,
    /// COMMITs that are still to be let through before.
    spare: Arc<AtomicU64>,
    done: Arc<AtomicU64>,
}

impl Proxy {
    pub(super) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            harm: Arc::default(),
            spare: Arc::default(),
            done: Arc::default(),
        };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(serving.clone().pass(client, server));
            }
        });
        proxy
    }

    /// Does harm to the COMMIT after so many.
    pub(super) fn harm(&self, harm: Harm, spare: u64) {
        self.spare.store(spare, Ordering::SeqCst);
        self.harm.store(harm as u8, Ordering::SeqCst);
    }

    /// How often harm was done.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    fn next_harm(&self) -> Harm {
        let harm = match self.harm.load(Ordering::SeqCst) {
            1 => Harm::CutAfterCommit,
            2 => Harm::CutBeforeCommit,
            3 => Harm::FallSilent,
            _ => return Harm::None,
        };
        let spared = self
            .spare
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |spare| spare.checked_sub(1));
        if spared.is_ok() {
            return Harm::None;
        }
        self.harm.store(Harm::None as u8, Ordering::SeqCst);
        self.done.fetch_add(1, Ordering::SeqCst);
        harm
    }

    async fn pass(self, client: TcpStream, server: TcpStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = Arc::clone(&is_silent);
        let back = tokio::spawn(async move {
            let mut bytes = vec![0; 65_536];
            while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
                if silent.load(Ordering::SeqCst) {
                    // Both ends stay open, and nobody hears of the other.
                    return std::future::pending().await;
                }
                if to_client.write_all(&bytes[..length]).await.is_err() {
                    return;
                }
            }
        });
        let mut bytes = vec![0; 65_536];
        while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
            let message = &bytes[..length];
            let is_commit = message.windows(COMMIT.len()).any(|part| part == COMMIT);
            let harm = if is_commit { self.next_harm() } else { Harm::None };
            match harm {
                Harm::None => {
                    if to_server.write_all(message).await.is_err() {
                        break;
                    }
                }
                Harm::CutBeforeCommit => break,
                Harm::CutAfterCommit => {
                    back.abort();
                    to_server.write_all(message).await.unwrap();
                    break;
                }
                Harm::FallSilent => {
                    is_silent.store(true, Ordering::SeqCst);
                    to_server.write_all(message).await.unwrap();
                    return std::future::pending().await;
                }
            }
        }
        back.abort();
    }
}
