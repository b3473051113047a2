//! Rebuilding rows from raw records.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::ledger::{Counters, LoadError};
use smartassist_etl::sync::{AccountContext, Replayed};
use smartassist_etl::time::Clock;
use smartassist_etl::transform::privacy::{Class, Policy, PrivacyKey, Rule};
use smartassist_etl::transform::{Origin, RecordText, TRANSFORM_VERSION, transform_stored};
use smartassist_etl::warehouse::replay::{self, OpenReplay, Rebuilt, Rewritten};
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

/// A part in which nothing differs.
fn portion(last: Uuid, rejected: u64) -> replay::Portion {
    replay::Portion {
        last,
        rejected,
        ..replay::Portion::default()
    }
}

async fn begin(database: &TestDatabase, rules: &str, at: DateTime<Utc>) -> OpenReplay {
    let opened = replay::open(&database.pool, "acct-sim", rules, None, at).await;
    opened.unwrap().unwrap()
}

async fn go_on(
    database: &TestDatabase,
    open: &OpenReplay,
    portion: &replay::Portion,
) -> Result<Rewritten, LoadError> {
    let at = instant("2026-01-15T12:00:00Z");
    replay::write(&database.pool, "acct-sim", open, portion, at).await
}

#[tokio::test]
async fn a_replay_ends_once_another_one_has_begun() {
    let (setup, database) = loaded().await;
    make_old(&database).await;
    let at = setup.clock.now();
    let first = begin(&database, "old rules", at).await;
    go_on(&database, &first, &portion(Uuid::from_u128(1), 0))
        .await
        .unwrap();
    let second = begin(&database, "new rules", at).await;
    let late = go_on(&database, &first, &portion(Uuid::max(), 0)).await;
    assert!(matches!(late, Err(LoadError::TakenOver)), "{late:?}");
    let counters = Counters::default();
    let closed = replay::close(
        &database.pool,
        "acct-sim",
        &first,
        counters,
        Outcome::Succeeded,
        at,
    )
    .await;
    assert!(matches!(closed, Err(LoadError::TakenOver)), "{closed:?}");
    // Nor does it begin again, after a lost connection.
    let former = Some(first.run_id);
    let again = replay::open(&database.pool, "acct-sim", "old rules", former, at).await;
    assert!(matches!(again, Err(LoadError::TakenOver)), "{again:?}");
    go_on(&database, &second, &portion(Uuid::from_u128(2), 0))
        .await
        .unwrap();
    let ledger = "select position || ' ' || rules from smartassist_sync.replays";
    assert_eq!(
        database.text(ledger).await,
        format!("{} new rules", Uuid::from_u128(2))
    );
}

#[tokio::test]
async fn a_resumed_replay_reaches_what_others_wrote_meanwhile() {
    let (setup, database) = loaded().await;
    let policy = hashing();
    let rules = format!("transform {TRANSFORM_VERSION}; {}", policy.fingerprint());
    let open = begin(&database, &rules, setup.clock.now()).await;
    // It came to its last record; then somebody with the former rules wrote all of them.
    go_on(&database, &open, &portion(Uuid::max(), 0)).await.unwrap();
    database
        .execute("update smartassist.raw_interactions set fetched_at = now()")
        .await;
    let resumed = replay(&setup, &database, policy).await;
    assert_eq!(
        (resumed.outcome, resumed.updated),
        (Some(Outcome::Succeeded), COUNT as u64)
    );
    let plain = "select count(*) from smartassist.raw_interactions where payload::text not like '%hmac:%'";
    assert_eq!(database.number(plain).await, 0);
    assert_eq!(resumed.records, resumed.updated);
}

#[tokio::test]
async fn of_two_replays_that_begin_at_once_one_goes_on() {
    let (setup, database) = loaded().await;
    let at = setup.clock.now();
    let (one, other) = tokio::join!(begin(&database, "same", at), begin(&database, "same", at));
    let part = portion(Uuid::from_u128(1), 0);
    let (one, other) = (
        go_on(&database, &one, &part).await,
        go_on(&database, &other, &part).await,
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

#[tokio::test]
async fn a_resumed_replay_remembers_earlier_failures() {
    let (setup, database) = loaded().await;
    let policy = Policy::default();
    let rules = format!("transform {TRANSFORM_VERSION}; {}", policy.fingerprint());
    let at = setup.clock.now();
    let batch = replay::next(&database.pool, "acct-sim", Uuid::nil(), None)
        .await
        .unwrap();
    let last = batch.last().unwrap().interaction_key;
    let open = begin(&database, &rules, at).await;
    go_on(&database, &open, &portion(last, 2)).await.unwrap();
    let resumed = replay(&setup, &database, policy.clone()).await;
    assert_eq!((resumed.outcome, resumed.rejected), (Some(Outcome::Failed), 0));
    // From the beginning, where it is rebuilt.
    let again = replay(&setup, &database, policy).await;
    assert_eq!(again.outcome, Some(Outcome::Succeeded));
}

#[tokio::test]
async fn a_stopped_replay_resumes_unless_its_rules_have_changed() {
    let (setup, database) = loaded().await;
    make_old(&database).await;
    // Stopped by SIGKILL after its first batch: its run is still open, its position is in the ledger.
    let rules = |policy: &Policy| format!("transform {TRANSFORM_VERSION}; {}", policy.fingerprint());
    let policy = Policy::default();
    let at = setup.clock.now();
    let open = begin(&database, &rules(&policy), at).await;
    assert_eq!(open.position, Uuid::nil());
    let batch = replay::next(&database.pool, "acct-sim", Uuid::nil(), None)
        .await
        .unwrap();
    let last = batch.last().unwrap().interaction_key;
    go_on(&database, &open, &portion(last, 0)).await.unwrap();

    let resumed = replay(&setup, &database, policy).await;
    assert_eq!(resumed.records, (COUNT - batch.len()) as u64);
    let closed =
        "select string_agg(status, ' ' order by id) from smartassist_sync.runs where kind = 'replay'";
    assert_eq!(database.text(closed).await, "interrupted succeeded");
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.replays")
            .await,
        0
    );

    let open = begin(&database, "other rules", at).await;
    go_on(&database, &open, &portion(last, 0)).await.unwrap();
    assert_eq!(
        replay(&setup, &database, Policy::default()).await.records,
        COUNT as u64
    );
}

#[tokio::test]
async fn a_version_that_came_meanwhile_is_not_overwritten() {
    let (setup, database) = loaded().await;
    make_old(&database).await;
    let policy = Policy::default();
    let open = begin(&database, "rules", setup.clock.now()).await;
    let read = replay::next(&database.pool, "acct-sim", Uuid::nil(), None)
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
    let part = replay::Portion {
        rebuilt: rebuilt.collect(),
        ..portion(Uuid::nil(), 0)
    };
    let newer =
        "update smartassist.sessions set content_hash = decode(repeat('11', 32), 'hex'), channel = 'newer'";
    database.execute(newer).await;
    assert_eq!(go_on(&database, &open, &part).await.unwrap().updated, 0);
    let newer = "select count(*) from smartassist.sessions where channel = 'newer'";
    assert_eq!(database.number(newer).await, i64::try_from(COUNT).unwrap());
    assert_eq!(replay(&setup, &database, policy).await.updated, COUNT as u64);
}

#[tokio::test]
async fn a_poll_beside_a_replay_does_not_take_it_for_dead() {
    let (setup, database) = loaded().await;
    let rules = "rules of another process";
    replay::open(&database.pool, "acct-sim", rules, None, setup.clock.now())
        .await
        .unwrap();
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
