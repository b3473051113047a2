//! Read-only HTTP endpoints for operators.

mod access;
mod connections;
mod fresh;
mod health;
mod page;
mod pages;
mod wrong_tokens;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

use crate::config::{HttpConfig, SyncConfig};
use crate::postgres::Pool;
use crate::sync::{AccountWorker, Problem};
use crate::time::clock::Clock;

use crate::status::Gauges;
use crate::status::board::ConfiguredAccount;
use crate::telemetry::{logging, metrics};
use fresh::Fresh;

/// What endpoints show.
#[derive(Debug, Default)]
pub struct DaemonState {
    watched: OnceLock<Watched>,
    waiting: Mutex<Option<Problem>>,
}

/// A running daemon.
#[derive(Debug)]
pub struct Watched {
    /// The database.
    pub pool: Pool,
    /// Account workers.
    pub workers: Vec<Arc<AccountWorker>>,
    /// Sync settings.
    pub sync: SyncConfig,
    /// Account metrics.
    pub gauges: Gauges,
    /// Current time.
    pub clock: Arc<dyn Clock>,
    /// Serializes pages, to spare connections.
    pub turn: AsyncMutex<()>,
}

impl Watched {
    fn known(&self) -> Vec<ConfiguredAccount> {
        self.workers
            .iter()
            .map(|worker| ConfiguredAccount::of_worker(worker))
            .collect()
    }
}

impl DaemonState {
    /// Ends startup; later values are ignored.
    pub fn set(&self, watched: Watched) {
        let _ = self.watched.set(watched);
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Sets what delays startup.
    pub fn wait_for(&self, problem: Problem) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
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

/// Listens on `address`.
///
/// # Errors
/// Binding fails.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves forever.
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
    let _tidying = AbortOnDropHandle::new(tokio::spawn(metrics::tidy(app.metrics.clone())));
    let router = router(app, config.bind, config.protect_metrics);
    connections::serve(&listener, &router).await;
}

fn router(app: App, bind: SocketAddr, protect_metrics: bool) -> Router {
    let metrics = Router::new().route("/metrics", get(render_metrics));
    let mut guarded = Router::new()
        .route("/", get(pages::overview))
        .route("/accounts/{account}", get(pages::account))
        .route("/accounts/{account}/day", get(pages::look_at_day))
        .route("/accounts/{account}/days/{day}", get(pages::day))
        .route("/api/status", get(pages::json));
    let mut open = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz));
    let protected = if protect_metrics { &mut guarded } else { &mut open };
    *protected = std::mem::take(protected).merge(metrics);
    if bind.ip().is_loopback() {
        open = open.route_layer(from_fn(access::hold_to_this_machine));
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
            watched.gauges.show().await;
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
