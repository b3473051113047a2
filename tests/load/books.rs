//! Runs, what is asked of a lease's holder, what is known of the API, what others spent.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::ledger::runs::{self, Finished, Kind, Outcome, unfinished_since};
use smartassist_etl::ledger::{Counters, LoadError, Status, accounts, leases, spent_by_others, status};

use super::desk::{ACCOUNT, Desk, at, open_run, window};

const LASTS: Duration = Duration::from_secs(60);

async fn finish(desk: &Desk, run_id: i64, outcome: Outcome) {
    let finished = Finished {
        run_id,
        outcome,
        tried_all: false,
        counters: Counters {
            missing: 3,
            ..Counters::default()
        },
        watermark: at("10:00:00"),
        at: at("23:00:00"),
        problem: None,
        api_clock_ahead: None,
        time_zone_disagreement_minutes: None,
    };
    runs::finish(&desk.database.pool, &finished).await.unwrap();
}

#[tokio::test]
async fn opening_a_run_closes_those_of_other_leases_only() {
    let mut desk = Desk::open().await;
    let first = desk.run_id;
    let range = Some(window("10:00:00", "11:00:00"));
    let refresh = open_run(&desk.database, &desk.lease, Kind::Refresh, range, at("12:00:00")).await;
    let running = "select count(*) from smartassist_sync.runs where status = 'running'";
    assert_eq!(desk.database.number(running).await, 2, "one worker may do both");
    finish(&desk, refresh, Outcome::Succeeded).await;
    let booked = "select kind || ' ' || missing || ' ' || (range = '[2026-01-10 10:00Z,2026-01-10 11:00Z)') || ' ' || \
                  (read_since = '2026-01-10T12:00:00Z') from smartassist_sync.runs where id = ";
    let booked = desk.database.text(&format!("{booked}{refresh}")).await;
    assert_eq!(booked, "refresh 3 true true");

    desk.lease.release(&desk.database.pool).await.unwrap();
    let lease = leases::acquire(&desk.database.pool, ACCOUNT, "next", LASTS).await;
    desk.lease = lease.unwrap().unwrap();
    open_run(&desk.database, &desk.lease, Kind::Poll, None, at("13:00:00")).await;
    let status = format!("select status from smartassist_sync.runs where id = {first}");
    assert_eq!(desk.database.text(&status).await, "interrupted");
}

#[tokio::test]
async fn an_unfinished_run_over_the_same_stretch_can_be_gone_on_with() {
    let mut desk = Desk::open().await;
    let range = window("10:00:00", "11:00:00");
    let pool = desk.database.pool.clone();
    let since = async |kind, range| unfinished_since(&pool, ACCOUNT, kind, range).await.unwrap();
    assert_eq!(since(Kind::Backfill, range).await, None);

    desk.run_id = open_run(
        &desk.database,
        &desk.lease,
        Kind::Backfill,
        Some(range),
        at("12:00:00"),
    )
    .await;
    assert_eq!(since(Kind::Backfill, range).await, None, "nothing was read by it");
    desk.empty(Status::Drained, window("10:00:00", "10:30:00"), at("12:00:00"))
        .await;
    finish(&desk, desk.run_id, Outcome::Interrupted).await;
    assert_eq!(since(Kind::Backfill, range).await, Some(at("12:00:00")));
    assert_eq!(since(Kind::Verify, range).await, None, "another kind");
    assert_eq!(since(Kind::Backfill, window("10:00:00", "11:00:01")).await, None);

    desk.database
        .execute("update smartassist_sync.windows set finished_at = finished_at - interval '8 days'")
        .await;
    assert_eq!(since(Kind::Backfill, range).await, None, "too old");
    desk.database
        .execute("update smartassist_sync.windows set finished_at = clock_timestamp()")
        .await;
    let next = open_run(
        &desk.database,
        &desk.lease,
        Kind::Backfill,
        Some(range),
        at("13:00:00"),
    )
    .await;
    finish(&desk, next, Outcome::Succeeded).await;
    assert_eq!(since(Kind::Backfill, range).await, None, "done");
}

