//! What is new, and the gaps that rest.

use std::time::Duration;

use smartassist_etl::ledger::gaps::unread;
use smartassist_etl::ledger::{Status, gaps, status};
use smartassist_etl::time::Window;

use super::desk::{ACCOUNT, Desk, at, texts, window};
use crate::support::instant;

async fn left(desk: &Desk, until: &str) -> Vec<String> {
    let left = unread(&desk.database.pool, ACCOUNT, at(until), Duration::ZERO).await;
    texts(&left.unwrap())
}

async fn gap(desk: &Desk, start: &str, end: &str) {
    desk.empty(Status::Gap, window(start, end), at("12:00:00")).await;
}

/// Has everything in the ledger have happened so long ago.
async fn age_ledger(desk: &Desk, interval: &str) {
    let sql =
        format!("update smartassist_sync.windows set finished_at = finished_at - interval '{interval}'");
    desk.database.execute(&sql).await;
}

async fn cover_up_to(desk: &Desk, end: &str) {
    let before = Window::new(instant("2026-01-01T00:00:00Z"), at(end));
    desk.empty(Status::Drained, before, at("12:00:00")).await;
}

#[tokio::test]
async fn new_leaves_out_gaps_that_rest_and_takes_them_up_in_time() {
    let desk = Desk::open().await;
    cover_up_to(&desk, "10:00:00").await;
    gap(&desk, "10:30:00", "10:30:01").await;
    let rest = ["10:00:00-10:30:00", "10:30:01-11:00:00"];
    assert_eq!(left(&desk, "11:00:00").await, rest);
    age_ledger(&desk, "14 minutes").await;
    assert_eq!(left(&desk, "11:00:00").await, rest);
    age_ledger(&desk, "61 seconds").await;
    assert_eq!(left(&desk, "11:00:00").await, ["10:00:00-11:00:00"]);
}

/// Minutes, of the only gap.
const REST: &str =
    "select (extract(epoch from next_try_at - last_tried_at) / 60)::bigint from smartassist_sync.gaps";
const TRIES: &str = "select sum(times_tried)::bigint from smartassist_sync.gaps";

#[tokio::test]
async fn a_gap_rests_twice_as_long_after_each_try_and_a_day_at_most() {
    let desk = Desk::open().await;
    let mut rests = Vec::new();
    for _ in 0..9 {
        gap(&desk, "10:30:00", "10:30:01").await;
        rests.push(desk.database.number(REST).await);
        let tries = desk.database.number(TRIES).await;
        assert_eq!(tries, i64::try_from(rests.len()).unwrap());
    }
    assert_eq!(rests, [15, 30, 60, 120, 240, 480, 960, 1_440, 1_440]);
    let many = "insert into smartassist_sync.windows (account_id, run_id, range, purpose, status, token) \
                select account_id, run_id, range, purpose, status, token from smartassist_sync.windows, \
                generate_series(1, 1000)";
    desk.database.execute(many).await;
    assert_eq!(desk.database.number(TRIES).await, 9_009);
    assert_eq!(desk.database.number(REST).await, 1_440);
}

#[tokio::test]
async fn open_gaps_are_those_not_covered_since_oldest_first() {
    let desk = Desk::open().await;
    for start in ["11:00", "09:00", "10:00"] {
        gap(&desk, &format!("{start}:00"), &format!("{start}:02")).await;
    }
    let open = async || {
        let gaps = gaps::open(&desk.database.pool, ACCOUNT).await.unwrap();
        texts(&gaps.iter().map(|gap| gap.window).collect::<Vec<_>>())
    };
    assert_eq!(
        open().await,
        ["09:00:00-09:00:02", "10:00:00-10:00:02", "11:00:00-11:00:02"]
    );
    desk.empty(Status::Drained, window("09:00:00", "10:00:01"), at("12:00:00"))
        .await;
    assert_eq!(
        open().await,
        ["10:00:00-10:00:02", "11:00:00-11:00:02"],
        "one covered, one in part"
    );
    let said = "select distinct error from smartassist_sync.gaps";
    assert_eq!(desk.database.text(said).await, "too many");
    desk.database
        .execute("update smartassist_sync.accounts set filters_changed_at = '2026-01-10T12:00:01Z'")
        .await;
    assert!(open().await.is_empty(), "other filters may fit");
}

#[tokio::test]
async fn a_gap_counts_where_it_is_uncovered_after_start_from() {
    let desk = Desk::open().await;
    for start in ["09:00", "10:00", "11:00"] {
        gap(&desk, &format!("{start}:00"), &format!("{start}:02")).await;
    }
    let wanted = async |start_from: &str| {
        let moved = format!("update smartassist_sync.accounts set start_from = '2026-01-10T{start_from}Z'");
        desk.database.execute(&moved).await;
        let gaps = gaps::open(&desk.database.pool, ACCOUNT).await.unwrap();
        let wanted = gaps.iter().map(|gap| gap.wanted).collect::<Vec<_>>();
        let accounts = status::accounts(&desk.database.pool).await.unwrap();
        let counted = wanted.iter().filter(|wanted| **wanted).count();
        assert_eq!(usize::try_from(accounts[0].gaps).unwrap(), counted);
        assert_eq!(accounts[0].next_gap_try_at.is_some(), counted > 0);
        wanted
    };
    assert_eq!(wanted("08:00:00").await, [true, true, true]);
    assert_eq!(wanted("09:00:02").await, [false, true, true]);
    assert_eq!(wanted("10:00:01").await, [false, true, true], "half of it");
    desk.empty(Status::Drained, window("10:00:01", "10:30:00"), at("12:00:00"))
        .await;
    assert_eq!(
        wanted("10:00:01").await,
        [false, false, true],
        "that half is read"
    );
    assert_eq!(wanted("23:00:00").await, [false, false, false]);
}

#[tokio::test]
async fn an_unknown_account_wants_nothing() {
    let desk = Desk::open().await;
    let unknown = unread(&desk.database.pool, "unknown", at("12:00:00"), Duration::ZERO).await;
    assert!(unknown.unwrap().is_empty());
}
