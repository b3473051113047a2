//! The API client, page by page, against the simulated API over real HTTP.

mod budget;
mod network;
mod rate_limit;
mod requests;
mod retries;
mod sign_in;

use std::error::Error;

use smartassist_etl::extract::{ApiClient, ApiError, Page, RequestCount};
use smartassist_etl::window::Window;

use crate::support::{Setup, instant};

/// The window that these tests read.
fn week() -> Window {
    Window {
        start: instant("2026-01-08T00:00:00Z"),
        end: instant("2026-01-15T00:00:00Z"),
    }
}

/// One page of the week, and how many requests it took.
async fn page(client: &ApiClient, offset: usize) -> (Result<Page, ApiError>, u64) {
    let count = RequestCount::default();
    let page = client.page(week(), offset, &count).await;
    (page, count.get())
}

/// The error of the first page of the week, and how many requests it took.
async fn failure(client: &ApiClient) -> (ApiError, u64) {
    let (page, requests) = page(client, 0).await;
    (page.expect_err("the page was read"), requests)
}

/// Requests that reached the simulator, let in or not.
fn arrived(setup: &Setup) -> u64 {
    setup.simulator.world().counters().requests
}

fn texts(page: &Page) -> Vec<&str> {
    page.records.iter().map(|record| record.get()).collect()
}

/// Everything that a log line could show of an error.
fn shown(error: &ApiError) -> String {
    let mut shown = format!("{error:?}");
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        shown.push('\n');
        shown.push_str(&error.to_string());
        next = error.source();
    }
    shown
}
