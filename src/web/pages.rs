//! Page and JSON handlers.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::NaiveDate;
use maud::Markup;
use serde::Deserialize;
use serde_json::json;

use crate::ledger::status;
use crate::status::board::{self, Board, Scope};
use crate::status::calendar::{self, Calendar};
use crate::web::page::{self, Asset};

use super::{App, Watched};

const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// More accounts are shown without details.
const WHOLE_ACCOUNTS: usize = 4;

/// Years accepted.
const DAYS: std::ops::RangeInclusive<i32> = 1970..=9999;

pub(super) async fn overview(State(app): State<App>) -> Response {
    match gather(&app, Scope::Few(WHOLE_ACCOUNTS)).await {
        Ok(board) => html(StatusCode::OK, page::overview(&board)),
        Err(unavailable) => unavailable.into_response(&app),
    }
}

pub(super) async fn account(State(app): State<App>, Path(name): Path<String>) -> Response {
    match gather(&app, Scope::One(&name)).await {
        Ok(board) => match board.accounts.first() {
            Some(account) => html(StatusCode::OK, page::account(&board, account)),
            None => not_found().await,
        },
        Err(unavailable) => unavailable.into_response(&app),
    }
}

#[derive(Deserialize)]
pub(super) struct WantedDay {
    day: String,
}

pub(super) async fn look_at_day(Path(name): Path<String>, Query(wanted): Query<WantedDay>) -> Response {
    match wanted.day.parse::<NaiveDate>() {
        Ok(day) => Redirect::to(&page::day_link(&name, day)).into_response(),
        Err(_) => not_found().await,
    }
}

pub(super) async fn day(State(app): State<App>, Path((name, day)): Path<(String, NaiveDate)>) -> Response {
    use chrono::Datelike;
    if !DAYS.contains(&day.year()) {
        return not_found().await;
    }
    let board = match gather(&app, Scope::One(&name)).await {
        Ok(board) => board,
        Err(unavailable) => return unavailable.into_response(&app),
    };
    let (Some(account), Some(watched)) = (board.accounts.first(), app.state.watched()) else {
        return not_found().await;
    };
    let Some(details) = &account.details else {
        return not_found().await;
    };
    let window = calendar::day(day);
    let counting = status::hours(&watched.pool, &account.status.account_id, window);
    let Ok(Ok(counts)) = tokio::time::timeout(PAGE_TIMEOUT, counting).await else {
        return Unavailable::Silent.into_response(&app);
    };
    let calendar = Calendar {
        start_from: account.status.start_from,
        details,
        now: board.at,
    };
    let hours = calendar.hours(day, &counts);
    html(StatusCode::OK, page::day(&board, account, day, &hours))
}

pub(super) async fn json(State(app): State<App>) -> Response {
    match gather(&app, Scope::Whole).await {
        Ok(board) => Json(board).into_response(),
        Err(unavailable) => {
            let body = json!({ "problem": unavailable.words(), "waiting_for": app.state.waiting().map(|problem| problem.error) });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

/// The hash in names allows permanent caching.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some(&Asset { kind, content, .. }) = page::asset(&name) else {
        return not_found().await;
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
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

#[derive(Debug, Clone, Copy)]
enum Unavailable {
    Waiting,
    Silent,
}

impl Unavailable {
    fn words(self) -> &'static str {
        match self {
            Self::Waiting => "the database is not open and migrated yet",
            Self::Silent => "the database does not answer",
        }
    }

    fn into_response(self, app: &App) -> Response {
        let known = app.state.watched().map(Watched::known).unwrap_or_default();
        let page = page::unavailable(self.words(), app.state.waiting().as_ref(), &known);
        html(StatusCode::SERVICE_UNAVAILABLE, page)
    }
}

async fn gather(app: &App, scope: Scope<'_>) -> Result<Board, Unavailable> {
    let watched = app.state.watched().ok_or(Unavailable::Waiting)?;
    let known = watched.known();
    let _turn = watched.turn.lock().await;
    let now = watched.clock.now();
    let gathering = board::gather(&watched.pool, &known, &watched.sync, now, scope);
    match tokio::time::timeout(PAGE_TIMEOUT, gathering).await {
        Ok(Ok(board)) => Ok(board),
        Ok(Err(_)) | Err(_) => Err(Unavailable::Silent),
    }
}

fn html(status: StatusCode, page: Markup) -> Response {
    (status, page).into_response()
}
