//! Read-only HTTP endpoints for operators.

mod access;
mod answers;
mod page;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{MethodRouter, get};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use crate::config::{HttpConfig, SyncConfig};
use crate::ledger::problems::Problem;
use crate::postgres::Pool;
use crate::status::{self, Board, ConfiguredAccount};
use crate::sync::AccountContext;
use crate::telemetry::{chain, metrics};
use crate::time::Clock;

#[derive(Debug, Default)]
pub struct DaemonState {
    watched: OnceLock<Watched>,
    waiting: watch::Sender<Option<Problem>>,
}

#[derive(Debug)]
pub struct Watched {
    pool: Pool,
    workers: Vec<AccountContext>,
    sync: Arc<SyncConfig>,
    clock: Arc<dyn Clock>,
    last_board: Mutex<Option<(Instant, Board)>>,
    turn: Mutex<()>,
}

impl Watched {
    pub fn new(
        pool: Pool,
        workers: Vec<AccountContext>,
        sync: Arc<SyncConfig>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            pool,
            workers,
            sync,
            clock,
            last_board: Mutex::default(),
            turn: Mutex::default(),
        }
    }

    fn known(&self) -> Vec<ConfiguredAccount<'_>> {
        let workers = self.workers.iter();
        workers.map(ConfiguredAccount::of_worker).collect()
    }

    /// `None` if the database does not answer in time.
    async fn gather(&self, name: Option<&str>, days: Option<u64>, limit: Duration) -> Option<Board> {
        let mut known = self.known();
        known.retain(|known| name.is_none_or(|name| known.config.name == name));
        let gathering = status::gather(&self.pool, &known, &self.sync, self.clock.now(), days);
        match timeout(limit, gathering).await {
            Ok(Ok(board)) => return Some(board),
            Ok(Err(error)) => debug!(error = %chain(&error), "could not read the state of the accounts"),
            Err(_) => debug!("could not read the state of the accounts in time"),
        }
        None
    }
}

impl DaemonState {
    /// Ends startup; later values are ignored.
    pub fn set(&self, watched: Watched) {
        let _ = self.watched.set(watched);
        self.waiting.send_replace(None);
    }

    pub fn wait_for(&self, problem: Problem) {
        self.waiting.send_replace(Some(problem));
    }
}

#[derive(Debug, Clone)]
struct App {
    state: Arc<DaemonState>,
    metrics: PrometheusHandle,
    access: Arc<access::Access>,
    fresh: Arc<FreshAnswers>,
}

#[derive(Debug, Default)]
struct FreshAnswers {
    metrics: Fresh<String>,
    readiness: Fresh<(StatusCode, Value)>,
}

pub async fn serve(
    listener: TcpListener,
    config: HttpConfig,
    state: Arc<DaemonState>,
    metrics: PrometheusHandle,
) {
    let app = App {
        state,
        metrics,
        access: Arc::new(access::Access::new(config.token)),
        fresh: Arc::default(),
    };
    let upkeep = metrics::run_upkeep(app.metrics.clone());
    let _upkeep = AbortOnDropHandle::new(tokio::spawn(upkeep));
    let router = router(app, config.bind, config.protect_metrics);
    accept(&listener, &router).await;
}

fn router(app: App, bind: SocketAddr, protect_metrics: bool) -> Router {
    let metrics = Router::new().route("/metrics", get(answers::render_metrics));
    let mut guarded = Router::new()
        .route("/", get(answers::overview))
        .route("/accounts/{account}", get(answers::account))
        .route("/api/status", get(answers::json));
    let mut open = Router::new()
        .route("/healthz", get(answers::healthz))
        .route("/readyz", get(answers::readyz));
    let protected = if protect_metrics { &mut guarded } else { &mut open };
    *protected = std::mem::take(protected).merge(metrics);
    if bind.ip().is_loopback() {
        open = open.route_layer(from_fn(access::require_local_name));
    }
    Router::new()
        .merge(guarded.route_layer(from_fn_with_state(Arc::clone(&app.access), access::guard)))
        .merge(open)
        .route(
            "/page.css",
            file("text/css; charset=utf-8", include_str!("page/page.css")),
        )
        .route(
            "/page.js",
            file("text/javascript; charset=utf-8", include_str!("page/page.js")),
        )
        .route("/icon.svg", file("image/svg+xml", include_str!("page/icon.svg")))
        .fallback(answers::not_found)
        .layer(map_response(access::secure))
        .with_state(app)
}

fn file(content_type: &'static str, content: &'static str) -> MethodRouter<App> {
    get(([(header::CONTENT_TYPE, content_type)], content))
}

const MOST_CONNECTIONS: usize = 64;

/// Limits how long silent connections delay probes.
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);

const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

const BUFFER_BYTES: usize = 32 * 1024;

/// After errors such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Bounds connections, so that clients cannot starve loading.
async fn accept(listener: &TcpListener, router: &Router) {
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
struct Fresh<T>(Mutex<Option<(Instant, T)>>);

impl<T: Clone> Fresh<T> {
    async fn get(&self, make: impl Future<Output = T>) -> T {
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
