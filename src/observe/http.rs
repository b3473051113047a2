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
use serde_json::json;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::load::status;

use super::render_status;

/// A probe that takes longer than this has failed; Kubernetes gives one second by default.
const PROBE_TIMEOUT: Duration = Duration::from_millis(900);

/// A person waits longer than a probe.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// The database, once it is there and migrated. Empty until then.
pub type Ready = Arc<OnceLock<PgPool>>;

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
    let Some(pool) = app.ready.get() else {
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

/// The database answers, and its schema is what this binary knows.
async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let unready = |reason: &str| {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "unready", "reason": reason })),
        )
    };
    let Some(pool) = app.ready.get() else {
        return unready("the database is not open and migrated yet");
    };
    match tokio::time::timeout(PROBE_TIMEOUT, crate::database::ping(pool)).await {
        Ok(Ok(())) => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        Ok(Err(_)) => unready("the database does not answer"),
        Err(_) => unready("the database does not answer in time"),
    }
}

async fn render_metrics(State(app): State<App>) -> impl IntoResponse {
    app.metrics.run_upkeep();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        app.metrics.render(),
    )
}
