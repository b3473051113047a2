//! The API client, page by page, against the simulated API over real HTTP.

mod budget;
mod date;
mod network;
mod rate_limit;
mod requests;
mod retries;
mod sign_in;

use std::error::Error;

use smartassist_etl::extract::{ApiClient, ApiError, PAGE_SIZE, Page, PageRequest, Priority, Tally};
use smartassist_etl::time::Window;
use smartassist_simulator::{Fault, FaultKind};

use crate::support::{Setup, instant};

/// The window that these tests read.
fn week() -> Window {
    Window::new(instant("2026-01-08T00:00:00Z"), instant("2026-01-15T00:00:00Z"))
}

/// A page of everything in the week.
fn whole_page(offset: usize) -> PageRequest<'static> {
    PageRequest {
        window: week(),
        offset,
        limit: PAGE_SIZE,
        filters: None,
        priority: Priority::Head,
        may_be_past_the_end: false,
    }
}

/// One page of the week, and how many requests it took.
async fn page(client: &ApiClient, offset: usize) -> (Result<Page, ApiError>, u64) {
    let tally = Tally::default();
    let page = client.page(&whole_page(offset), &tally).await;
    (page, tally.cost().requests)
}

#[tokio::test]
async fn a_tally_counts_failed_and_repeated_requests_too() {
    let mut setup = Setup::with_interactions(500).await;
    setup.set("max_retries", "1");
    let client = setup.client();
    let tally = Tally::default();
    let first = client.page(&whole_page(0), &tally).await.unwrap();
    let records = first.records.len() as u64;
    assert_eq!(
        (tally.cost().requests, tally.cost().pages, tally.cost().records),
        (1, 1, records)
    );
    for (faults, requests, pages) in [(1, 3, 2), (2, 5, 2)] {
        setup
            .simulator
            .world()
            .inject(Fault::times(faults, FaultKind::ResetInBody));
        let page = client.page(&whole_page(0), &tally).await;
        assert_eq!(page.is_ok(), faults < 2, "{page:?}");
        assert_eq!((tally.cost().requests, tally.cost().pages), (requests, pages));
    }
    assert_eq!(tally.cost().records, 2 * records);
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
