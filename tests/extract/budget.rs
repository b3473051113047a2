//! The request budget, seen from the server.
//!
//! The client's minute is a real one, so these tests see only its beginning: what may leave
//! leaves at once, and what may not is still held back a moment later.

use std::time::Duration;

use futures_util::future::join_all;
use smartassist_etl::extract::ApiClient;
use smartassist_simulator::{Fault, FaultKind};

use super::{arrived, page};
use crate::support::Setup;

/// Longer than any request here takes.
const MOMENT: Duration = Duration::from_millis(700);

/// An account and a server that agree on the limit.
async fn limited_to(requests_per_minute: u32) -> Setup {
    let mut setup = Setup::with_interactions(40).await;
    setup.set("requests_per_minute", &requests_per_minute.to_string());
    setup.simulator.world().limits.requests_per_minute = Some(requests_per_minute);
    setup
}

/// So many requests are all on their way before the first of them is answered.
async fn all_leave_at_once(setup: &Setup, client: &ApiClient, requests: u64) {
    let hold = setup.hold_answers();
    let answers = join_all((0..requests).map(|_| page(client, 0)));
    let (answers, ()) = tokio::join!(answers, async {
        setup.until_in_flight(requests).await;
        hold.cancel();
    });
    for (page, _) in answers {
        page.unwrap();
    }
    setup.hold_no_more();
}

/// One request more is held back, and the server has limited none.
async fn assert_is_spent(setup: &Setup, client: &ApiClient, requests: u64) {
    assert_eq!(arrived(setup), requests);
    let held_back = tokio::time::timeout(MOMENT, page(client, 0)).await;
    assert!(held_back.is_err(), "a request left beyond the budget");
    assert_eq!(arrived(setup), requests);
    assert_eq!(setup.simulator.world().counters().rate_limited, 0);
}

#[tokio::test]
async fn a_minutes_requests_leave_at_once_and_the_next_one_waits() {
    let mut setup = limited_to(30).await;
    setup.set("max_in_flight", "30");
    let client = setup.client();
    all_leave_at_once(&setup, &client, 30).await;
    assert_is_spent(&setup, &client, 30).await;
}

#[tokio::test]
async fn retries_and_new_sign_ins_are_paid_for_from_the_budget() {
    let setup = limited_to(5).await;
    for kind in [
        FaultKind::status(500),
        FaultKind::ResetBeforeResponse,
        FaultKind::status(401),
        FaultKind::Body(Vec::new()),
    ] {
        setup.simulator.world().inject(Fault::next(kind));
    }
    let client = setup.client();
    let (page, requests) = page(&client, 0).await;
    assert!(page.is_ok(), "{page:?}");
    assert_eq!(requests, 5);
    assert_is_spent(&setup, &client, 5).await;
}

#[tokio::test]
async fn a_request_that_was_let_go_on_its_way_has_been_spent() {
    let setup = limited_to(2).await;
    let _never = setup.hold_answers();
    let client = setup.client();
    tokio::select! {
        answered = page(&client, 0) => panic!("{answered:?}"),
        () = setup.until_in_flight(1) => {}
    }
    setup.hold_no_more();
    page(&client, 0).await.0.unwrap();
    assert_is_spent(&setup, &client, 2).await;
}
