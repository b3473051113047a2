//! Bounds connections and shares answers, so that clients cannot starve loading.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};
use tracing::debug;

const MOST_CONNECTIONS: usize = 64;

/// Limits how long silent connections delay probes.
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);

const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

const BUFFER_BYTES: usize = 32 * 1024;

/// After errors such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn serve(listener: &TcpListener, router: &Router) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
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
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        // Each request waits for a place.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Ok(Err(error)) = timeout(CONNECTION_TIMEOUT, connection).await {
        debug!(%error, "a connection ended");
    }
}

/// Shorter than probe intervals.
const REUSED_FOR: Duration = Duration::from_secs(1);

/// Shared by frequent requests.
#[derive(Debug, Default)]
pub(super) struct Fresh<T>(Mutex<Option<(Instant, T)>>);

impl<T: Clone> Fresh<T> {
    pub(super) async fn get(&self, make: impl Future<Output = T>) -> T {
        let mut kept = self.0.lock().await;
        if let Some((made_at, answer)) = &*kept
            && made_at.elapsed() < REUSED_FOR
        {
            return answer.clone();
        }
        let answer = make.await;
        *kept = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_made_once_a_second() {
        let (fresh, made) = (Fresh::default(), AtomicU32::new(0));
        let ask = || {
            fresh.get(async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                made.fetch_add(1, Ordering::Relaxed)
            })
        };
        assert_eq!(tokio::join!(ask(), ask(), ask()), (0, 0, 0));
        tokio::time::advance(REUSED_FOR).await;
        assert_eq!(ask().await, 1);
    }
}
