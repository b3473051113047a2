//! What the API no longer returns: marked after two reads that prove it, taken back when it returns.

use serde_json::Value;
use smartassist_etl::ledger::Status;
use smartassist_etl::ledger::runs::Kind;
use smartassist_etl::transform::{Ids, Rejected};
use smartassist_etl::warehouse::compare::Basis;

use super::desk::{ACCOUNT, Desk, Reading, account, at, conversation, open_run, prepare, window};

pub(super) fn inside(id: &str) -> Value {
    conversation(id, "10:10:00", Some("10:20:00"))
}

/// A session that every reading returns: the source is alive, and few are missing.
pub(super) fn witness() -> Value {
    conversation("witness", "10:30:00", Some("10:40:00"))
}

#[tokio::test]
async fn a_session_is_missing_after_two_drained_windows_not_one() {
    let desk = Desk::open().await;
    desk.drained(&[inside("a"), inside("b")], "12:00:00").await;
    let versions = desk.database.row_versions().await;

    let first = desk.drained(&[inside("b")], "12:10:00").await;
    assert_eq!((first.missing, desk.absences().await), (0, 1));
    assert_eq!(
        desk.database.row_versions().await,
        versions,
        "the data is not touched yet"
    );

    let second = desk.drained(&[inside("b")], "12:20:00").await;
    assert_eq!((second.missing, desk.absences().await), (1, 0));
    assert_eq!(desk.missing().await, "a=12:10:00", "from the first miss on");
    let changed = "select count(*) from smartassist.sessions where last_changed_at = '2026-01-10T12:20:00Z'";
    assert_eq!(desk.database.number(changed).await, 1);

    let versions = desk.database.row_versions().await;
    let third = desk.drained(&[inside("b")], "12:30:00").await;
    assert_eq!(
        (third.missing, desk.absences().await),
        (0, 0),
        "it is missing already"
    );
    assert_eq!(desk.database.row_versions().await, versions);
}

#[tokio::test]
async fn what_is_read_again_unchanged_keeps_its_row_versions() {
    let desk = Desk::open().await;
    let records = [inside("a"), inside("b")];
    desk.drained(&records, "12:00:00").await;
    let versions = desk.database.row_versions().await;
    let again = desk.drained(&records, "12:10:00").await;
    assert_eq!((again.unchanged, again.updated, again.missing), (2, 0, 0));
    assert_eq!(desk.database.row_versions().await, versions);
}

#[tokio::test]
async fn reads_that_overlap_in_time_count_as_one() {
    let desk = Desk::open().await;
    desk.drained(&[inside("a"), witness()], "12:00:00").await;
    desk.drained(&[witness()], "12:10:00").await;
    let overlapping = desk.drained(&[witness()], "12:09:59").await;
    assert_eq!((overlapping.missing, desk.absences().await), (0, 1));
    assert_eq!(desk.drained(&[witness()], "12:11:00").await.missing, 1);
    assert_eq!(desk.missing().await, "a=12:10:00");
}

#[tokio::test]
async fn what_a_window_owes_depends_on_the_basis_of_the_range() {
    let sessions = || {
        [
            conversation("into", "09:50:00", Some("10:10:00")),
            conversation("out-of", "10:50:00", Some("11:10:00")),
            conversation("open", "10:45:00", None),
            conversation("around", "09:55:00", Some("11:05:00")),
            conversation("before", "09:40:00", Some("10:00:00")),
            conversation("after", "11:00:00", Some("11:20:00")),
        ]
    };
    for (basis, owed) in [
        (None, ""),
        (Some(Basis::Start), "open out-of"),
        (Some(Basis::End), "into"),
        (Some(Basis::Overlap), "around into open out-of"),
    ] {
        let mut desk = Desk::open().await;
        desk.basis = basis;
        let all: Vec<Value> = sessions()
            .into_iter()
            .chain((0..40).map(|nth| inside(&format!("w{nth}"))))
            .collect();
        let others = &all[sessions().len()..];
        desk.drained(&all, "12:00:00").await;
        for time in ["12:10:00", "12:20:00"] {
            desk.drained(others, time).await;
        }
        let missing = "select coalesce(string_agg(conversation_id, ' ' order by conversation_id), '') \
                       from smartassist.sessions where missing_since is not null";
        assert_eq!(desk.database.text(missing).await, owed, "{basis:?}");
    }
}

