//! Runs, what is asked of a lease's holder, what is known of the API, what others spent.

use std::time::Duration;

use serde_json::json;
use smartassist_etl::ledger::runs::{self, Finished, Kind, Outcome};
use smartassist_etl::ledger::status::RequestStatus;
use smartassist_etl::ledger::{Counters, LoadError, Status, accounts, leases, status};

use super::desk::{ACCOUNT, Desk, at, open_run, window};

const LASTS: Duration = Duration::from_secs(60);

async fn finish(desk: &Desk, run_id: i64, outcome: Outcome) {
    let finished = Finished {
        run_id,
        outcome,
        counters: Counters {
            missing: 3,
            ..Counters::default()
        },
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
    let refresh = open_run(&desk.database, &desk.lease, Kind::Refresh, at("12:00:00")).await;
    let running = "select count(*) from smartassist_sync.runs where status = 'running'";
    assert_eq!(desk.database.number(running).await, 2, "one worker may do both");
    finish(&desk, refresh, Outcome::Succeeded).await;
    let booked = "select kind || ' ' || missing from smartassist_sync.runs where id = ";
    let booked = desk.database.text(&format!("{booked}{refresh}")).await;
    assert_eq!(booked, "refresh 3");

    desk.lease.release(&desk.database.pool, &[]).await.unwrap();
    let lease = leases::acquire(&desk.database.pool, ACCOUNT, "next", LASTS).await;
    desk.lease = lease.unwrap().unwrap().lease;
    open_run(&desk.database, &desk.lease, Kind::Poll, at("13:00:00")).await;
    let status = format!("select status from smartassist_sync.runs where id = {first}");
    assert_eq!(desk.database.text(&status).await, "interrupted");
}

#[tokio::test]
async fn renewing_a_lease_tells_whether_a_daemon_waits_for_it() {
    let desk = Desk::open().await;
    let pool = &desk.database.pool;
    assert!(!desk.lease.renew(pool, LASTS, &[]).await.unwrap());
    leases::ask_for(pool, "nobody has this one").await.unwrap();
    assert!(!desk.lease.renew(pool, LASTS, &[]).await.unwrap());
    leases::ask_for(pool, ACCOUNT).await.unwrap();
    for _ in 0..2 {
        assert!(desk.lease.renew(pool, LASTS, &[]).await.unwrap());
    }
    desk.lease.release(pool, &[]).await.unwrap();
    let next = leases::acquire(pool, ACCOUNT, "next", LASTS).await;
    let next = next.unwrap().unwrap().lease;
    assert!(!next.renew(pool, LASTS, &[]).await.unwrap());
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
    open_run(&desk.database, &desk.lease, Kind::Poll, at("13:00:00")).await;
    assert_eq!(
        accounts::traits(pool, ACCOUNT).await.unwrap(),
        traits,
        "a run keeps them"
    );

    desk.lease.release(pool, &[]).await.unwrap();
    let late = accounts::remember_traits(pool, &desk.lease, &json!({})).await;
    assert!(matches!(late, Err(LoadError::LeaseLost)));
    assert_eq!(accounts::traits(pool, ACCOUNT).await.unwrap(), traits);
}

/// A drained window of each proof, an hour each from 01:00 on, with as many records, under nothing known but totals.
async fn drained(desk: &Desk, windows: &[(&str, i64)]) {
    for (hour, (proof, records)) in (1..).zip(windows) {
        let insert = format!(
            "with one as (select tstzrange('2026-01-10 {hour}:00Z', '2026-01-10 {}:00Z') as range), \
             written as (insert into smartassist_sync.windows \
                (account_id, run_id, token, purpose, status, range, proof, profile, distinct_records) \
             select '{ACCOUNT}', {}, 1, 'new', 'drained', range, '{proof}', '{{\"num_results\": \"total\"}}', {records} from one) \
             update smartassist_sync.accounts set coverage = coverage + tstzmultirange(one.range) from one",
            hour + 1,
            desk.run_id
        );
        desk.database.execute(&insert).await;
    }
}

#[tokio::test]
async fn a_contradiction_withdraws_what_rested_on_the_belief() {
    let windows = [
        ("short_page", 50),
        ("short_page", 49),
        ("total_and_short_page", 50),
        ("empty_page", 0),
        ("empty_page", 300),
        ("empty_page", 200),
        ("total", 400),
        ("parts", 50),
    ];
    for (traits, hours) in [
        (json!({"page_size": 50, "num_results": "total"}), "1"),
        (json!({"refused_page": 3, "num_results": "total"}), "5"),
        (json!({"num_results": "page"}), "7"),
        (json!({"num_results": "total", "deepest_page": 4}), ""),
    ] {
        let desk = Desk::open().await;
        let pool = &desk.database.pool;
        accounts::remember_traits(pool, &desk.lease, &json!({"num_results": "total"}))
            .await
            .unwrap();
        drained(&desk, &windows).await;
        // Folded or not.
        runs::prune_some(pool, ACCOUNT).await.unwrap();
        let remembered = accounts::remember_traits(pool, &desk.lease, &traits)
            .await
            .unwrap();
        assert_eq!(remembered.withdrawn, i64::from(!hours.is_empty()), "{traits}");
        let gone = "select coalesce(string_agg(extract(hour from lower(fetched.range) at time zone 'UTC')::text, ','), '') \
                    from smartassist_sync.windows as fetched join smartassist_sync.accounts as account using (account_id) \
                    where fetched.status = 'split' and not account.coverage && fetched.range \
                    and not smartassist_sync.drained(account_id) && fetched.range";
        assert_eq!(desk.database.text(gone).await, hours, "{traits}");
        let again = accounts::remember_traits(pool, &desk.lease, &traits)
            .await
            .unwrap();
        assert_eq!(again.withdrawn, 0, "{traits}");
        accounts::check(pool, ACCOUNT).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_last_holder_spent_comes_with_the_lease() {
    let desk = Desk::open().await;
    let pool = &desk.database.pool;
    desk.lease.release(pool, &[3, 0, 7]).await.unwrap();
    let own = leases::acquire(pool, ACCOUNT, "desk", LASTS)
        .await
        .unwrap()
        .unwrap();
    assert!(own.spent.is_empty(), "its own it knows");
    own.lease.release(pool, &[3, 0, 7]).await.unwrap();
    let aged = "update smartassist_sync.leases set spent_at = spent_at - interval '10 s'";
    desk.database.execute(aged).await;
    let other = leases::acquire(pool, ACCOUNT, "another", LASTS)
        .await
        .unwrap()
        .unwrap();
    let spent = other
        .spent
        .iter()
        .map(|(requests, ago)| (*requests, ago.as_secs()));
    assert_eq!(spent.collect::<Vec<_>>(), [(3, 10), (7, 130)]);
    assert_eq!(leases::spent(pool, ACCOUNT).await.unwrap().len(), 2);
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

/// Policy and error of those that failed.
async fn failed_refreshes(desk: &Desk) -> Vec<String> {
    let accounts = status::accounts(&desk.database.pool).await.unwrap();
    let failed = accounts[0]
        .requests
        .iter()
        .filter_map(RequestStatus::failed_policy);
    failed
        .map(|(policy, problem)| format!("{policy}: {} {}", problem.text, problem.remedy))
        .collect()
}

#[tokio::test]
async fn of_each_policy_the_newest_request_that_ended_is_judged() {
    let desk = Desk::open().await;
    let ask = "insert into smartassist_sync.requests \
             (account_id, purpose, policy, range, remaining, state, done_at, error_code, error, remedy) \
         select 'acct-sim', 'refresh', policy, range, '{}', state, case when state <> 'open' then now() - ago end, \
                case when state = 'partial' then 'gap' end, case when state = 'partial' then 'it broke' end, \
                case when state = 'partial' then 'mend it' end \
         from (values ('large', 'done', interval '20 hours'), ('small', 'partial', '9 hours'), ('large', 'partial', '8 hours'), \
                      ('small', 'done', '7 hours'), ('large', 'cancelled', '6 hours'), ('former', 'partial', '2 days'), \
                      ('open', 'partial', '3 hours'), ('open', 'open', '0')) as ended (policy, state, ago), \
              tstzmultirange(tstzrange('2026-01-01', '2026-01-02')) as range";
    desk.database.execute(ask).await;
    assert_eq!(
        failed_refreshes(&desk).await,
        ["large: it broke mend it", "open: it broke mend it"]
    );
    // What is open is not at its end, and how its newest run ended is told.
    let run = |status: &str, error: &str| {
        format!(
            "insert into smartassist_sync.runs (account_id, kind, status, policy, request_id, finished_at, error, remedy, holder, token) \
             select 'acct-sim', 'refresh', '{status}', policy, id, now(), {error}, {error}, 'desk', 1 \
             from smartassist_sync.requests where state = 'open'"
        )
    };
    let healed = "update smartassist_sync.requests set state = 'done', error_code = null, error = null where state = 'partial'";
    desk.database.execute(healed).await;
    desk.database.execute(&run("failed", "'it is down'")).await;
    assert_eq!(failed_refreshes(&desk).await, ["open: it is down it is down"]);
    desk.database.execute(&run("interrupted", "null")).await;
    assert_eq!(failed_refreshes(&desk).await.len(), 1);
    desk.database.execute(&run("succeeded", "null")).await;
    assert_eq!(failed_refreshes(&desk).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_newest_poll_is_judged_whatever_has_ended_since() {
    let desk = Desk::open().await;
    desk.database
        .execute(
            "update smartassist_sync.runs set status = 'interrupted', finished_at = now(); \
             insert into smartassist_sync.runs (account_id, kind, status, policy, started_at, finished_at, holder, token) \
             select 'acct-sim', kind, status, policy, now() - ago, now() - ago, 'desk', 1 \
             from (values ('poll', 'succeeded', interval '34 hours', null), ('poll', 'failed', '10 hours', null), \
                          ('poll', 'interrupted', '9 hours', null)) as ended (kind, status, ago, policy) \
             union all select 'acct-sim', 'refresh', 'succeeded', 'small', now() - quarter * interval '15 minutes', \
                    now() - quarter * interval '15 minutes', 'desk', 1 \
             from generate_series(1, 30) as quarter",
        )
        .await;
    let accounts = status::accounts(&desk.database.pool).await.unwrap();
    let listed = accounts[0].runs.iter().map(|run| run.kind.as_str());
    assert_eq!(listed.collect::<Vec<_>>(), ["refresh"; 8]);
    assert!(accounts[0].newest_poll.as_ref().unwrap().is_failed());

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
