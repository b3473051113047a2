//! Connections to the operators' endpoints: so many at a time, each for one request, each for so long. Whoever can reach
//! them must not use up the memory and the open files that loading needs.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

/// Places for connections. Browsers, probes and Prometheus have a few each; who comes when all are taken waits to be accepted.
const MOST: usize = 64;

/// The head of a request, which is one packet, has to be there by then: those that say nothing keep a probe waiting no longer.
const PATIENCE_FOR_A_HEAD: Duration = Duration::from_secs(2);

/// The whole answer has to be taken by then.
const LONGEST: Duration = Duration::from_secs(30);

/// Bytes of a request that are held; a browser's cookies fit in.
const BUFFER: usize = 32 * 1024;

/// A moment for whoever holds what accepting lacks, as open files.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers for ever.
pub(super) async fn serve(listener: &TcpListener, router: &Router) {
    let places = Arc::new(Semaphore::new(MOST));
    // It is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let router = router.clone().layer(Extension(ConnectInfo(peer)));
                tokio::spawn(async move {
                    answer(stream, router).await;
                    drop(place);
                });
            }
            Err(error) => {
                debug!(%error, "could not accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE_FOR_A_HEAD)
        .max_buf_size(BUFFER)
        // Who asks again waits for a place again.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Ok(Err(error)) = timeout(LONGEST, connection).await {
        debug!(%error, "a connection ended");
    }
}
