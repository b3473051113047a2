//! What is left to read: new, missing, to be read again; and the gaps that rest.

use std::time::Duration;

use chrono::{DateTime, Utc};
use smartassist_etl::ledger::wanted::{Wanted, unread};
use smartassist_etl::ledger::{Status, gaps, status};
use smartassist_etl::time::window::Window;

use super::desk::{ACCOUNT, Desk, at, conversation, texts, window};
use crate::support::instant;

async fn left(desk: &Desk, wanted: Wanted, until: &str) -> Vec<String> {
    let left = unread(&desk.database.pool, ACCOUNT, &wanted, at(until), Duration::ZERO).await;
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
    let before = Window {
        start: instant("2026-01-01T00:00:00Z"),
        end: at(end),
    };
    desk.empty(Status::Drained, before, at("12:00:00")).await;
}

#[tokio::test]
async fn new_leaves_out_gaps_that_rest_and_takes_them_up_in_time() {
    let desk = Desk::open().await;
    cover_up_to(&desk, "10:00:00").await;
    gap(&desk, "10:30:00", "10:30:01").await;
    let rest = ["10:00:00-10:30:00", "10:30:01-11:00:00"];
    assert_eq!(left(&desk, Wanted::New, "11:00:00").await, rest);
    age_ledger(&desk, "14 minutes").await;
    assert_eq!(left(&desk, Wanted::New, "11:00:00").await, rest);
    age_ledger(&desk, "61 seconds").await;
    assert_eq!(left(&desk, Wanted::New, "11:00:00").await, ["10:00:00-11:00:00"]);
}