#[tokio::test]
async fn a_split_or_gap_read_marks_nothing() {
    for status in [Status::Split, Status::Gap] {
        let desk = Desk::open().await;
        desk.drained(&[inside("a"), witness()], "12:00:00").await;
        for time in ["12:10:00", "12:20:00", "12:30:00"] {
            assert_eq!(desk.hour(status, &[], time).await.missing, 0);
        }
        assert_eq!((desk.missing().await.as_str(), desk.absences().await), ("", 0));
    }
}

/// Reads the hour at each of these times, and gets `witness` and this rejected record.
async fn with_rejected(desk: &Desk, rejected: Rejected, times: &[&str]) {
    for time in times {
        let reading = Reading {
            window: window("10:00:00", "11:00:00"),
            status: Status::Drained,
            records: &[witness()],
            rejected: std::slice::from_ref(&rejected),
            at: at(time),
        };
        desk.commit(&reading).await.unwrap();
    }
}

fn rejected(conversation_id: Option<&str>) -> Rejected {
    let ids = Ids {
        session_id: Some("s-1".to_owned()),
        conversation_id: conversation_id.map(str::to_owned),
    };
    Rejected {
        key: conversation_id.map(|_| ids.key(ACCOUNT)),
        ids: vec![ids],
        ..Rejected::new("no readable start", "{}".to_owned())
    }
}

#[tokio::test]
async fn beside_a_rejected_record_of_unknown_ids_nothing_is_missing() {
    let desk = Desk::open().await;
    desk.drained(&[inside("a"), witness()], "12:00:00").await;
    with_rejected(&desk, rejected(None), &["12:10:00", "12:20:00"]).await;
    assert_eq!((desk.missing().await.as_str(), desk.absences().await), ("", 0));
}

#[tokio::test]
async fn a_rejected_record_stands_for_what_shares_its_ids_alone() {
    let desk = Desk::open().await;
    desk.drained(&[inside("a"), inside("b"), witness()], "12:00:00")
        .await;
    desk.drained(&[witness()], "12:10:00").await;
    assert_eq!((desk.missing().await.as_str(), desk.absences().await), ("", 2));
    with_rejected(&desk, rejected(Some("a")), &["12:20:00", "12:30:00"]).await;
    assert_eq!(desk.missing().await, "b=12:10:00");
    // It was there in between, so this is a first miss.
    desk.drained(&[witness()], "12:40:00").await;
    assert_eq!(desk.missing().await, "b=12:10:00");
}

#[tokio::test]
async fn a_session_that_does_not_lie_wholly_inside_is_never_marked() {
    let desk = Desk::open().await;
    let straddling = [
        conversation("before", "09:59:59", Some("10:20:00")),
        conversation("at-end", "10:10:00", Some("11:00:00")),
        conversation("after", "10:10:00", Some("11:20:00")),
        conversation("open", "10:10:00", None),
        conversation("outside", "11:00:00", Some("11:00:01")),
    ];
    desk.drained(&straddling, "12:00:00").await;
    for time in ["12:10:00", "12:20:00", "12:30:00"] {
        assert_eq!(desk.drained(&[witness()], time).await.missing, 0);
    }
    assert_eq!((desk.missing().await.as_str(), desk.absences().await), ("", 0));
}

#[tokio::test]
async fn a_session_that_is_back_has_its_absence_forgotten() {
    let desk = Desk::open().await;
    desk.drained(&[inside("a"), witness()], "12:00:00").await;
    let versions = desk.database.row_versions().await;
    desk.drained(&[witness()], "12:10:00").await;
    // A part of a split window is as good a proof that it is there.
    desk.hour(Status::Split, &[inside("a"), witness()], "12:20:00")
        .await;
    assert_eq!(desk.absences().await, 0);
    desk.drained(&[witness()], "12:30:00").await;
    assert_eq!(desk.missing().await, "", "counting has begun anew");
    assert_eq!(desk.database.row_versions().await, versions);
}

