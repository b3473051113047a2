//! Windows that are stored without being drained, the density of those that are, and what is
//! measured when windows are read again.

use std::time::Duration;

use serde_json::json;
use smartassist_etl::ledger::{LoadError, Status, leases, recent_counts};
use smartassist_etl::transform::Rejected;

use super::desk::{ACCOUNT, Desk, Overlapping, Reading, at, conversation, texts, window};
use crate::support::instant;

#[tokio::test]
async fn a_split_or_gap_window_stores_its_rows_and_covers_nothing() {
    for status in [Status::Split, Status::Gap] {
        let desk = Desk::open().await;
        let records = [conversation("a", "10:10:00", Some("10:20:00"))];
        let reading = Reading {
            window: window("10:00:00", "11:00:00"),
            status,
            records: &records,
            rejected: &[],
            at: at("12:00:00"),
        };
        let committed = desk.commit(&reading).await.unwrap();
        assert_eq!(committed.counters.inserted, 1);
        assert_eq!(committed.watermark, None, "it stays");
        let covered = "select count(*) from smartassist_sync.accounts, unnest(coverage)";
        assert_eq!(desk.database.number(covered).await, 0);
        let line =
            "select status || ' ' || purpose || ' ' || coalesce(error, '-') from smartassist_sync.windows";
        let error = if status == Status::Gap { "too many" } else { "-" };
        assert_eq!(
            desk.database.text(line).await,
            format!("{} refresh {error}", status.as_str())
        );
        assert_eq!(desk.database.counts().await, [1, 1, 1, 0, 1, 1, 0]);
    }
}

#[tokio::test]
async fn a_window_of_a_lost_lease_is_not_stored_whatever_came_of_it() {
    for status in [Status::Drained, Status::Split, Status::Gap] {
        let desk = Desk::open().await;
        desk.lease.release(&desk.database.pool, &[]).await.unwrap();
        let lasts = Duration::from_secs(60);
        leases::acquire(&desk.database.pool, ACCOUNT, "other", lasts)
            .await
            .unwrap()
            .unwrap();
        let records = [conversation("a", "10:10:00", Some("10:20:00"))];
        let reading = Reading {
            window: window("10:00:00", "11:00:00"),
            status,
            records: &records,
            rejected: &[],
            at: at("12:00:00"),
        };
        let refused = desk.commit(&reading).await;
        assert!(matches!(refused, Err(LoadError::LeaseLost)), "{refused:?}");
        assert_eq!(desk.database.counts().await, [0; 7]);
    }
}

#[tokio::test]
async fn an_account_without_a_row_stores_no_part_of_a_window() {
    let desk = Desk::open().await;
    desk.database
        .execute("delete from smartassist_sync.accounts")
        .await;
    let records = [conversation("a", "10:10:00", Some("10:20:00"))];
    let reading = Reading {
        window: window("10:00:00", "11:00:00"),
        status: Status::Split,
        records: &records,
        rejected: &[],
        at: at("12:00:00"),
    };
    assert!(desk.commit(&reading).await.is_err());
    assert_eq!(desk.database.counts().await, [0; 7]);
}

#[tokio::test]
async fn recent_counts_are_the_newest_drained_windows_oldest_first() {
    let desk = Desk::open().await;
    let record = [conversation("a", "10:10:00", Some("10:20:00"))];
    desk.empty(Status::Drained, window("08:00:00", "09:00:00"), at("12:00:00"))
        .await;
    desk.drained(&record, "12:00:00").await;
    desk.hour(Status::Split, &record, "12:00:00").await;
    desk.empty(Status::Drained, window("09:00:00", "10:00:00"), at("12:00:00"))
        .await;
    let counts = recent_counts(&desk.database.pool, ACCOUNT, 2).await.unwrap();
    let (windows, counts): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
    assert_eq!(texts(&windows), ["10:00:00-11:00:00", "09:00:00-10:00:00"]);
    assert_eq!(counts, [1, 0]);
}

/// The view, a line a class: `age_from..age_to reread/changed percent`.
const CHANGE_BY_AGE: &str = "select string_agg(format('%s..%s %s/%s %s', age_from, age_to, reread, changed, \
     changed_percent), ', ' order by age_from_hours) from smartassist_bi.change_by_age where account_name = 'main'";

