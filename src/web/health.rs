use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::ledger::problems::{Failure, Problem};
use crate::status::board::ConfiguredAccount;

use super::App;

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
    let Some(watched) = app.state.watched() else {
        let remedy = app.state.waiting().map(|problem| problem.remedy);
        let body =
            json!({ "status": "unready", "reason": super::NOT_OPEN, "accounts": [], "remedy": remedy });
        return (StatusCode::SERVICE_UNAVAILABLE, body);
    };
    let accounts = watched.known();
    let has_stalled =
        |account: &ConfiguredAccount| account.inside.as_ref().is_some_and(|inside| inside.has_stalled);
    let troubled: Vec<Value> = accounts.iter().filter_map(trouble).collect();
    let reason = match timeout(PROBE_TIMEOUT, crate::postgres::ping(&watched.pool)).await {
        Ok(Err(_)) => Some("the database does not answer"),
        Err(_) => Some("the database does not answer in time"),
        Ok(Ok(())) => accounts
            .iter()
            .any(has_stalled)
            .then_some("an account has work, and makes no progress"),
    };
    match reason {
        Some(reason) => {
            let body = json!({ "status": "unready", "reason": reason, "accounts": troubled });
            (StatusCode::SERVICE_UNAVAILABLE, body)
        }
        None if troubled.is_empty() => (StatusCode::OK, json!({ "status": "ready" })),
        None => (
            StatusCode::OK,
            json!({ "status": "degraded", "accounts": troubled }),
        ),
    }
}

fn trouble(account: &ConfiguredAccount) -> Option<Value> {
    let inside = account.inside.as_ref()?;
    let words = match inside.problem.as_ref().map(Problem::failure) {
        Some(Failure::Refused) => "the API refuses us",
        Some(Failure::DatabaseUnreachable) => "the database went out of reach",
        Some(Failure::Other | Failure::OtherFilters) => "its last poll failed",
        None if inside.has_stalled => "its poll hangs",
        None => return None,
    };
    Some(json!({
        "account": account.name,
        "problem": words,
        "code": inside.problem.as_ref().map(|problem| &problem.code),
        "remedy": inside.problem.as_ref().map(|problem| &problem.remedy),
        "stalled": inside.has_stalled,
        "seconds_without_progress": inside.idle_for.num_seconds(),
    }))
}