#[tokio::test]
async fn a_missing_session_that_comes_back_keeps_its_child_rows() {
    let desk = Desk::open().await;
    desk.drained(&[inside("a"), witness()], "12:00:00").await;
    let children = desk.database.row_versions().await[2..].to_vec();
    assert_eq!(children.len(), 8);
    desk.drained(&[witness()], "12:10:00").await;
    desk.drained(&[witness()], "12:20:00").await;
    assert_eq!(desk.missing().await, "a=12:10:00");
    let back = desk.drained(&[inside("a"), witness()], "12:30:00").await;
    assert_eq!((back.inserted, back.updated, back.unchanged), (0, 1, 1));
    assert_eq!(desk.missing().await, "");
    assert_eq!(desk.database.row_versions().await[2..], children);
    let changed = "select count(*) from smartassist.sessions where last_changed_at = '2026-01-10T12:30:00Z'";
    assert_eq!(desk.database.number(changed).await, 1);
}

#[tokio::test]
async fn a_session_that_comes_back_changed_is_rewritten_and_cleared() {
    let desk = Desk::open().await;
    desk.drained(&[inside("a"), witness()], "12:00:00").await;
    desk.drained(&[witness()], "12:10:00").await;
    desk.drained(&[witness()], "12:20:00").await;
    let mut changed = inside("a");
    changed["finalStatus"] = "CLOSED".into();
    let back = desk.drained(&[changed, witness()], "12:30:00").await;
    assert_eq!((back.updated, desk.missing().await.as_str()), (1, ""));
}

#[tokio::test]
async fn what_was_stored_under_other_filters_is_not_judged() {
    let desk = Desk::open().await;
    desk.drained(&[inside("old"), witness()], "12:00:00").await;
    desk.drained(&[witness()], "12:10:00").await;
    let account = account(&[("channels", "rtm")]).await;
    let begins_anew = prepare(&desk.database, &desk.lease, &account, at("13:00:00")).await;
    assert!(begins_anew);
    assert_eq!(desk.absences().await, 0, "what was missed is forgotten");
    desk.drained(&[inside("new"), witness()], "13:10:00").await;
    desk.drained(&[witness()], "13:20:00").await;
    desk.drained(&[witness()], "13:30:00").await;
    assert_eq!(desk.missing().await, "new=13:20:00");

    prepare(&desk.database, &desk.lease, &account, at("13:00:00")).await;
    let changed = "select extract(hour from filters_changed_at at time zone 'UTC')::bigint from smartassist_sync.accounts";
    assert_eq!(
        desk.database.number(changed).await,
        13,
        "the same filters again are no change"
    );
}

#[tokio::test]
async fn the_first_filters_are_no_change_of_filters() {
    let desk = Desk::open().await;
    let changed = "select count(filters_changed_at) from smartassist_sync.accounts";
    assert_eq!(desk.database.number(changed).await, 0);
    let unread = "update smartassist_sync.accounts set filters = '{}'";
    desk.database.execute(unread).await;
    open_run(&desk.database, &desk.lease, Kind::Poll, at("13:00:00")).await;
    assert_eq!(
        desk.database.number(changed).await,
        0,
        "nothing was read without any"
    );
}

#[tokio::test]
async fn absences_of_a_deleted_row_do_not_count_for_the_next_one() {
    let desk = Desk::open().await;
    desk.drained(&[inside("a"), witness()], "12:00:00").await;
    desk.drained(&[witness()], "12:10:00").await;
    desk.database.execute("delete from smartassist.sessions").await;
    desk.drained(&[inside("a"), witness()], "12:20:00").await;
    desk.drained(&[witness()], "12:30:00").await;
    assert_eq!((desk.missing().await.as_str(), desk.absences().await), ("", 1));
    desk.drained(&[witness()], "12:40:00").await;
    assert_eq!(desk.missing().await, "a=12:30:00");
}