#[tokio::test]
async fn change_is_counted_by_the_age_at_reading() {
    let mut desk = Desk::open().await;
    let open = |id: &str| conversation(id, "10:10:00", None);
    let ended = |id: &str| conversation(id, "10:10:00", Some("10:20:00"));
    let sums = "select count(*) from smartassist_sync.changes_by_age";
    desk.drained(&[open("a"), open("b"), open("c")], "10:15:00").await;
    assert_eq!(desk.database.number(sums).await, 0, "nothing was read again");

    desk.reread(&[ended("a"), open("b"), open("c")], "10:24:59").await;
    desk.reread(&[ended("a"), ended("b"), open("c")], "10:25:00")
        .await;
    desk.reread(&[ended("a"), ended("b"), ended("c"), ended("new")], "11:09:59")
        .await;
    let much_later = Reading {
        window: window("10:00:00", "11:00:00"),
        status: Status::Drained,
        records: &[ended("a")],
        rejected: &[],
        at: instant("2027-01-10T10:00:00Z"),
    };
    desk.begin_run(much_later.at).await;
    desk.commit(&much_later).await.unwrap();
    assert_eq!(
        desk.database.text(CHANGE_BY_AGE).await,
        "0 min..15 min 3/1 33.33, 15 min..1 h 6/2 33.33, 90 d.. 1/0 0.00"
    );
}

#[tokio::test]
async fn changes_of_a_split_window_and_its_parts_are_counted_once() {
    let mut desk = Desk::open().await;
    let open = |id: &str| conversation(id, "10:10:00", None);
    let ended = |id: &str| conversation(id, "10:10:00", Some("10:20:00"));
    // A first load: nothing was stored before it.
    desk.begin_run(at("11:15:00")).await;
    let stored = [open("a"), open("b"), open("c")];
    desk.hour(Status::Split, &stored[..2], "11:15:01").await;
    desk.drained(&stored, "11:15:02").await;
    let sums = "select count(*) from smartassist_sync.changes_by_age";
    assert_eq!(desk.database.number(sums).await, 0);

    // A refresh: one has changed, of two that the split shows and of three in its parts.
    desk.begin_run(at("11:20:00")).await;
    desk.hour(Status::Split, &[ended("a"), open("b")], "11:20:01")
        .await;
    desk.drained(&[ended("a"), open("b"), open("c")], "11:20:02")
        .await;
    assert_eq!(desk.database.text(CHANGE_BY_AGE).await, "1 h..2 h 3/1 33.33");
}

#[tokio::test]
async fn a_session_that_starts_in_the_future_is_of_the_youngest_age() {
    let mut desk = Desk::open().await;
    let record = [conversation("a", "10:10:00", None)];
    desk.drained(&record, "10:00:00").await;
    desk.reread(&record, "10:00:01").await;
    assert_eq!(desk.database.text(CHANGE_BY_AGE).await, "0 min..15 min 1/0 0.00");
}

#[tokio::test]
async fn the_reader_sees_change_by_age() {
    let mut desk = Desk::open().await;
    let record = [conversation("a", "10:10:00", None)];
    desk.drained(&record, "10:30:00").await;
    desk.reread(&record, "10:30:01").await;
    desk.database
        .execute("set role smartassist_reader; select * from smartassist_bi.change_by_age; reset role")
        .await;
}