#[tokio::test]
async fn a_gap_rests_twice_as_long_after_each_try_and_a_day_at_most() {
    let desk = Desk::open().await;
    let mut rests = Vec::new();
    for _ in 0..9 {
        gap(&desk, "10:30:00", "10:30:01").await;
        let gap = gaps::open(&desk.database.pool, ACCOUNT).await.unwrap()[0];
        rests.push((gap.next_try_at - gap.last_tried_at).num_minutes());
        assert_eq!(gap.times_tried, i64::try_from(rests.len()).unwrap());
    }
    assert_eq!(rests, [15, 30, 60, 120, 240, 480, 960, 1_440, 1_440]);
    let many = "insert into smartassist_sync.windows (account_id, run_id, range, purpose, status, token) \
                select account_id, run_id, range, purpose, status, token from smartassist_sync.windows, \
                generate_series(1, 1000)";
    desk.database.execute(many).await;
    let gaps = gaps::open(&desk.database.pool, ACCOUNT).await.unwrap();
    assert_eq!((gaps.len(), gaps[0].times_tried), (1, 9_009));
    assert_eq!((gaps[0].next_try_at - gaps[0].last_tried_at).num_minutes(), 1_440);
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
async fn a_gap_is_wanted_where_what_of_it_lies_after_start_from_is_not_covered() {
    let desk = Desk::open().await;
    for start in ["09:00", "10:00", "11:00"] {
        gap(&desk, &format!("{start}:00"), &format!("{start}:02")).await;
    }
    let wanted = async |start_from: &str| {
        let moved = format!(
            "update smartassist_sync.accounts set start_from = '2026-01-10T{start_from}Z', watermark = '2026-01-10T{start_from}Z'"
        );
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
async fn missing_is_what_of_a_stretch_is_not_covered_gaps_and_all() {
    let desk = Desk::open().await;
    desk.empty(Status::Drained, window("09:00:00", "10:00:00"), at("12:00:00"))
        .await;
    gap(&desk, "10:30:00", "10:30:01").await;
    let missing = |start, end| Wanted::Missing {
        range: window(start, end),
        resting: true,
    };
    let without_resting = Wanted::Missing {
        range: window("08:00:00", "11:00:00"),
        resting: false,
    };
    assert_eq!(
        left(&desk, without_resting, "23:00:00").await,
        ["08:00:00-09:00:00", "10:00:00-10:30:00", "10:30:01-11:00:00"],
        "a gap that was tried just now rests"
    );
    assert_eq!(
        left(&desk, missing("08:00:00", "11:00:00"), "23:00:00").await,
        ["08:00:00-09:00:00", "10:00:00-11:00:00"]
    );
    assert_eq!(
        left(&desk, missing("08:00:00", "11:00:00"), "10:20:00").await,
        ["08:00:00-09:00:00", "10:00:00-10:20:00"]
    );
    assert!(
        left(&desk, missing("08:00:00", "11:00:00"), "07:00:00")
            .await
            .is_empty()
    );
    let before_start = Wanted::Missing {
        range: Window {
            start: instant("2025-12-31T00:00:00Z"),
            end: instant("2026-01-02T00:00:00Z"),
        },
        resting: false,
    };
    assert_eq!(left(&desk, before_start, "23:00:00").await.len(), 1);
}

fn reread(start: &str, end: &str, since: &str, open_since: Option<DateTime<Utc>>) -> Wanted {
    Wanted::Reread {
        range: window(start, end),
        since: at(since),
        now: at("23:00:00"),
        open_since,
        late: None,
    }
}

#[tokio::test]
async fn reread_is_what_is_covered_and_was_not_read_since() {
    let desk = Desk::open().await;
    desk.empty(Status::Drained, window("09:00:00", "11:00:00"), at("12:00:00"))
        .await;
    desk.empty(Status::Drained, window("09:30:00", "10:00:00"), at("12:30:00"))
        .await;
    desk.empty(Status::Split, window("10:00:00", "10:30:00"), at("12:40:00"))
        .await;
    assert_eq!(
        left(
            &desk,
            reread("08:00:00", "12:00:00", "12:30:00", None),
            "23:00:00"
        )
        .await,
        ["09:00:00-09:30:00", "10:00:00-11:00:00"],
        "a split window is no reading, and what is not covered is not read again"
    );
    assert_eq!(
        left(
            &desk,
            reread("09:10:00", "10:40:00", "12:30:01", None),
            "10:15:00"
        )
        .await,
        ["09:10:00-10:15:00"]
    );
    assert!(
        left(
            &desk,
            reread("08:00:00", "12:00:00", "12:00:00", None),
            "23:00:00"
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn reread_takes_the_second_in_which_an_open_session_started() {
    let desk = Desk::open().await;
    let records = [
        conversation("open", "10:10:00.250", None),
        conversation("same-second", "10:10:00.999", None),
        conversation("ended", "10:11:00", Some("10:12:00")),
        conversation("too-old", "10:01:00", None),
        conversation("gone", "10:13:00", None),
        conversation("not-covered", "11:10:00", None),
        conversation("in-range", "11:40:00", None),
    ];
    desk.drained(&records, "12:00:00").await;
    desk.database
        .execute("update smartassist.sessions set missing_since = now() where conversation_id = 'gone'")
        .await;
    let wanted = reread("11:30:00", "12:00:00", "12:30:00", Some(at("10:05:00")));
    assert_eq!(left(&desk, wanted, "23:00:00").await, ["10:10:00-10:10:01"]);
    desk.empty(Status::Drained, window("10:10:00", "10:10:01"), at("12:31:00"))
        .await;
    assert!(left(&desk, wanted, "23:00:00").await.is_empty());
}

#[tokio::test]
async fn what_has_not_happened_yet_by_the_databases_clock_is_never_wanted() {
    let desk = Desk::open().await;
    let range = Window {
        start: instant("2026-01-10T00:00:00Z"),
        end: instant("2999-01-01T00:00:00Z"),
    };
    let since = at("13:00:00");
    let missing = Wanted::Missing { range, resting: true };
    let reread = Wanted::Reread {
        range,
        since,
        now: at("23:00:00"),
        open_since: None,
        late: None,
    };
    let left = async |wanted| {
        let settle = Duration::from_secs(3_600);
        let left = unread(&desk.database.pool, ACCOUNT, &wanted, range.end, settle).await;
        left.unwrap().last().unwrap().end
    };
    let mut ends = vec![left(missing).await];
    desk.empty(Status::Drained, range, at("12:00:00")).await;
    ends.push(left(reread).await);
    for end in ends {
        let late =
            format!("select ('{end}'::timestamptz > clock_timestamp() - interval '59 min')::int::bigint");
        assert_eq!(desk.database.number(&late).await, 0);
    }
}

#[tokio::test]
async fn an_unknown_account_wants_nothing() {
    let desk = Desk::open().await;
    let unknown = unread(
        &desk.database.pool,
        "unknown",
        &Wanted::New,
        at("12:00:00"),
        Duration::ZERO,
    )
    .await;
    assert!(unknown.unwrap().is_empty());
}
