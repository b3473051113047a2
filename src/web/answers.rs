//! What each address answers: pages, health and metrics.

use std::collections::HashMap;
use std::time::Duration;

use ::metrics::{counter, gauge};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use maud::Markup;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::config::BudgetSpan;
use crate::ledger::problems::{Failure, Problem, ProblemCode};
use crate::ledger::status::{AccountStatus, RequestStatus};
use crate::status::calendar::{MOST_DAYS, RECENT_DAYS};
use crate::status::{Board, ConfiguredAccount};
use crate::sync::AccountContext;
use crate::telemetry::{logging, metrics, show};

use super::{App, Watched, page};

const NOT_OPEN: &str = "the database is not open and migrated yet";

const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// More are shown without details.
const MOST_ACCOUNTS_WITH_DETAILS: usize = 4;

pub(super) async fn overview(State(app): State<App>) -> Response {
    let accounts = app.state.watched.get().map_or(0, |watched| watched.workers.len());
    let days = (accounts <= MOST_ACCOUNTS_WITH_DETAILS).then_some(RECENT_DAYS);
    match gather(&app, None, days).await {
        Ok(board) => html(StatusCode::OK, page::overview(&board)),
        Err(why) => unavailable(&app, why),
    }
}

pub(super) async fn account(State(app): State<App>, Path(name): Path<String>) -> Response {
    let has_it = |watched: &Watched| watched.workers.iter().any(|worker| worker.name() == name);
    if app.state.watched.get().is_some_and(|watched| !has_it(watched)) {
        return not_found().await;
    }
    match gather(&app, Some(&name), Some(MOST_DAYS)).await {
        Ok(board) => match board.accounts.iter().find(|account| account.status.name == name) {
            Some(account) => html(StatusCode::OK, page::account(&board, account)),
            None => not_found().await,
        },
        Err(why) => unavailable(&app, why),
    }
}

