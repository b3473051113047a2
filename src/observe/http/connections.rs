//! Connections to the operators' endpoints: so many at a time, and none that only waits. Whoever can reach them must not
//! use up the memory and the open files that loading needs.

use std::pin::pin;
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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

/// Further ones wait until one of these ends. Browsers, probes and Prometheus have a few each.
const MOST: usize = 64;

/// The head of a request has to be there by then; that is as long as a connection may say nothing, too.
const PATIENCE_FOR_A_HEAD: Duration = Duration::from_secs(10);

/// A connection ends after the answer that it is at by then, and without it a while later.
const LONGEST: Duration = Duration::from_secs(300);

/// How long an answer may take that nobody wants to wait for any more.
const PATIENCE_FOR_AN_ANSWER: Duration = Duration::from_secs(30);

/// Bytes of a request that are held; a browser's cookies fit in.
const BUFFER: usize = 32 * 1024;

/// A moment for whoever holds what accepting lacks, as open files.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers until `stop`, and then until what was asked before is answered.
pub(super) async fn serve(listener: &TcpListener, router: &Router, stop: &CancellationToken) {
    let (free, open) = (Arc::new(Semaphore::new(MOST)), TaskTracker::new());
    while let Some(Ok(permit)) = stop.run_until_cancelled(Arc::clone(&free).acquire_owned()).await {
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else {
            break;
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = router.clone().layer(Extension(ConnectInfo(peer)));
                let stop = stop.clone();
                open.spawn(async move {
                    answer(stream, router, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                debug!(%error, "could not accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    open.close();
    open.wait().await;
}

async fn answer(stream: TcpStream, router: Router, stop: CancellationToken) {
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE_FOR_A_HEAD)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = timeout(LONGEST, stop.cancelled()) => {
            connection.as_mut().graceful_shutdown();
            timeout(PATIENCE_FOR_AN_ANSWER, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended");
    }
}
