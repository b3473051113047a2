//! The operators' endpoints: `/` (the state of all accounts), `/healthz`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::database::Pool;
use crate::load::status;
use crate::sync::{Failure, Liveness};

use super::{log_lines_dropped, logging, render_status, stalled};

/// A probe that takes longer than this has failed; Kubernetes gives one second by default.
const PROBE_TIMEOUT: Duration = Duration::from_millis(900);

/// A person waits longer than a probe.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is watched, once the database is there and migrated. Empty until then.
pub type Ready = Arc<OnceLock<Watched>>;

/// The database and the accounts of a daemon that is at work.
#[derive(Debug)]
pub struct Watched {
    /// The database.
    pub pool: Pool,
    /// The accounts.
    pub accounts: Vec<WatchedAccount>,
}

/// An account, and whether it gets on.
#[derive(Debug)]
pub struct WatchedAccount {
    /// Its name in the configuration.
    pub name: String,
    /// Whether it gets on.
    pub liveness: Arc<Liveness>,
    /// How long it may not.
    pub stalled_after: Duration,
}

#[derive(Debug, Clone)]
struct App {
    ready: Ready,
    metrics: PrometheusHandle,
}

/// Listens on `address`.
///
/// # Errors
/// The address is in use or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves the endpoints until `stop`.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    ready: Ready,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(state))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render_metrics))
        .with_state(App { ready, metrics });
    axum::serve(listener, app)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

/// The same text as the command `status`: sums, no personal data.
async fn state(State(app): State<App>) -> (StatusCode, String) {
    let Some(Watched { pool, .. }) = app.ready.get() else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "The database is not open and migrated yet.\n".to_owned(),
        );
    };
    match tokio::time::timeout(PAGE_TIMEOUT, status::accounts(pool)).await {
        Ok(Ok(accounts)) => (StatusCode::OK, render_status(&accounts)),
        Ok(Err(_)) | Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The database does not answer.\n".to_owned(),
        ),
    }
}

/// The process is alive: it answers. What it depends on is the business of `/readyz`.
async fn healthz() -> impl IntoResponse {
    Json(json!({ "status": "alive" }))
}

/// The database answers, its schema is what this binary knows, and no account has stalled. An account
/// whose last poll failed is named as well, but is no reason yet.
async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let unready = |reason: &str, accounts: Value| {
        let body = json!({ "status": "unready", "reason": reason, "accounts": accounts });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body))
    };
    let Some(Watched { pool, accounts }) = app.ready.get() else {
        return unready("the database is not open and migrated yet", json!([]));
    };
    let has_stalled = accounts.iter().any(WatchedAccount::has_stalled);
    let troubled: Value = accounts.iter().filter_map(WatchedAccount::trouble).collect();
    match tokio::time::timeout(PROBE_TIMEOUT, crate::database::ping(pool)).await {
        Ok(Err(_)) => unready("the database does not answer", troubled),
        Err(_) => unready("the database does not answer in time", troubled),
        Ok(Ok(())) if has_stalled => unready("an account has work, and nothing comes of it", troubled),
        Ok(Ok(())) => {
            let is_well = troubled.as_array().is_some_and(Vec::is_empty);
            let body = if is_well {
                json!({ "status": "ready" })
            } else {
                json!({ "status": "degraded", "accounts": troubled })
            };
            (StatusCode::OK, Json(body))
        }
    }
}

impl WatchedAccount {
    fn has_stalled(&self) -> bool {
        self.liveness.idle_for() >= self.stalled_after
    }

    /// What is wrong with it, if anything is.
    fn trouble(&self) -> Option<Value> {
        let problem = match self.liveness.failure() {
            Some(Failure::Refused) => "the API refuses us",
            Some(Failure::DatabaseUnreachable) => "the database went out of reach",
            Some(Failure::Other) => "its last poll failed",
            None if self.has_stalled() => "its poll hangs",
            None => return None,
        };
        let seconds = self.liveness.idle_for().as_secs();
        Some(json!({
            "account": self.name, "problem": problem, "stalled": self.has_stalled(), "seconds_without_progress": seconds
        }))
    }
}

async fn render_metrics(State(app): State<App>) -> impl IntoResponse {
    for account in app.ready.get().map_or(&[][..], |watched| &watched.accounts) {
        stalled(&account.name, account.liveness.idle_for());
    }
    log_lines_dropped(logging::dropped_lines());
    app.metrics.run_upkeep();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        app.metrics.render(),
    )
}