pub(super) async fn json(State(app): State<App>) -> Response {
    match gather(&app, None, Some(MOST_DAYS)).await {
        Ok(board) => Json(board).into_response(),
        Err(why) => {
            let body = json!({ "reason": why, "problems": known_problems(&app) });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

pub(super) async fn not_found() -> Response {
    html(StatusCode::NOT_FOUND, page::not_found())
}

fn unavailable(app: &App, why: &str) -> Response {
    let page = page::unavailable(why, &known_problems(app));
    html(StatusCode::SERVICE_UNAVAILABLE, page)
}

/// Known without the database.
fn known_problems(app: &App) -> Vec<Problem> {
    let of_workers = app.state.watched.get().into_iter().flat_map(Watched::known);
    let of_workers = of_workers.filter_map(|account| {
        let problem = account.inside?.problem?;
        let text = format!("{}: {}", account.config.name, problem.text);
        Some(Problem { text, ..problem })
    });
    app.state
        .waiting
        .borrow()
        .clone()
        .into_iter()
        .chain(of_workers)
        .collect()
}

async fn gather(app: &App, name: Option<&str>, days: Option<u64>) -> Result<Board, &'static str> {
    const SILENT: &str = "the database does not answer";
    let watched = app.state.watched.get().ok_or(NOT_OPEN)?;
    let _turn = watched.turn.lock().await;
    let board = watched.gather(name, days, PAGE_TIMEOUT).await;
    board.ok_or(SILENT)
}

fn html(status: StatusCode, page: Markup) -> Response {
    (status, page).into_response()
}

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
    let Some(watched) = app.state.watched.get() else {
        let remedy = app.state.waiting.borrow().clone().map(|problem| problem.remedy);
        let body = json!({ "status": "unready", "reason": NOT_OPEN, "accounts": [], "remedy": remedy });
        return (StatusCode::SERVICE_UNAVAILABLE, body);
    };
    let accounts = watched.known();
    let has_stalled =
        |account: &ConfiguredAccount<'_>| account.inside.as_ref().is_some_and(|inside| inside.has_stalled);
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

fn trouble(account: &ConfiguredAccount<'_>) -> Option<Value> {
    let inside = account.inside.as_ref()?;
    let words = match inside.problem.as_ref().map(Problem::failure) {
        Some(Failure::Refused) => "the API refuses us",
        Some(Failure::DatabaseUnreachable) => "the database went out of reach",
        Some(Failure::Other | Failure::OtherFilters) => "its last poll failed",
        None if inside.has_stalled => "its poll hangs",
        None => return None,
    };
    Some(json!({
        "account": account.config.name,
        "problem": words,
        "code": inside.problem.as_ref().map(|problem| &problem.code),
        "remedy": inside.problem.as_ref().map(|problem| &problem.remedy),
        "stalled": inside.has_stalled,
        "seconds_without_progress": inside.idle_for.num_seconds(),
    }))
}

/// Prometheus allows 10 s by default.
const METRICS_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn render_metrics(State(app): State<App>) -> impl IntoResponse {
    let rendering = async {
        if let Some(watched) = app.state.watched.get() {
            show_metrics(watched).await;
        }
        counter!(metrics::LOG_LINES_DROPPED).absolute(logging::dropped_lines());
        app.metrics.run_upkeep();
        app.metrics.render()
    };
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        app.fresh.metrics.get(rendering).await,
    )
}

/// From the ledger, so that standbys show the same; the last ones stay while the database fails.
async fn show_metrics(watched: &Watched) {
    let board = watched.gather(None, None, METRICS_TIMEOUT).await;
    let is_read = board.is_some();
    let mut last = watched.last_board.lock().await;
    if let Some(board) = board {
        *last = Some((Instant::now(), board));
    }
    let mut accounts = HashMap::new();
    if let Some((read_at, board)) = &*last {
        gauge!(metrics::LEDGER_AGE).set(read_at.elapsed().as_secs_f64());
        let of_board = board.accounts.iter().map(|account| &account.status);
        accounts.extend(of_board.map(|account| (account.account_id.as_str(), account)));
    }
    for worker in &watched.workers {
        show_worker(worker);
        if let Some(account) = accounts.get(worker.api.account().account_id.as_str()) {
            show_account(account, watched.clock.now());
            // Without the database, no lease is renewed.
            let is_ours = is_read && account.lease_holder.as_ref() == Some(&worker.holder);
            show(metrics::LEASE_HELD, &account.name, i64::from(is_ours));
        }
    }
    let connections = watched.pool.connections();
    for (state, number) in [("in_use", connections.in_use), ("idle", connections.idle)] {
        gauge!(metrics::CONNECTIONS, "state" => state).set(number);
    }
    gauge!(metrics::CONNECTIONS_MAX).set(connections.max);
}

fn show_account(account: &AccountStatus, now: DateTime<Utc>) {
    let failed = account.requests.iter().filter_map(RequestStatus::failed_policy);
    let failed_policies = i64::try_from(failed.count()).unwrap_or(i64::MAX);
    for (metric, value) in [
        (metrics::WATERMARK, account.watermark.timestamp()),
        (metrics::SETTLED_THROUGH, account.settled_through.timestamp()),
        (metrics::LAG, (now - account.watermark).num_seconds().max(0)),
        (metrics::GAPS, account.gaps),
        (metrics::INTERACTIONS, account.interactions),
        (metrics::REJECTED_WAITING, account.rejected_waiting),
        (metrics::DRIFTED_FIELDS, account.drifted_fields),
        (metrics::FAILED_POLICIES, failed_policies),
    ] {
        show(metric, &account.name, value);
    }
    if let Some(at) = account.last_polled_at {
        show(metrics::LAST_POLL, &account.name, at.timestamp());
    }
    // All codes, since alerts need a final zero.
    for code in ProblemCode::ALL {
        let problem = code.problem();
        let stands = account
            .standing_problems
            .iter()
            .any(|standing| standing.code == problem.code);
        let labels = [
            ("account", account.name.clone()),
            ("code", problem.code),
            ("severity", problem.severity.as_str().to_owned()),
        ];
        gauge!(metrics::PROBLEM, &labels).set(f64::from(u8::from(stands)));
    }
}

fn show_worker(worker: &AccountContext) {
    let name = &worker.api.account().name;
    for (metric, time) in [
        (metrics::STALLED, worker.health().idle_for()),
        (metrics::STALLED_AFTER, worker.stalled_after()),
    ] {
        gauge!(metric, "account" => name.clone()).set(time.as_secs_f64());
    }
    let spent = worker.api.budget.uses();
    for span in BudgetSpan::ALL {
        let of_span = spent.iter().find(|spent| spent.span == span);
        let (used, limit) = of_span.map_or((0, 0), |spent| (spent.used, spent.limit));
        for (metric, requests) in [(metrics::BUDGET_USED, used), (metrics::BUDGET_LIMIT, limit)] {
            let requests = u32::try_from(requests).unwrap_or(u32::MAX);
            gauge!(metric, "account" => name.clone(), "span" => span.as_str()).set(requests);
        }
    }
}
