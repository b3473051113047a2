//! What is missing in bulk is withheld until it is confirmed; few and scattered ones are marked.

use chrono::TimeDelta;
use serde_json::Value;
use smartassist_etl::ledger::{Counters, Status};
use smartassist_etl::warehouse::bulk;

use super::desk::{ACCOUNT, Desk, Reading, at, conversation, window};

/// So many sessions of the hour from 10 o'clock.
fn sessions(count: usize) -> Vec<Value> {
    (0..count)
        .map(|place| {
            let (minute, second) = (place / 60, place % 60);
            conversation(
                &format!("c{place:03}"),
                &format!("10:{minute:02}:{second:02}"),
                Some("10:50:00"),
            )
        })
        .collect()
}

async fn withheld(desk: &Desk) -> u64 {
    bulk::withheld(&desk.database.pool, ACCOUNT).await.unwrap().0
}

/// The problem that stands, with its figures.
async fn problem(desk: &Desk) -> String {
    bulk::review(&desk.database.pool, ACCOUNT).await.unwrap();
    let problems =
        "select coalesce(string_agg(code || ': ' || detail, '; '), '') from smartassist_sync.problems";
    desk.database.text(problems).await
}

/// What a request counted, and decided at its end.
struct Read {
    counters: Counters,
    marked: u64,
    withheld: u64,
}

async fn request(desk: &Desk, reading: Reading<'_>) -> Read {
    let (counters, marked) = desk.request(&reading).await;
    let withheld = withheld(desk).await;
    Read {
        counters,
        marked,
        withheld,
    }
}

/// Reads the hour from 10 o'clock, so long after midday.
async fn read(desk: &Desk, records: &[Value], after: TimeDelta) -> Read {
    let reading = Reading {
        window: window("10:00:00", "11:00:00"),
        status: Status::Drained,
        records,
        rejected: &[],
        at: at("12:00:00") + after,
    };
    request(desk, reading).await
}

/// The source answers for another hour, in which one session began.
async fn elsewhere(desk: &Desk, after: TimeDelta) {
    let reading = Reading {
        window: window("07:00:00", "08:00:00"),
        status: Status::Drained,
        records: &[conversation("elsewhere", "07:10:00", Some("07:20:00"))],
        rejected: &[],
        at: at("12:00:00") + after,
    };
    request(desk, reading).await;
}

fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

#[tokio::test]
async fn a_few_of_many_that_vanish_are_marked_after_two_readings() {
    let desk = Desk::open().await;
    let all = sessions(300);
    read(&desk, &all, minutes(0)).await;
    let first = read(&desk, &all[5..], minutes(10)).await;
    let noted = first.counters;
    assert_eq!((noted.judged, noted.missed, first.marked), (300, 5, 0));
    let second = read(&desk, &all[5..], minutes(20)).await;
    assert_eq!((second.marked, second.withheld), (5, 0));
    assert_eq!(problem(&desk).await, "");
}

#[tokio::test]
async fn more_than_ten_and_more_than_a_tenth_are_withheld() {
    for (all, gone, is_bulk) in [(120, 12, false), (119, 12, true), (20, 10, false), (20, 11, true)] {
        let desk = Desk::open().await;
        let all = sessions(all);
        read(&desk, &all, minutes(0)).await;
        read(&desk, &all[gone..], minutes(10)).await;
        let second = read(&desk, &all[gone..], minutes(20)).await;
        let gone = gone as u64;
        let want = if is_bulk { (0, gone) } else { (gone, 0) };
        assert_eq!((second.marked, second.withheld), want, "{gone} of {}", all.len());
        assert_eq!(withheld(&desk).await, want.1);
    }
}

#[tokio::test]
async fn all_of_a_window_is_withheld_however_few_they_are() {
    let desk = Desk::open().await;
    let versions = {
        read(&desk, &sessions(8), minutes(0)).await;
        elsewhere(&desk, minutes(1)).await;
        desk.database.row_versions().await
    };
    read(&desk, &[], minutes(10)).await;
    elsewhere(&desk, minutes(11)).await;
    assert_eq!(read(&desk, &[], minutes(20)).await.withheld, 8);
    assert_eq!(read(&desk, &[], minutes(30)).await.withheld, 8, "they stay so");
    assert_eq!(desk.database.row_versions().await, versions, "nothing is written");
    assert_eq!(
        problem(&desk).await,
        "bulk_missing: 8 interactions, not returned since 2026-01-10T12:10:00Z"
    );
}

#[tokio::test]
async fn all_that_was_judged_is_withheld_window_by_window() {
    let desk = Desk::open().await;
    let hours = ["07", "08", "09"];
    let session = |hour: &str| conversation(hour, &format!("{hour}:10:00"), Some(&format!("{hour}:20:00")));
    for (minute, is_there) in [(0, true), (10, false), (20, false), (30, false)] {
        for hour in hours {
            let records = if is_there { vec![session(hour)] } else { Vec::new() };
            let reading = Reading {
                window: window(&format!("{hour}:00:00"), &format!("{hour}:59:59")),
                status: Status::Drained,
                records: &records,
                rejected: &[],
                at: at("12:00:00") + minutes(minute),
            };
            assert_eq!(request(&desk, reading).await.marked, 0);
        }
    }
    assert_eq!(withheld(&desk).await, 3);
}

#[tokio::test]
async fn a_source_that_answers_nothing_at_all_marks_not_even_one() {
    let desk = Desk::open().await;
    read(&desk, &sessions(1), minutes(0)).await;
    for minute in [10, 20, 30] {
        let empty = read(&desk, &[], minutes(minute)).await;
        assert_eq!((empty.marked, empty.withheld), (0, 0));
    }
    elsewhere(&desk, minutes(40)).await;
    assert_eq!(desk.missing().await, "c000=12:10:00");
}

