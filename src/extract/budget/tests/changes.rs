//! Limits that change while requests wait.

use super::*;

/// Waits for so many requests, one after the other.
async fn take(budget: &Budget, requests: usize) {
    for _ in 0..requests {
        drop(budget.admit(Priority::Live).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_larger_budget_lets_those_go_who_wait_already() {
    let budget = budget(3, 0, 0);
    take(&budget, 3).await;
    let began = Instant::now();
    let change = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        budget.limit(limits(5, 0, 0));
    };
    futures_util::future::join(take(&budget, 2), change).await;
    assert_eq!(began.elapsed().as_secs(), 7);
    take(&budget, 1).await;
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_smaller_budget_counts_what_was_spent_before() {
    let budget = budget(0, 0, 0);
    take(&budget, 10).await;
    tokio::time::advance(Duration::from_secs(20)).await;
    budget.limit(limits(4, 0, 0));
    assert_eq!(budget.limits(), limits(4, 0, 0));
    let began = Instant::now();
    take(&budget, 1).await;
    assert_eq!(began.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_new_limit_of_the_hour_counts_the_whole_hour_before() {
    let budget = budget(60, 0, 0);
    take(&budget, 5).await;
    tokio::time::advance(Duration::from_secs(3_000)).await;
    take(&budget, 1).await;
    budget.limit(limits(60, 5, 0));
    let began = Instant::now();
    take(&budget, 1).await;
    assert_eq!(began.elapsed().as_secs(), 600);
}

#[tokio::test(start_paused = true)]
async fn more_or_fewer_may_be_in_flight_from_now_on() {
    let budget = budget(0, 0, 1);
    let first = budget.admit(Priority::Live).await;
    let change = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        budget.limit(limits(0, 0, 2));
    };
    let began = Instant::now();
    let (second, ()) = futures_util::future::join(budget.admit(Priority::Live), change).await;
    assert_eq!(began.elapsed().as_secs(), 3);
    budget.limit(limits(0, 0, 1));
    drop(first);
    let third = tokio::time::timeout(Duration::from_secs(60), budget.admit(Priority::Live)).await;
    assert!(third.is_err(), "two are in flight");
    drop(second);
    take(&budget, 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_an_account_without_limits_spends_is_not_remembered_without_end() {
    let budget = budget(0, 0, 0);
    take(&budget, REMEMBERED + 500).await;
    assert_eq!(budget.places().ended.len(), REMEMBERED);
    budget.limit(limits(20_000, 0, 0));
    take(&budget, 10_000).await;
    assert_eq!(budget.places().ended.len(), 20_000);
}
