//! Read-only HTTP endpoints for operators.

mod access;
mod health;
mod limits;
mod page;
mod pages;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use crate::config::{HttpConfig, SyncConfig};
use crate::ledger::problems::Problem;
use crate::postgres::Pool;
use crate::status::Gauges;
use crate::status::board::{self, Board, ConfiguredAccount, Scope};
use crate::sync::AccountContext;
use crate::telemetry::{chain, logging, metrics};
use crate::time::clock::Clock;
use limits::Fresh;

const NOT_OPEN: &str = "the database is not open and migrated yet";

/// Prometheus allows 10 s by default.
const METRICS_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub struct DaemonState {
    watched: OnceLock<Watched>,
    waiting: Mutex<Option<Problem>>,
}

#[derive(Debug)]
pub struct Watched {
    pool: Pool,
    workers: Vec<AccountContext>,
    sync: SyncConfig,
    clock: Arc<dyn Clock>,
    gauges: Gauges,
    turn: AsyncMutex<()>,
}

impl Watched {
    pub fn new(pool: Pool, workers: Vec<AccountContext>, sync: SyncConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            pool,
            workers,
            sync,
            clock,
            gauges: Gauges::default(),
            turn: AsyncMutex::default(),
        }
    }

    fn known(&self) -> Vec<ConfiguredAccount> {
        let workers = self.workers.iter();
        workers.map(ConfiguredAccount::of_worker).collect()
    }

    /// `None` if the database does not answer in time.
    async fn gather(&self, scope: Scope<'_>, timeout: Duration) -> Option<Board> {
        let known = self.known();
        let gathering = board::gather(&self.pool, &known, &self.sync, self.clock.now(), scope);
        match tokio::time::timeout(timeout, gathering).await {
            Ok(Ok(board)) => return Some(board),
            Ok(Err(error)) => debug!(error = %chain(&error), "could not read the state of the accounts"),
            Err(_) => debug!("could not read the state of the accounts in time"),
        }
        None
    }

    async fn show_metrics(&self) {
        let board = self.gather(Scope::Few(0), METRICS_TIMEOUT).await;
        let workers = self.workers.iter();
        self.gauges.show(board, workers, self.clock.now());
        let connections = self.pool.connections();
        for (state, number) in [("in_use", connections.in_use), ("idle", connections.idle)] {
            ::metrics::gauge!(metrics::CONNECTIONS, "state" => state).set(number);
        }
        ::metrics::gauge!(metrics::CONNECTIONS_MAX).set(connections.max);
    }
}

impl DaemonState {
    /// Ends startup; later values are ignored.
    pub fn set(&self, watched: Watched) {
        let _ = self.watched.set(watched);
        self.now_waits_for(None);
    }

    pub fn wait_for(&self, problem: Problem) {
        self.now_waits_for(Some(problem));
    }

    fn now_waits_for(&self, problem: Option<Problem>) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    fn watched(&self) -> Option<&Watched> {
        self.watched.get()
    }

    fn waiting(&self) -> Option<Problem> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
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
    limits::serve(&listener, &router).await;
}

fn router(app: App, bind: SocketAddr, protect_metrics: bool) -> Router {
    let metrics = Router::new().route("/metrics", get(render_metrics));
    let mut guarded = Router::new()
        .route("/", get(pages::overview))
        .route("/accounts/{account}", get(pages::account))
        .route("/api/status", get(pages::json));
    let mut open = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz));
    let protected = if protect_metrics { &mut guarded } else { &mut open };
    *protected = std::mem::take(protected).merge(metrics);
    if bind.ip().is_loopback() {
        open = open.route_layer(from_fn(access::require_local_name));
    }
    Router::new()
        .merge(guarded.route_layer(from_fn_with_state(Arc::clone(&app.access), access::guard)))
        .merge(open)
        .route("/assets/{name}", get(pages::asset))
        .route("/favicon.ico", get(pages::favicon))
        .fallback(pages::not_found)
        .layer(map_response(access::secure))
        .with_state(app)
}

async fn render_metrics(State(app): State<App>) -> impl IntoResponse {
    let rendering = async {
        if let Some(watched) = app.state.watched() {
            watched.show_metrics().await;
        }
        ::metrics::counter!(metrics::LOG_LINES_DROPPED).absolute(logging::dropped_lines());
        app.metrics.run_upkeep();
        app.metrics.render()
    };
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        app.fresh.metrics.get(rendering).await,
    )
}
