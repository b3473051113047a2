//! Connections to the operators' endpoints: so many at a time, and none that only waits. Whoever can reach them must not
//! use up the memory and the open files that loading needs.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

/// A further one takes the place of the oldest that asks for nothing, or waits until one of these ends. Browsers, probes
/// and Prometheus have a few each.
const MOST: usize = 64;

/// The head of a request has to be there by then; that is as long as a connection may say nothing, too.
const PATIENCE_FOR_A_HEAD: Duration = Duration::from_secs(10);

/// A connection ends after the answer that it is at by then, and without it a while later.
const LONGEST: Duration = Duration::from_secs(300);

/// How long the last of an answer may take on a connection whose place is wanted.
const PATIENCE_FOR_A_PLACE: Duration = Duration::from_secs(1);

/// How long an answer may take that nobody wants to wait for any more.
const PATIENCE_FOR_AN_ANSWER: Duration = Duration::from_secs(30);

/// Bytes of a request that are held; a browser's cookies fit in.
const BUFFER: usize = 32 * 1024;

/// A moment for whoever holds what accepting lacks, as open files.
const PAUSE: Duration = Duration::from_secs(1);

/// What a connection does with its place.
#[derive(Debug, Default)]
struct Place {
    /// A request is being answered.
    is_busy: AtomicBool,
    /// There was one.
    was_heard: AtomicBool,
    /// Cancelled once another wants the place.
    is_wanted: CancellationToken,
}

/// Answers until `stop`, and then until what was asked before is answered.
pub(super) async fn serve(listener: &TcpListener, router: &Router, stop: &CancellationToken) {
    let (free, open) = (Arc::new(Semaphore::new(MOST)), TaskTracker::new());
    let mut places: Vec<Weak<Place>> = Vec::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "could not accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        places.retain(|place| place.strong_count() > 0);
        if free.available_permits() == 0 {
            make_room(&places);
        }
        let Some(Ok(permit)) = stop.run_until_cancelled(Arc::clone(&free).acquire_owned()).await else {
            break;
        };
        let place = Arc::new(Place::default());
        places.push(Arc::downgrade(&place));
        let router = router.clone().layer(Extension(ConnectInfo(peer)));
        let stop = stop.clone();
        open.spawn(async move {
            answer(stream, router, &place, stop).await;
            drop(permit);
        });
    }
    open.close();
    open.wait().await;
}

/// Tells the oldest connection that asks for nothing to end: silence must not keep probes out.
fn make_room(places: &[Weak<Place>]) {
    let idle = places
        .iter()
        .filter_map(Weak::upgrade)
        .find(|place| !place.is_busy.load(Ordering::Relaxed) && !place.is_wanted.is_cancelled());
    if let Some(place) = idle {
        place.is_wanted.cancel();
    }
}

async fn answer(stream: TcpStream, router: Router, place: &Place, stop: CancellationToken) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        place.was_heard.store(true, Ordering::Relaxed);
        place.is_busy.store(true, Ordering::Relaxed);
        let answering = router.call(request);
        async {
            let answer = answering.await;
            place.is_busy.store(false, Ordering::Relaxed);
            answer
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE_FOR_A_HEAD)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service)
    );
    let patience = tokio::select! {
        ended = connection.as_mut() => return log_end(ended),
        () = place.is_wanted.cancelled() => PATIENCE_FOR_A_PLACE,
        _ = timeout(LONGEST, stop.cancelled()) => PATIENCE_FOR_AN_ANSWER,
    };
    if place.is_wanted.is_cancelled() && !place.was_heard.load(Ordering::Relaxed) {
        return;
    }
    connection.as_mut().graceful_shutdown();
    log_end(timeout(patience, connection).await.unwrap_or(Ok(())));
}

fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(%error, "a connection ended");
    }
}
