//! How many interactions of each day are stored: kept by triggers, whatever writes.

use chrono::TimeDelta;

use crate::support::{Setup, TestDatabase};

/// Days whose count is not what is stored, of all accounts.
const WRONG: &str = "select count(*) from ( \
     select account_id, (session_started_at at time zone 'UTC')::date as day, count(*) as interactions \
     from smartassist.sessions group by 1, 2 \
     ) as stored full join smartassist_sync.interactions_by_day as counted using (account_id, day) \
     where stored.interactions is distinct from counted.interactions";

#[tokio::test]
async fn the_counts_of_days_are_those_of_the_tables_whatever_writes() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(300).await;
    setup.sync(&database).await;
    let counted = "select sum(interactions)::bigint from smartassist_sync.interactions_by_day";
    assert_eq!(database.number(counted).await, 300);
    assert_eq!(database.number(WRONG).await, 0);
    for change in [
        "update smartassist.sessions set session_started_at = session_started_at + interval '30 hours' \
         where interaction_id in (select interaction_id from smartassist.sessions order by interaction_id limit 40)",
        "update smartassist.sessions set channel = 'x'",
        "delete from smartassist.sessions where session_started_at::date = '2026-01-04'",
        "insert into smartassist.sessions (account_id, interaction_id, session_id, session_started_at, content_hash, \
         first_seen_at, last_changed_at) select 'acct-other', n::text, n::text, '2020-02-29T23:59:59Z', \
         decode(repeat('00', 32), 'hex'), now(), now() from generate_series(1, 5) as n",
        "delete from smartassist.sessions where account_id = 'acct-other'",
    ] {
        database.execute(change).await;
        assert_eq!(database.number(WRONG).await, 0, "{change}");
    }
    let gone = "select count(*) from smartassist_sync.interactions_by_day where day = '2026-01-04'";
    assert_eq!(database.number(gone).await, 0, "days without any have no row");
    database.execute("truncate smartassist.sessions cascade").await;
    assert_eq!(database.number(WRONG).await, 0);
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