#[tokio::test]
async fn what_is_returned_again_leaves_no_trace() {
    let desk = Desk::open().await;
    let all = sessions(40);
    read(&desk, &all, minutes(0)).await;
    let versions = desk.database.row_versions().await;
    read(&desk, &[], minutes(10)).await;
    read(&desk, &[], minutes(20)).await;
    assert_eq!(withheld(&desk).await, 40);
    let back = read(&desk, &all, minutes(30)).await;
    assert_eq!((back.counters.unchanged, desk.absences().await), (40, 0));
    assert_eq!(problem(&desk).await, "");
    assert_eq!(desk.database.row_versions().await, versions);
}

#[tokio::test]
async fn confirming_marks_withheld_absences_and_those_noted_before() {
    let desk = Desk::open().await;
    let all = sessions(40);
    read(&desk, &all, minutes(0)).await;
    // Ten are noted twice, the others once.
    read(&desk, &all[10..], minutes(10)).await;
    read(&desk, &[], minutes(20)).await;
    assert_eq!(withheld(&desk).await, 10);
    let mut marked = 0;
    bulk::confirm(
        &desk.database.pool,
        (ACCOUNT, "main"),
        at("12:25:00"),
        &mut marked,
    )
    .await
    .unwrap();
    assert_eq!((marked, problem(&desk).await.as_str()), (10, ""));
    let missing = "select count(*) from smartassist.sessions where missing_since = '2026-01-10T12:10:00Z' \
                   and last_changed_at = '2026-01-10T12:25:00Z'";
    assert_eq!(desk.database.number(missing).await, 10);
    let rest = read(&desk, &[], minutes(30)).await;
    assert_eq!((rest.marked, rest.withheld), (30, 0));
    let back = read(&desk, &all, minutes(40)).await;
    assert_eq!((back.counters.updated, desk.missing().await.as_str()), (40, ""));
}

#[tokio::test]
async fn what_lasts_is_marked_where_the_source_answers_meanwhile() {
    let desk = Desk::open().await;
    let all = sessions(40);
    read(&desk, &all, minutes(0)).await;
    read(&desk, &all[20..], minutes(10)).await;
    read(&desk, &all[20..], minutes(20)).await;
    assert_eq!(withheld(&desk).await, 20);
    elsewhere(&desk, TimeDelta::hours(4)).await;
    let early = read(&desk, &all[20..], TimeDelta::hours(24)).await;
    assert_eq!(
        (early.marked, early.withheld),
        (0, 20),
        "twenty minutes less than a day"
    );
    let late = read(&desk, &all[20..], TimeDelta::hours(24) + minutes(20)).await;
    assert_eq!((late.marked, late.withheld), (20, 0));
    assert_eq!(problem(&desk).await, "");
}

#[tokio::test]
async fn an_outage_of_days_confirms_nothing_when_it_ends() {
    let desk = Desk::open().await;
    let all = sessions(40);
    read(&desk, &all, minutes(0)).await;
    for hour in 1..70 {
        let empty = read(&desk, &[], TimeDelta::hours(hour)).await;
        assert_eq!(empty.marked, 0, "{hour}");
    }
    // The source is back, and has not all of it yet.
    elsewhere(&desk, TimeDelta::hours(70)).await;
    let half = read(&desk, &all[20..], TimeDelta::hours(70) + minutes(5)).await;
    assert_eq!((half.marked, half.withheld), (0, 20));
    let all_back = read(&desk, &all, TimeDelta::hours(71)).await;
    assert_eq!((all_back.counters.unchanged, desk.absences().await), (40, 0));
}

#[tokio::test]
async fn many_do_not_go_one_by_one() {
    let desk = Desk::open().await;
    let all = sessions(60);
    read(&desk, &all, minutes(0)).await;
    let mut missing = 0;
    for step in 1..30_usize {
        let gone = (step * 2).min(58);
        missing += read(&desk, &all[gone..], minutes(i64::try_from(step).unwrap() * 10))
            .await
            .marked;
    }
    assert!((4..=12).contains(&missing), "{missing}");
    assert!(withheld(&desk).await > 40);
}

#[tokio::test]
async fn superseded_bot_sessions_are_no_bulk() {
    let desk = Desk::open().await;
    let bots: Vec<Value> = (0..30)
        .map(|place| {
            serde_json::json!({"sessionId": format!("s-c{place:03}"),
                "sessionStartTime": format!("2026-01-10T10:00:{place:02}"), "sessionEndTime": "2026-01-10T10:30:00"})
        })
        .collect();
    read(&desk, &bots, minutes(0)).await;
    let grown = read(&desk, &sessions(30), minutes(10)).await;
    let counters = grown.counters;
    assert_eq!((counters.missing, counters.missed, grown.withheld), (30, 0, 0));
}

#[tokio::test]
async fn what_an_interrupted_run_left_is_decided_a_day_later() {
    let desk = Desk::open().await;
    let all = sessions(5);
    read(&desk, &all, minutes(0)).await;
    for minute in [10, 20] {
        let reading = Reading {
            window: window("10:00:00", "11:00:00"),
            status: Status::Drained,
            records: &all[2..],
            rejected: &[],
            at: at("12:00:00") + minutes(minute),
        };
        desk.store(desk.run_id, &reading, reading.at).await.unwrap();
    }
    let gap = Reading {
        window: window("07:00:00", "08:00:00"),
        status: Status::Gap,
        records: &[],
        rejected: &[],
        at: at("12:00:00") + TimeDelta::hours(25),
    };
    let decided = request(&desk, gap).await;
    assert_eq!((decided.marked, decided.withheld), (0, 2));
}
