use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::Markup;
use serde_json::json;

use super::{App, page};
use crate::ledger::problems::Problem;
use crate::status::board::{Board, Scope};

const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// More are shown without details.
const MOST_ACCOUNTS_WITH_DETAILS: usize = 4;

pub(super) async fn overview(State(app): State<App>) -> Response {
    match gather(&app, Scope::Few(MOST_ACCOUNTS_WITH_DETAILS)).await {
        Ok(board) => html(StatusCode::OK, page::overview(&board)),
        Err(why) => unavailable(&app, why),
    }
}

pub(super) async fn account(State(app): State<App>, Path(name): Path<String>) -> Response {
    match gather(&app, Scope::One(&name)).await {
        Ok(board) => match board.accounts.first() {
            Some(account) => html(StatusCode::OK, page::account(&board, account)),
            None => not_found().await,
        },
        Err(why) => unavailable(&app, why),
    }
}

pub(super) async fn json(State(app): State<App>) -> Response {
    match gather(&app, Scope::Whole).await {
        Ok(board) => Json(board).into_response(),
        Err(why) => {
            let body = json!({ "reason": why, "problems": known_problems(&app) });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

/// Names contain a hash, so they may be cached for ever.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some((content_type, content)) = page::asset(&name) else {
        return not_found().await;
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, content).into_response()
}

pub(super) async fn favicon() -> Redirect {
    Redirect::permanent(&page::asset_link("icon.svg"))
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
    let of_workers = app.state.watched().into_iter().flat_map(super::Watched::known);
    let of_workers = of_workers.filter_map(|account| {
        let problem = account.inside?.problem?;
        let text = format!("{}: {}", account.name, problem.text);
        Some(Problem { text, ..problem })
    });
    app.state.waiting().into_iter().chain(of_workers).collect()
}

async fn gather(app: &App, scope: Scope<'_>) -> Result<Board, &'static str> {
    const SILENT: &str = "the database does not answer";
    let watched = app.state.watched().ok_or(super::NOT_OPEN)?;
    let _turn = watched.turn.lock().await;
    watched.gather(scope, PAGE_TIMEOUT).await.ok_or(SILENT)
}

fn html(status: StatusCode, page: Markup) -> Response {
    (status, page).into_response()
}