#[tokio::test]
async fn a_version_that_may_be_older_than_the_stored_one_is_refused() {
    let mut desk = Desk::open().await;
    let version = |end: &str| conversation("a", "10:10:00", Some(end));
    desk.drained(&[version("10:20:00")], "12:00:00").await;
    let ended = "select to_char(session_ended_at at time zone 'UTC', 'HH24:MI') from smartassist.sessions";
    let records = [version("10:30:00")];
    let reading = |began: &str, written: &str| Overlapping {
        began: at(began),
        written: at(written),
    };
    // Asked for before the other window was written, and written after it.
    let older = desk
        .commit_between(&records, reading("11:59:59", "12:00:01"))
        .await;
    assert!(matches!(older, Err(LoadError::StoredSince)), "{older:?}");
    assert_eq!(desk.database.text(ended).await, "10:20");
    // The same version is no other.
    let same = [version("10:20:00")];
    let alike = desk.commit_between(&same, reading("11:59:59", "12:00:01")).await;
    assert_eq!(alike.unwrap().counters.unchanged, 1);
    // What was written by a clock that was ahead is older all the same.
    let set_back = desk
        .commit_between(&records, reading("11:00:00", "11:00:01"))
        .await;
    assert_eq!(set_back.unwrap().counters.updated, 1);
    // It was marked as gone while this one was read; first missed before.
    desk.database
        .execute("update smartassist.sessions set missing_since = '2026-01-10T12:45:00Z', last_changed_at = '2026-01-10T13:00:00Z'")
        .await;
    let gone = desk
        .commit_between(&records, reading("12:59:59", "13:00:01"))
        .await;
    assert!(matches!(gone, Err(LoadError::StoredSince)), "{gone:?}");
    desk.begin_run(at("13:01:00")).await;
    let back = desk
        .commit_between(&records, reading("13:01:00", "13:01:01"))
        .await;
    assert_eq!(back.unwrap().counters.updated, 1);
}

#[tokio::test]
async fn overlapping_good_and_rejected_versions_are_read_again() {
    let mut desk = Desk::open().await;
    let good = [conversation("a", "10:10:00", Some("10:20:00"))];
    let bad = [Rejected {
        reason: "of the test".into(),
        record_bytes: None,
        key: Some(super::desk::read(&good[0]).key),
        payload: "{}".to_owned(),
        ids: Vec::new(),
        identifiers: Vec::new(),
        payload_hash: [1; 32],
    }];
    let of = |is_good: bool, written: &str| Reading {
        window: window("10:00:00", "11:00:00"),
        status: Status::Drained,
        records: if is_good { &good } else { &[] },
        rejected: if is_good { &[] } else { &bad },
        at: at(written),
    };
    let waiting = "select count(*) from smartassist_sync.rejected_records where resolved_at is null";

    desk.commit(&of(true, "12:00:00")).await.unwrap();
    let slow = desk.commit_from(&of(false, "12:00:01"), at("11:59:59")).await;
    assert!(matches!(slow, Err(LoadError::StoredSince)), "{slow:?}");
    assert_eq!(desk.database.number(waiting).await, 0);
    desk.begin_run(at("12:30:00")).await;
    let bad_again = desk.commit_from(&of(false, "12:30:02"), at("12:30:01")).await;
    assert_eq!(bad_again.unwrap().counters.rejected, 1);

    let slow = desk.commit_from(&of(true, "12:30:03"), at("12:30:00")).await;
    assert!(matches!(slow, Err(LoadError::StoredSince)), "{slow:?}");
    assert_eq!(desk.database.number(waiting).await, 1, "it is the newest version");
    desk.begin_run(at("12:40:00")).await;
    let good_again = desk.commit_from(&of(true, "12:40:02"), at("12:40:01")).await;
    assert_eq!(good_again.unwrap().resolved, 1);
    assert_eq!(desk.database.number(waiting).await, 0);
}

#[tokio::test]
async fn a_start_that_moves_to_another_day_is_counted_there() {
    let desk = Desk::open().await;
    let moving = |start: &str| json!({"conversationId": "c", "sessionId": "s", "sessionStartTime": start});
    for (start, written, counted) in [
        ("2026-01-10T10:10:00", "12:00:00", "2026-01-10=2"),
        ("2026-01-11T10:10:00", "12:10:00", "2026-01-10=1 2026-01-11=1"),
        ("2026-01-10T10:20:00", "12:20:00", "2026-01-10=2"),
    ] {
        let records = [moving(start), conversation("other", "10:30:00", Some("10:40:00"))];
        desk.drained(&records, written).await;
        let days = "select string_agg(day || '=' || interactions, ' ' order by day) from smartassist_sync.interactions_by_day";
        assert_eq!(desk.database.text(days).await, counted, "{start}");
    }
}