#[tokio::test]
async fn an_attempt_that_was_resumed_and_stopped_at_once_can_still_be_gone_on_with() {
    let mut desk = Desk::open().await;
    let range = window("10:00:00", "11:00:00");
    desk.run_id = open_run(
        &desk.database,
        &desk.lease,
        Kind::Backfill,
        Some(range),
        at("12:00:00"),
    )
    .await;
    desk.empty(Status::Drained, window("10:00:00", "10:30:00"), at("12:00:00"))
        .await;
    open_run(
        &desk.database,
        &desk.lease,
        Kind::Backfill,
        Some(range),
        at("13:00:00"),
    )
    .await;
    desk.database
        .execute(
            "update smartassist_sync.runs set read_since = '2026-01-10T12:00:00Z' where range is not null",
        )
        .await;
    let since = unfinished_since(&desk.database.pool, ACCOUNT, Kind::Backfill, range).await;
    assert_eq!(since.unwrap(), Some(at("12:00:00")));
}

#[tokio::test]
async fn a_lease_is_awaited_once_somebody_asks_until_another_has_it() {
    let desk = Desk::open().await;
    let pool = &desk.database.pool;
    assert!(!desk.lease.is_awaited(pool).await.unwrap());
    assert!(
        !leases::ask_for(pool, ACCOUNT).await.unwrap(),
        "not a run that gives way"
    );
    assert!(!desk.lease.is_awaited(pool).await.unwrap());
    open_run(&desk.database, &desk.lease, Kind::Backfill, None, at("12:00:00")).await;
    assert!(leases::ask_for(pool, ACCOUNT).await.unwrap());
    assert!(!leases::ask_for(pool, "nobody has this one").await.unwrap());
    assert!(desk.lease.is_awaited(pool).await.unwrap());
    desk.lease.renew(pool, LASTS).await.unwrap();
    assert!(
        desk.lease.is_awaited(pool).await.unwrap(),
        "a heartbeat is no answer"
    );
    desk.lease.release(pool).await.unwrap();
    let next = leases::acquire(pool, ACCOUNT, "next", LASTS)
        .await
        .unwrap()
        .unwrap();
    assert!(!next.is_awaited(pool).await.unwrap());
    let asked = "select count(awaited_at) from smartassist_sync.leases";
    assert_eq!(desk.database.number(asked).await, 0);
    assert!(matches!(
        desk.lease.is_awaited(pool).await,
        Err(LoadError::LeaseLost)
    ));
}

#[tokio::test]
async fn traits_are_remembered_by_who_holds_the_lease() {
    let desk = Desk::open().await;
    let pool = &desk.database.pool;
    assert_eq!(accounts::traits(pool, "unknown").await.unwrap(), json!({}));
    assert_eq!(accounts::traits(pool, ACCOUNT).await.unwrap(), json!({}));
    let traits = json!({"totals": true, "order": "newest first"});
    accounts::remember_traits(pool, &desk.lease, &traits)
        .await
        .unwrap();
    assert_eq!(accounts::traits(pool, ACCOUNT).await.unwrap(), traits);
    open_run(&desk.database, &desk.lease, Kind::Poll, None, at("13:00:00")).await;
    assert_eq!(
        accounts::traits(pool, ACCOUNT).await.unwrap(),
        traits,
        "a run keeps them"
    );

    desk.lease.release(pool).await.unwrap();
    let late = accounts::remember_traits(pool, &desk.lease, &json!({})).await;
    assert!(matches!(late, Err(LoadError::LeaseLost)));
    assert_eq!(accounts::traits(pool, ACCOUNT).await.unwrap(), traits);
}

#[tokio::test]
async fn what_others_spent_is_asked_for_the_time_that_matters() {
    let desk = Desk::open().await;
    desk.empty(Status::Drained, window("10:00:00", "11:00:00"), at("12:00:00"))
        .await;
    let ago = TimeDelta::minutes(5).num_seconds();
    desk.database
        .execute(&format!(
            "update smartassist_sync.windows set requests = 7, finished_at = clock_timestamp() - interval '{ago} s'"
        ))
        .await;
    let spent = async |holder, seconds| {
        let since = Duration::from_secs(seconds);
        spent_by_others(&desk.database.pool, ACCOUNT, holder, since)
            .await
            .unwrap()
    };
    assert_eq!(spent("another", 600).await[0].0, 7);
    assert!(spent("another", 60).await.is_empty());
    assert!(spent("desk", 600).await.is_empty(), "its own it knows");
    desk.database
        .execute("update smartassist_sync.windows set finished_at = clock_timestamp() - interval '61 min'")
        .await;
    assert!(spent("another", 36_000).await.is_empty(), "an hour at most");
}

