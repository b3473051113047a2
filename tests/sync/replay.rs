//! Rebuilding rows from raw records.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::ledger::{Counters, LoadError};
use smartassist_etl::sync::{AccountContext, Replayed};
use smartassist_etl::time::Clock;
use smartassist_etl::transform::privacy::{Class, Policy, PrivacyKey, Rule};
use smartassist_etl::transform::{Origin, RecordText, transform_stored};
use smartassist_etl::warehouse::replay::{self, Rebuilt, Rewritten};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::retry_rejected::reject;
use crate::support::{Setup, TestDatabase, instant};

pub(super) const COUNT: usize = 1_200;

pub(super) async fn loaded() -> (Setup, TestDatabase) {
    let setup = Setup::with_interactions(COUNT).await;
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    (setup, database)
}

pub(super) fn worker_of(setup: &Setup, database: &TestDatabase, policy: Policy) -> AccountContext {
    let mut worker = setup.worker(&database.pool);
    worker.policy = Arc::new(policy);
    worker
}

pub(super) async fn replay(setup: &Setup, database: &TestDatabase, policy: Policy) -> Replayed {
    let (worker, replayed) = (worker_of(setup, database, policy), watch::Sender::default());
    worker.replay(&replayed, &CancellationToken::new()).await.unwrap();
    *replayed.borrow()
}

pub(super) fn hashing() -> Policy {
    let mut policy = Policy {
        key: Some(PrivacyKey::new("0123456789abcdef0123456789abcdef")),
        ..Policy::default()
    };
    Class::ALL
        .iter()
        .for_each(|class| *policy.rule_mut(*class) = Rule::Hash);
    policy
}

/// As an older version of the transform would have left it.
pub(super) async fn make_old(database: &TestDatabase) {
    for statement in [
        "update smartassist.sessions set content_hash = decode(repeat('00', 32), 'hex'), channel = 'old'",
        "delete from smartassist.tags",
        "update smartassist.agent_segments set agent_name = 'old'",
        "update smartassist.sessions set warnings = array['channel: old'] \
         where coalesce(conversation_id, session_id) like '%3'",
    ] {
        database.execute(statement).await;
    }
}

#[tokio::test]
async fn replay_gives_the_rows_of_a_fresh_load_without_a_request() {
    let (setup, database) = loaded().await;
    let fresh = database.digest(&[]).await;
    make_old(&database).await;
    database
        .execute(
            "update smartassist.sessions set missing_since = '2026-01-14' where coalesce(conversation_id, session_id) like '%7'",
        )
        .await;
    let missing = "select count(*) from smartassist.sessions where missing_since is not null";
    let (was_missing, first_seen) = (
        database.number(missing).await,
        database
            .text("select min(first_seen_at)::text from smartassist.sessions")
            .await,
    );
    setup.simulator.world().clear_requests();
    let replayed = replay(&setup, &database, Policy::default()).await;
    assert_eq!(
        (replayed.outcome, replayed.records, replayed.updated),
        (Some(Outcome::Succeeded), COUNT as u64, COUNT as u64)
    );
    assert_eq!(setup.simulator.world().requests().count(), 0);
    // What a rebuilt row says of the API stays.
    assert_eq!(database.number(missing).await, was_missing);
    let counted = "select count(*) from smartassist.fact_interactions join smartassist.sessions using (interaction_key) \
                   where missing_since is not null";
    assert_eq!(database.number(counted).await, 0);
    assert_eq!(
        database
            .text("select min(first_seen_at)::text from smartassist.sessions")
            .await,
        first_seen
    );
    database
        .execute("update smartassist.sessions set missing_since = null")
        .await;
    assert_eq!(database.digest(&[]).await, fresh);
}

#[tokio::test]
async fn a_second_replay_rewrites_nothing() {
    let (setup, database) = loaded().await;
    for policy in [Policy::default(), hashing()] {
        replay(&setup, &database, policy.clone()).await;
        let versions = database.row_versions().await;
        let again = replay(&setup, &database, policy).await;
        assert_eq!((again.updated, again.unchanged), (0, COUNT as u64));
        assert_eq!(database.row_versions().await, versions);
    }
}

