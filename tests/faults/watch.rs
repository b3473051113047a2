//! An observer in the database: sees every change of an account's sync state in the very transaction
//! that makes it.

use crate::support::{Setup, TestDatabase};

const INSTALL: &str = "\
create table public.seen (
    id bigint generated always as identity primary key, account_id text, before timestamptz, after timestamptz,
    token bigint, sessions_before bigint
);
create function public.see() returns trigger language plpgsql as $$
begin
    insert into public.seen (account_id, before, after, token, sessions_before)
    select new.account_id, old.watermark, new.watermark,
           (select token from smartassist_sync.leases as lease where lease.account_id = new.account_id),
           (select count(*) from smartassist.sessions as session
            where session.account_id = new.account_id and session.session_started_at < new.watermark);
    return null;
end
$$;
create trigger see after update on smartassist_sync.accounts for each row
    when (old.watermark is distinct from new.watermark) execute function public.see();";

/// Watches the sync state from now on.
pub(super) async fn install(database: &TestDatabase) {
    database.execute(INSTALL).await;
}

/// The watermark never went back, and never passed an interaction that was not stored yet. Of
/// interactions that all were there from the beginning.
pub(super) async fn check(database: &TestDatabase) {
    let moves = database.number("select count(*) from public.seen").await;
    assert!(moves > 0, "the watermark never moved");
    let back = "select count(*) from public.seen where after < before";
    assert_eq!(database.number(back).await, 0, "the watermark went back");
    let passed = "select count(*) from public.seen where sessions_before <> (select count(*) \
                  from smartassist.sessions as session where session.account_id = seen.account_id \
                  and session.session_started_at < seen.after)";
    assert_eq!(
        database.number(passed).await,
        0,
        "the watermark passed what was not stored"
    );
}

/// The tables equal those of a load without faults.
pub(super) async fn same_as_a_fresh_load(setup: &Setup, database: &TestDatabase) {
    let fresh = TestDatabase::migrated().await;
    setup.simulator.world().clear_faults();
    let report = setup.sync(&fresh).await;
    assert_eq!(report.outcome, smartassist_etl::ledger::runs::Outcome::Succeeded);
    equal(database, &fresh).await;
}

/// The data tables of two databases are equal.
pub(super) async fn equal(database: &TestDatabase, fresh: &TestDatabase) {
    assert_eq!(database.counts().await, fresh.counts().await);
    assert_eq!(database.digest(&[]).await, fresh.digest(&[]).await);
}

/// Once somebody has written under a token, nobody has under an older one.
pub(super) async fn tokens_never_go_back(database: &TestDatabase) {
    let back = "select count(*) from (select token < max(token) over (partition by account_id order by id) as is_back \
                from smartassist_sync.windows) as line where is_back";
    assert_eq!(
        database.number(back).await,
        0,
        "something was written under an old token"
    );
}