#[tokio::test]
async fn status_counts_open_gaps() {
    let desk = Desk::open().await;
    desk.empty(Status::Gap, window("10:00:00", "10:00:01"), at("12:00:00"))
        .await;
    let accounts = status::accounts(&desk.database.pool).await.unwrap();
    assert_eq!(accounts[0].gaps, 1);
    assert!(accounts[0].next_gap_try_at.is_some());
}

#[tokio::test]
async fn the_newest_poll_and_each_tiers_newest_refresh_are_judged_whatever_has_ended_since() {
    let desk = Desk::open().await;
    // A nightly poll and a large refresh that failed, and a night of small refreshes that went well.
    desk.database
        .execute(
            "update smartassist_sync.runs set status = 'interrupted', finished_at = now(); \
             insert into smartassist_sync.runs (account_id, kind, status, policy, started_at, finished_at, range, error, remedy, holder, token) \
             select 'acct-sim', kind, status, policy, now() - ago, now() - ago, \
                    case when policy is not null then tstzrange(now() - ago - interval '1 hour', now() - ago) end, \
                    case when status = 'failed' then 'it broke' end, case when status = 'failed' then 'mend it' end, 'desk', 1 \
             from (values ('poll', 'succeeded', interval '34 hours', null), ('poll', 'failed', '10 hours', null), \
                          ('poll', 'interrupted', '9 hours', null), \
                          ('refresh', 'succeeded', '20 hours', 'large'), ('refresh', 'failed', '9 hours', 'small'), ('refresh', 'failed', '8 hours', 'large'), \
                          ('refresh', 'interrupted', '7 hours', 'large'), \
                          ('refresh', 'failed', '2 days', 'former')) as ended (kind, status, ago, policy) \
             union all select 'acct-sim', 'refresh', 'succeeded', 'small', now() - quarter * interval '15 minutes', \
                    now() - quarter * interval '15 minutes', tstzrange(now() - quarter * interval '15 minutes' - interval '2 hours', \
                    now() - quarter * interval '15 minutes'), null, null, 'desk', 1 \
             from generate_series(1, 30) as quarter",
        )
        .await;
    let accounts = status::accounts(&desk.database.pool).await.unwrap();
    let listed = accounts[0].runs.iter().map(|run| run.kind.as_str());
    assert_eq!(listed.collect::<Vec<_>>(), ["refresh"; 8]);
    assert!(accounts[0].newest_poll.as_ref().unwrap().is_failed());
    let failed: Vec<_> = accounts[0]
        .failed_refreshes
        .iter()
        .map(|run| (run.policy.as_deref(), run.error.as_deref(), run.remedy.as_deref()))
        .collect();
    let large = (Some("large"), Some("it broke"), Some("mend it"));
    assert_eq!(
        failed,
        [large],
        "the small one went well since, and the former one is not configured any more"
    );

    // One poll of a clock that was a day ahead, and a good one since.
    desk.database
        .execute(
            "insert into smartassist_sync.runs (account_id, kind, status, started_at, finished_at, holder, token) \
             values ('acct-sim', 'poll', 'failed', now() + interval '1 day', now() + interval '1 day', 'desk', 1), \
                    ('acct-sim', 'poll', 'succeeded', now(), now(), 'desk', 1)",
        )
        .await;
    let accounts = status::accounts(&desk.database.pool).await.unwrap();
    assert!(!accounts[0].newest_poll.as_ref().unwrap().is_failed());
    // And one whose clock is ahead all the time.
    desk.database
        .execute(
            "insert into smartassist_sync.runs (account_id, kind, status, started_at, finished_at, holder, token) \
             values ('acct-sim', 'poll', 'failed', now() + interval '2 days', now() + interval '2 days', 'desk', 1)",
        )
        .await;
    let accounts = status::accounts(&desk.database.pool).await.unwrap();
    assert!(accounts[0].newest_poll.as_ref().unwrap().is_failed());
}
