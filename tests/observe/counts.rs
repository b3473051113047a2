//! How many interactions of each day are stored: counted by whoever writes them, and recounted.

use chrono::{DateTime, TimeDelta};
use smartassist_etl::warehouse::days;

use crate::support::{Setup, TestDatabase};

/// Days whose count is not what is stored, of all accounts.
const WRONG: &str = "select count(*) from ( \
     select account_id, (session_started_at at time zone 'UTC')::date as day, count(*) as interactions \
     from smartassist.sessions group by 1, 2 \
     ) as stored full join smartassist_sync.interactions_by_day as counted using (account_id, day) \
     where stored.interactions is distinct from counted.interactions";

#[tokio::test]
async fn the_counts_of_days_are_those_of_the_tables() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup.sync(&database).await;
    let counted = "select sum(interactions)::bigint from smartassist_sync.interactions_by_day";
    assert_eq!(database.number(counted).await, 300);
    assert_eq!(database.number(WRONG).await, 0);
}

#[tokio::test]
async fn what_others_write_and_delete_is_found_by_a_recount() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup.sync(&database).await;
    for (change, days) in [
        ("update smartassist.sessions set channel = 'x'", 0),
        (
            "delete from smartassist.sessions where session_started_at::date = \
             (select min(session_started_at)::date from smartassist.sessions)",
            1,
        ),
        (
            "insert into smartassist.sessions (interaction_key, account_id, session_id, session_started_at, content_hash, \
             first_seen_at, last_changed_at) select gen_random_uuid(), 'acct-sim', n::text, '2020-02-29T23:59:59Z', '', now(), now() \
             from generate_series(1, 5) as n",
            1,
        ),
        (
            "update smartassist_sync.interactions_by_day set interactions = interactions + 1 where day = '2020-02-29'",
            1,
        ),
    ] {
        database.execute(change).await;
        assert_eq!(recount(&database).await, days, "{change}");
        assert_eq!(database.number(WRONG).await, 0, "{change}");
    }
    database.execute("truncate smartassist.sessions cascade").await;
    assert!(recount(&database).await > 1);
    assert_eq!(database.number(WRONG).await, 0);
    let gone = "select count(*) from smartassist_sync.interactions_by_day";
    assert_eq!(database.number(gone).await, 0, "days without any have no row");
}

/// Of all weeks, an hour after the other; gives how many days differed.
async fn recount(database: &TestDatabase) -> u64 {
    // From 2020-02 to 2026-01.
    let hours = (0..312).map(|hour| DateTime::UNIX_EPOCH + TimeDelta::hours(hour));
    let mut days = 0;
    for now in hours {
        days += days::recount_week(&database.pool, "acct-sim", now).await.unwrap();
    }
    days
}

#[tokio::test]
async fn a_week_is_recounted_each_hour() {
    let database = TestDatabase::migrated().await;
    let count = "insert into smartassist_sync.interactions_by_day (account_id, day, interactions) \
                 select 'acct-sim', '2025-11-15'::date + 7 * n, 1 from generate_series(0, 2) as n";
    database.execute(count).await;
    let left = "select coalesce(string_agg(to_char(day, 'DD'), ' ' order by day), '') from smartassist_sync.interactions_by_day";
    for (hour, days) in [(301, "15 29"), (302, "15"), (303, "")] {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        days::recount_week(&database.pool, "acct-sim", now).await.unwrap();
        assert_eq!(database.text(left).await, days);
    }
}

#[tokio::test]
async fn reading_the_same_again_leaves_the_counts_alone() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::with_interactions(60).await;
    setup.sync(&database).await;
    let versions = "select string_agg(xmin::text || ctid::text, ' ' order by day) from smartassist_sync.interactions_by_day";
    let before = database.text(versions).await;
    setup.pass(TimeDelta::hours(1));
    // Another filter: everything is read again.
    setup.set("selected_fields", "skills");
    setup.sync(&database).await;
    assert_eq!(database.number(WRONG).await, 0);
    assert_eq!(database.text(versions).await, before);
}