#[tokio::test]
async fn new_rules_reach_rows_raw_records_and_rejected_text() {
    let setup = Setup::start().await;
    let start = instant("2026-01-10T10:00:00Z");
    let record = json!({"sessionId": "s-1", "sessionStartTime": "2026-01-10T10:00:00", "userId": "m4rker", "mood": "m4rker"});
    setup.simulator.world().insert_raw(start, &record);
    setup
        .simulator
        .world()
        .insert_raw(start, &json!({"sessionId": "s-2", "userId": "m4rker"}));
    setup.simulator.world().insert_raw(start, &json!("m4rker"));
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let marked = "select count(*) from (select s::text from smartassist.sessions s union all \
                  select r::text from smartassist.raw_interactions r union all \
                  select j::text from smartassist_sync.rejected_records j) t where t::text like '%m4rker%'";
    assert_eq!(database.number(marked).await, 4);
    let replayed = replay(&setup, &database, hashing()).await;
    assert_eq!(
        (replayed.outcome, replayed.updated),
        (Some(Outcome::Succeeded), 1)
    );
    assert_eq!(database.number(marked).await, 0);
    let raw = "select payload ->> 'userId' = (select user_id from smartassist.sessions) from smartassist.raw_interactions";
    assert_eq!(database.text(&format!("select ({raw})::text")).await, "true");
}

async fn begin(database: &TestDatabase, former: Option<i64>, at: DateTime<Utc>) -> Result<i64, LoadError> {
    let opened = replay::open(&database.pool, "acct-sim", former, at).await?;
    Ok(opened.unwrap())
}

async fn write(database: &TestDatabase, run_id: i64, rebuilt: &[Rebuilt]) -> Result<Rewritten, LoadError> {
    let at = instant("2026-01-15T12:00:00Z");
    replay::write(&database.pool, "acct-sim", run_id, rebuilt, at).await
}

#[tokio::test]
async fn a_replay_ends_once_another_one_has_begun() {
    let (setup, database) = loaded().await;
    let at = setup.clock.now();
    let first = begin(&database, None, at).await.unwrap();
    write(&database, first, &[]).await.unwrap();
    let second = begin(&database, None, at).await.unwrap();
    let late = write(&database, first, &[]).await;
    assert!(matches!(late, Err(LoadError::TakenOver)), "{late:?}");
    let (pool, counters) = (&database.pool, Counters::default());
    let closed = replay::close(pool, first, counters, Outcome::Succeeded, at).await;
    assert!(matches!(closed, Err(LoadError::TakenOver)), "{closed:?}");
    // Nor does it begin again, after a lost connection.
    let again = begin(&database, Some(first), at).await;
    assert!(matches!(again, Err(LoadError::TakenOver)), "{again:?}");
    write(&database, second, &[]).await.unwrap();
    let statuses =
        "select string_agg(status, ' ' order by id) from smartassist_sync.runs where kind = 'replay'";
    assert_eq!(database.text(statuses).await, "interrupted running");
}

#[tokio::test]
async fn of_two_replays_that_begin_at_once_one_goes_on() {
    let (setup, database) = loaded().await;
    let at = setup.clock.now();
    let (one, other) = tokio::join!(begin(&database, None, at), begin(&database, None, at));
    let (one, other) = (
        write(&database, one.unwrap(), &[]).await,
        write(&database, other.unwrap(), &[]).await,
    );
    assert_eq!(
        usize::from(one.is_ok()) + usize::from(other.is_ok()),
        1,
        "{one:?}, {other:?}"
    );
}

#[tokio::test]
async fn merged_rejected_records_stay_open_if_one_of_them_was() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    setup.sync(&database).await;
    for user in ["u-1", "u-2", "u-3"] {
        reject(&database, &json!({"sessionId": "s", "userId": user}).to_string()).await;
    }
    database
        .execute(
            "update smartassist_sync.rejected_records set resolved_at = now() where payload not like '%u-2%'",
        )
        .await;
    let mut dropping = Policy::default();
    Class::ALL
        .iter()
        .for_each(|class| *dropping.rule_mut(*class) = Rule::Drop);
    replay(&setup, &database, dropping).await;
    let left = "select count(*) || ' ' || count(*) filter (where resolved_at is null) || ' ' || max(times_seen) \
                from smartassist_sync.rejected_records";
    assert_eq!(database.text(left).await, "1 1 3");
}

/// A replay of old rows that was stopped once its first portion was written.
async fn stopped_half_way() -> (Setup, TestDatabase, AccountContext, watch::Sender<Replayed>) {
    let (setup, database) = loaded().await;
    make_old(&database).await;
    let worker = worker_of(&setup, &database, Policy::default());
    let replayed = watch::Sender::default();
    let (mut progress, stop) = (replayed.subscribe(), CancellationToken::new());
    let stop_it = async {
        progress.wait_for(|all: &Replayed| all.records > 0).await.unwrap();
        stop.cancel();
    };
    let (done, ()) = tokio::join!(worker.replay(&replayed, &stop), stop_it);
    done.unwrap();
    (setup, database, worker, replayed)
}

