//! How many requests a load takes, relative to the least possible.

use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::super::super::density::count;
use super::{DAY, FakeApi, Listing, window};

fn requests_per_page(by_hour: impl Fn(i64) -> i64, totals: bool) -> f64 {
    let hours = 0..30 * 24;
    let seconds: Vec<i64> = hours
        .flat_map(|hour| {
            let count = by_hour(hour);
            (0..count).map(move |n| hour * 3_600 + n * 3_600 / count)
        })
        .collect();
    let pages = seconds.len().div_ceil(100);
    let mut model = FakeApi::still(seconds, totals);
    let driven = model.drive(&[window(0, 30 * DAY)], 3, 0);
    count(driven.requests) / count(pages as u64)
}

#[test]
fn pages_come_back_full_where_nights_are_quiet_and_weekends_too() {
    let office = |hour: i64| match (hour / 24 % 7, hour % 24) {
        (0..5, 8..18) => 180,
        (0..5, _) => 15,
        _ => 8,
    };
    let (with_totals, without) = (requests_per_page(office, true), requests_per_page(office, false));
    assert!(with_totals <= 1.10, "{with_totals}");
    assert!(without <= 1.20, "{without}");
}

/// Loads of random data that end on each day of the week, after three hours without any.
fn requests_of_a_week(days: i64, records: u64, bursts: &[(i64, u64)], totals: bool) -> f64 {
    let mut dice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let ratios = (1..=7).map(|day| {
        let end = (100 + day) * DAY + dice.random_range(0..DAY);
        let begin = end - days * DAY;
        let mut seconds: Vec<i64> = (0..records)
            .map(|_| dice.random_range(begin..end - 3 * 3_600))
            .collect();
        for (on, count) in bursts {
            let at = begin + on * DAY;
            seconds.extend((0..*count).map(|_| dice.random_range(at..at + 300)));
        }
        seconds.sort_unstable();
        let pages = seconds.len().div_ceil(100);
        let mut model = FakeApi::still(seconds, totals);
        count(model.drive(&[window(begin, end)], 4, 0).requests) / count(pages as u64)
    });
    ratios.sum::<f64>() / 7.0
}

#[test]
fn pages_come_back_full_where_all_hours_are_dense() {
    let of_a_week = |totals| requests_of_a_week(3, 60_000, &[], totals);
    let (with_totals, without) = (of_a_week(true), of_a_week(false));
    assert!(with_totals <= 1.09, "{with_totals}");
    assert!(without <= 1.13, "{without}");
}

#[test]
fn bursts_hardly_cost_more_than_their_own_pages() {
    let bursts = [
        (3, 800),
        (7, 1_200),
        (12, 1_600),
        (18, 2_000),
        (22, 2_500),
        (27, 3_000),
    ];
    let of_a_week = |totals| requests_of_a_week(30, 18_900, &bursts, totals);
    let (with_totals, without) = (of_a_week(true), of_a_week(false));
    assert!(with_totals <= 1.20, "{with_totals}");
    assert!(without <= 1.50, "{without}");
}

#[test]
fn a_sparse_range_takes_a_request_for_each_seven_days() {
    for totals in [true, false] {
        let mut model = FakeApi::still((0..90 * DAY).step_by(25_920), totals);
        let driven = model.drive(&[window(DAY / 2, 90 * DAY + DAY / 2)], 3, 0);
        assert!(driven.requests <= 15, "{} requests", driven.requests);
    }
}

#[test]
fn ordered_rows_cost_hardly_more_requests_than_unordered_ones() {
    let seconds: Vec<i64> = (0..10_000).map(|nth| nth * 60).collect();
    let requests = |listing| {
        let mut model = FakeApi {
            listing,
            ..FakeApi::still(seconds.iter().copied(), true)
        };
        model.drive(&[window(0, 7 * DAY)], 3, 0).requests
    };
    let unordered = requests(Listing::Unordered);
    for listing in [Listing::Ascending, Listing::Descending, Listing::BothEnds] {
        let sorted = requests(listing);
        assert!(
            sorted <= unordered + 6,
            "{listing:?}: {sorted}, {unordered} in no order"
        );
    }
}
