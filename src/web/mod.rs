//! The operators' endpoints: the status page, `/api/status`, `/healthz`, `/readyz` and `/metrics`. All of
//! them read, none changes anything.

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

/// What is watched, once the database is there and migrated, and what we wait for until then.
#[derive(Debug, Default)]
pub struct DaemonState {
    watched: OnceLock<Watched>,
    waiting: Mutex<Option<Problem>>,
}

/// The database and the accounts of a daemon that is at work.
#[derive(Debug)]
pub struct Watched {
    /// The database.
    pub pool: Pool,
    /// The accounts' workers.
    pub workers: Vec<Arc<AccountWorker>>,
    /// When they are to be polled, and how long that may take.
    pub sync: SyncConfig,
    /// What `/metrics` says of the accounts.
    pub gauges: Gauges,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// One page at a time: whoever looks must not take the connections that loading needs.
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
    /// From now on these are watched, and nothing is waited for. A second call changes nothing.
    pub fn set(&self, watched: Watched) {
        let _ = self.watched.set(watched);
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What keeps us from beginning.
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

/// Answers for whoever asks without a token.
#[derive(Debug, Default)]
struct FreshAnswers {
    metrics: Fresh<String>,
    readiness: Fresh<(StatusCode, Value)>,
}

/// Listens on `address`.
///
/// # Errors
/// The address is in use or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves the endpoints for ever.
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

/// What tells how accounts stand is for whom may know; what is probed and scraped is for all who reach it.
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