#[tokio::test]
async fn a_stopped_replay_begins_anew_and_writes_the_rest() {
    let (setup, database, _, replayed) = stopped_half_way().await;
    let stopped = *replayed.borrow();
    assert_eq!(
        (stopped.outcome, stopped.records),
        (Some(Outcome::Interrupted), 1_000)
    );
    let done = replay(&setup, &database, Policy::default()).await;
    assert_eq!(
        (done.outcome, done.records, done.updated),
        (Some(Outcome::Succeeded), COUNT as u64, COUNT as u64 - 1_000)
    );
}

#[tokio::test]
async fn a_replay_goes_on_in_the_same_process() {
    let (_setup, database, worker, replayed) = stopped_half_way().await;
    worker.replay(&replayed, &CancellationToken::new()).await.unwrap();
    let done = *replayed.borrow();
    assert_eq!(
        (done.outcome, done.records, done.updated, done.unchanged),
        (Some(Outcome::Succeeded), COUNT as u64, COUNT as u64, 0)
    );
    let of_runs = "select sum(records)::bigint from smartassist_sync.runs where kind = 'replay'";
    assert_eq!(database.number(of_runs).await, i64::try_from(COUNT).unwrap());
}

#[tokio::test]
async fn a_version_that_came_meanwhile_is_not_overwritten() {
    let (setup, database) = loaded().await;
    make_old(&database).await;
    let policy = Policy::default();
    let run_id = begin(&database, None, setup.clock.now()).await.unwrap();
    let read = replay::next(&database.pool, "acct-sim", Uuid::nil())
        .await
        .unwrap();
    let rebuilt = read.into_iter().map(|raw| {
        let origin = Origin {
            account_id: "acct-sim",
            time_zone_offset: raw.time_zone_offset,
        };
        let interaction = transform_stored(&RecordText::of(&raw.payload), origin, &policy);
        Rebuilt {
            raw,
            interaction: Some(interaction.unwrap()),
            payload: None,
        }
    });
    let rebuilt: Vec<Rebuilt> = rebuilt.collect();
    let newer =
        "update smartassist.sessions set content_hash = decode(repeat('11', 32), 'hex'), channel = 'newer'";
    database.execute(newer).await;
    assert_eq!(write(&database, run_id, &rebuilt).await.unwrap().updated, 0);
    let newer = "select count(*) from smartassist.sessions where channel = 'newer'";
    assert_eq!(database.number(newer).await, i64::try_from(COUNT).unwrap());
    assert_eq!(replay(&setup, &database, policy).await.updated, COUNT as u64);
}

#[tokio::test]
async fn a_poll_beside_a_replay_does_not_take_it_for_dead() {
    let (setup, database) = loaded().await;
    begin(&database, None, setup.clock.now()).await.unwrap();
    setup.sync(&database).await;
    let status = "select status from smartassist_sync.runs where kind = 'replay'";
    assert_eq!(database.text(status).await, "running");
}

#[tokio::test]
async fn what_has_no_raw_record_is_counted_and_left() {
    let (setup, database) = loaded().await;
    database
        .execute("delete from smartassist.raw_interactions where interaction_key in \
                  (select interaction_key from smartassist.sessions where coalesce(conversation_id, session_id) like '%1')")
        .await;
    let replayed = replay(&setup, &database, Policy::default()).await;
    assert!(replayed.without_raw > 0);
    assert_eq!(replayed.records + replayed.without_raw, COUNT as u64);
}

#[tokio::test]
async fn a_raw_record_that_replay_rejects_keeps_its_rows() {
    let (setup, database) = loaded().await;
    database
        .execute(
            "update smartassist.raw_interactions set payload = payload - 'sessionStartTime' - 'sessionId' \
             where interaction_key = (select interaction_key from smartassist.sessions where conversation_id is not null limit 1)",
        )
        .await;
    let versions = database.counts().await;
    let replayed = replay(&setup, &database, Policy::default()).await;
    assert_eq!((replayed.outcome, replayed.rejected), (Some(Outcome::Failed), 1));
    assert_eq!(database.counts().await, versions);
}
