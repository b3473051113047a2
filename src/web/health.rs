//! Liveness and readiness.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::sync::{AccountWorker, Failure};

use super::{App, Watched};

/// Kubernetes allows 1 s by default.
const PROBE_TIMEOUT: Duration = Duration::from_millis(900);

pub(super) async fn healthz() -> impl IntoResponse {
    Json(json!({ "status": "alive" }))
}

/// A failed poll only degrades.
pub(super) async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let (status, body) = app.fresh.readiness.get(readiness(&app)).await;
    (status, Json(body))
}

async fn readiness(app: &App) -> (StatusCode, Value) {
    let unready = |reason: &str, accounts: Value| {
        let body = json!({ "status": "unready", "reason": reason, "accounts": accounts });
        (StatusCode::SERVICE_UNAVAILABLE, body)
    };
    let Some(Watched { pool, workers, .. }) = app.state.watched() else {
        let (status, mut body) = unready("the database is not open and migrated yet", json!([]));
        body["remedy"] = json!(app.state.waiting().map(|problem| problem.remedy));
        return (status, body);
    };
    let any_has_stalled = workers.iter().any(|worker| has_stalled(worker));
    let troubled: Value = workers.iter().filter_map(|worker| trouble(worker)).collect();
    match tokio::time::timeout(PROBE_TIMEOUT, crate::postgres::ping(pool)).await {
        Ok(Err(_)) => unready("the database does not answer", troubled),
        Err(_) => unready("the database does not answer in time", troubled),
        Ok(Ok(())) if any_has_stalled => unready("an account has work, and nothing comes of it", troubled),
        Ok(Ok(())) => {
            let is_well = troubled.as_array().is_some_and(Vec::is_empty);
            let body = if is_well {
                json!({ "status": "ready" })
            } else {
                json!({ "status": "degraded", "accounts": troubled })
            };
            (StatusCode::OK, body)
        }
    }
}

fn has_stalled(worker: &AccountWorker) -> bool {
    worker.liveness.idle_for() >= worker.stalled_after()
}

fn trouble(worker: &AccountWorker) -> Option<Value> {
    let problem = match worker.liveness.failure() {
        Some(Failure::Refused) => "the API refuses us",
        Some(Failure::DatabaseUnreachable) => "the database went out of reach",
        Some(Failure::Other) => "its last poll failed",
        None if has_stalled(worker) => "its poll hangs",
        None => return None,
    };
    let remedy = worker.liveness.problem().map(|problem| problem.remedy);
    Some(json!({
        "account": worker.api.account().name,
        "problem": problem,
        "remedy": remedy,
        "stalled": has_stalled(worker),
        "seconds_without_progress": worker.liveness.idle_for().as_secs(),
    }))
}
