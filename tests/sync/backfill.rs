//! A past range that was asked for: before the start, again, and on from where it was stopped.

use crate::support::Job;
use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::Seed;

use crate::support::instant;

use super::past::{Past, window};

const DAY: i64 = 86_400;

fn backfill(start: &str, end: &str, refetch: bool) -> Job {
    Job::Backfill {
        range: window(start, end),
        refetch,
    }
}

/// December, before the start; the account is loaded from January on.
fn december(refetch: bool) -> Job {
    backfill("2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z", refetch)
}

/// An account with so many interactions in January, which are loaded, and in December.
async fn with_december(january: usize, december: usize) -> Past {
    let past = Past::of(january).await;
    let (from, to) = (instant("2025-12-01T00:00:00Z"), instant("2025-12-31T00:00:00Z"));
    let seed = Seed::new(8, from, to, december);
    past.setup.simulator.world().seed(&seed);
    past
}

const LEDGER: &str =
    "select concat_ws(' ', start_from, watermark, lower(coverage)) from smartassist_sync.accounts";

#[tokio::test]
async fn a_backfill_before_start_from_keeps_start_and_watermark() {
    let past = with_december(100, 200).await;
    let report = past.run(&december(false)).await;
    assert_eq!(
        (report.outcome, report.counters.inserted),
        (Outcome::Succeeded, 200)
    );
    assert_eq!(
        past.database.text(LEDGER).await,
        "2026-01-01 00:00:00+00 2026-01-15 11:58:00+00 2025-12-01 00:00:00+00"
    );
    assert_eq!(report.watermark, Some(instant("2026-01-15T11:58:00Z")));
    past.requests();
    let again = past.run(&december(false)).await;
    assert_eq!((again.outcome, past.requests()), (Outcome::Succeeded, 0));
    assert_eq!(past.database.counts().await[0], 300);
}

#[tokio::test]
async fn a_backfill_that_is_stopped_reads_only_the_rest_the_next_time() {
    for refetch in [false, true] {
        let past = with_december(100, 4_000).await;
        let stopped = past.run_until_request(&december(refetch), 35).await;
        assert_eq!(stopped.outcome, Outcome::Interrupted);
        assert!(stopped.counters.inserted > 500, "{refetch}");
        past.setup.pass(TimeDelta::hours(2));
        let rest = past.run(&december(refetch)).await;
        assert_eq!(rest.outcome, Outcome::Succeeded);
        assert_eq!(stopped.counters.inserted + rest.counters.inserted, 4_000);
        assert_eq!(
            past.seconds_read("backfill").await,
            (31 * DAY, 0),
            "refetch: {refetch}"
        );
    }
}

#[tokio::test]
async fn an_interrupted_refetch_resumes_and_a_new_one_starts_over() {
    let past = with_december(100, 4_000).await;
    past.run(&december(false)).await;
    past.setup.pass(TimeDelta::hours(1));
    past.requests();
    past.database
        .execute("update smartassist_sync.windows set purpose = 'new'")
        .await;
    let versions = past.database.row_versions().await;
    let stopped = past.run_until_request(&december(true), 35).await;
    assert_eq!(stopped.outcome, Outcome::Interrupted);
    past.setup.pass(TimeDelta::hours(1));
    let rest = past.run(&december(true)).await;
    assert_eq!(rest.outcome, Outcome::Succeeded);
    assert_eq!(past.seconds_read("backfill").await, (31 * DAY, 0));
    let since = "select count(*) from smartassist_sync.requests where isfinite(since)";
    assert_eq!(past.database.number(since).await, 1, "one attempt");

    past.setup.pass(TimeDelta::hours(1));
    let anew = past.run(&december(true)).await;
    assert!(anew.counters.unchanged >= 4_000);
    assert_eq!(past.seconds_read("backfill").await.0, 62 * DAY);
    let written = [stopped, rest, anew].map(|report| report.counters.inserted + report.counters.updated);
    assert_eq!(written, [0; 3]);
    assert_eq!(past.database.row_versions().await, versions);
}

#[tokio::test]
async fn a_refetch_of_a_partly_covered_range_reads_all_of_it_once() {
    let past = with_december(1_000, 500).await;
    past.setup.pass(TimeDelta::hours(1));
    let report = past
        .run(&backfill("2025-12-20T00:00:00Z", "2026-01-05T00:00:00Z", true))
        .await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(past.seconds_read("backfill").await, (16 * DAY, 0));
    assert_eq!(report.counters.updated, 0);
    let (new, known) = {
        let world = past.setup.simulator.world();
        let between = |from: &str, to: &str| {
            let range = instant(from)..instant(to);
            world
                .interactions()
                .filter(|one| range.contains(&one.start))
                .count() as u64
        };
        (
            between("2025-12-20T00:00:00Z", "2026-01-01T00:00:00Z"),
            between("2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z"),
        )
    };
    assert_eq!(report.counters.inserted, new);
    assert!(report.counters.unchanged >= known);
}

#[tokio::test]
async fn a_range_that_reaches_into_what_has_just_begun_ends_before_it() {
    let past = Past::of(100).await;
    past.setup.pass(TimeDelta::hours(1));
    let report = past
        .run(&backfill("2026-01-10T00:00:00Z", "2026-02-01T00:00:00Z", false))
        .await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    let end = "select upper(coverage)::text from smartassist_sync.accounts";
    assert_eq!(past.database.text(end).await, "2026-01-15 12:58:00+00");
}
