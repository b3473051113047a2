//! Erasing one customer takes what belongs to their contacts, and nothing of anybody else's.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use smartassist_etl::sync::{AccountContext, Erasure, RunReport, erase, find_mentions};
use smartassist_etl::transform::privacy::{Class, IdentifierKind, Policy, PrivacyKey, Rule, Wanted};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant};

const PHONE: &str = "+15550100000";

fn key() -> PrivacyKey {
    PrivacyKey::new("0123456789abcdef0123456789abcdef")
}

fn start() -> DateTime<Utc> {
    instant("2026-01-10T10:00:00Z")
}

/// A record of these ids, of the customer with this number where one is given.
fn record(session: &str, conversation: Option<&str>, phone: Option<&str>) -> Value {
    let mut record = json!({
        "sessionId": session, "conversationId": conversation, "sessionStartTime": "2026-01-10T10:00:00",
        "sessionEndTime": "2026-01-10T10:05:00", "userId": format!("u-{session}"),
    });
    if let Some(phone) = phone {
        record["customerinfo"] = json!({"CustomerPhone": phone});
    }
    record
}

fn without_start(mut record: Value) -> Value {
    record.as_object_mut().unwrap().remove("sessionStartTime");
    record
}

/// The number of somebody else.
fn number(of: usize) -> String {
    format!("+1555020{of:04}")
}

async fn api(records: &[Value]) -> Setup {
    let setup = Setup::start().await;
    for record in records {
        setup.simulator.world().insert_raw(start(), record);
    }
    setup
}

fn worker(setup: &Setup, database: &TestDatabase) -> AccountContext {
    let mut worker = setup.worker(&database.pool);
    worker.policy = Arc::new(Policy {
        key: Some(key()),
        ..Policy::default()
    });
    worker
}

/// Reads everything anew.
async fn refetch(worker: &AccountContext, database: &TestDatabase) -> RunReport {
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    // Elements without an id make their window a gap, which rests.
    database
        .execute("update smartassist_sync.windows set finished_at = finished_at - interval '9 days' where status = 'gap'")
        .await;
    worker.run(&Job::Sync, &CancellationToken::new()).await
}

async fn erased(database: &TestDatabase, kind: IdentifierKind, value: &str, dry_run: bool) -> Erasure {
    let wanted = Wanted::new(kind, value, &key()).unwrap();
    let mut erasure = erase(&database.pool, &wanted, &key(), dry_run).await.unwrap();
    find_mentions(&database.pool, &wanted, &mut erasure)
        .await
        .unwrap();
    erasure
}

async fn forget(database: &TestDatabase, kind: IdentifierKind, value: &str) -> Erasure {
    let counted = erased(database, kind, value, true).await;
    let erasure = erased(database, kind, value, false).await;
    assert_eq!(counted, erasure, "a dry run tells what is then done");
    erasure
}

async fn number_of(database: &TestDatabase, what: &str) -> i64 {
    database.number(&format!("select count(*) from {what}")).await
}

#[tokio::test]
async fn a_list_with_one_of_theirs_takes_nobody_elses_interaction() {
    let others = (1..=100).map(|of| record(&format!("s-{of}"), None, Some(&number(of))));
    let mut records: Vec<Value> = others.collect();
    records.push(record("s-hers", None, Some(PHONE)));
    let unnamed = record("s-unnamed", None, None);
    let mut list = records.clone();
    list.push(unnamed.clone());
    let database = TestDatabase::migrated().await;
    // A page of nothing else would be none.
    let alone = record("s-0", None, Some(&number(0)));
    let odd = api(&[alone.clone(), json!([list])]).await;
    refetch(&worker(&odd, &database), &database).await;
    assert_eq!(number_of(&database, "smartassist_sync.rejected_records").await, 1);
    // Then the same come as they should.
    records.extend([alone, unnamed]);
    let well = api(&records).await;
    let worker = worker(&well, &database);
    refetch(&worker, &database).await;
    assert_eq!(number_of(&database, "smartassist.sessions").await, 103);

    let erasure = forget(&database, IdentifierKind::Phone, PHONE).await;
    assert_eq!(
        (erasure.deleted.sessions, erasure.deleted.rejected_records),
        (1, 1)
    );
    let again = refetch(&worker, &database).await;
    assert_eq!((again.counters.left_out, again.counters.unchanged), (1, 102));
    assert_eq!(number_of(&database, "smartassist.sessions").await, 102);
}

#[tokio::test]
async fn an_id_that_many_rejected_records_share_erases_one_only() {
    let many = (0..60).map(|of| {
        let mut record = without_start(record("web", None, (of == 7).then_some(PHONE)));
        record["csatFeedback"] = format!("{of}").into();
        record
    });
    let setup = api(&many.collect::<Vec<_>>()).await;
    let database = TestDatabase::migrated().await;
    let worker = worker(&setup, &database);
    refetch(&worker, &database).await;
    assert_eq!(
        number_of(&database, "smartassist_sync.rejected_records").await,
        60
    );

    let erasure = forget(&database, IdentifierKind::Phone, PHONE).await;
    assert_eq!(erasure.deleted.rejected_records, 1);
    // The next record of that bot is a row.
    setup
        .simulator
        .world()
        .insert_raw(start(), &record("web", None, None));
    let again = refetch(&worker, &database).await;
    assert_eq!((again.counters.inserted, again.counters.left_out), (1, 0));
    assert_eq!(
        number_of(&database, "smartassist_sync.rejected_records").await,
        59
    );
}

#[tokio::test]
async fn siblings_that_name_somebody_else_are_listed_and_stay() {
    for rule in [Rule::Keep, Rule::Hash] {
        let mut records: Vec<Value> = (0..12)
            .map(|of| {
                let phone = if of == 7 { PHONE.to_owned() } else { number(of) };
                record("kiosk", Some(&format!("c-{of}")), Some(&phone))
            })
            .collect();
        records.push(without_start(record("kiosk", None, Some(&number(99)))));
        records.push(without_start(record("kiosk", None, None)));
        let setup = api(&records).await;
        let database = TestDatabase::migrated().await;
        let mut worker = worker(&setup, &database);
        let mut policy = (*worker.policy).clone();
        *policy.rule_mut(Class::Customer) = rule;
        worker.policy = Arc::new(policy);
        refetch(&worker, &database).await;

        let erasure = forget(&database, IdentifierKind::Phone, PHONE).await;
        assert_eq!(
            (erasure.deleted.sessions, erasure.deleted.rejected_records),
            (1, 0),
            "{rule:?}"
        );
        let listed = erasure.mentioned_in.iter().map(|key| key.id.as_str());
        let listed = database.ids_of(listed).await;
        assert_eq!(
            listed,
            [
                "c-0", "c-1", "c-10", "c-11", "c-2", "c-3", "c-4", "c-5", "c-6", "c-8", "c-9"
            ]
        );
        assert_eq!(erasure.mentioned_in_rejected.len(), 2);
        let again = refetch(&worker, &database).await;
        assert_eq!((again.counters.left_out, again.counters.unchanged), (1, 11));
    }
}

#[tokio::test]
async fn a_sibling_that_does_not_say_whose_it_is_goes_along() {
    let setup = api(&[
        record("s-1", None, None),
        record("s-1", Some("c-1"), Some(PHONE)),
        // Without its country code it may be the same number.
        record("s-1", Some("c-2"), Some("(555) 010-0000")),
        record("s-1", Some("c-3"), Some("anonymous")),
        record("s-1", Some("c-4"), Some("1000")),
        without_start(record("s-1", None, None)),
        record("s-2", Some("c-9"), Some(&number(9))),
    ])
    .await;
    let database = TestDatabase::migrated().await;
    refetch(&worker(&setup, &database), &database).await;
    let erasure = forget(&database, IdentifierKind::Phone, PHONE).await;
    assert_eq!(
        (erasure.deleted.sessions, erasure.deleted.rejected_records),
        (5, 1)
    );
    assert_eq!(erasure.mentions(), 0);
}

#[tokio::test]
async fn who_is_erased_by_user_id_takes_no_other_user_along() {
    let of_user = |conversation: &str, user: &str| {
        let mut record = record("s-1", Some(conversation), None);
        record["userId"] = user.into();
        record
    };
    let setup = api(&[of_user("c-1", "u-ada"), of_user("c-2", "u-bob")]).await;
    let database = TestDatabase::migrated().await;
    refetch(&worker(&setup, &database), &database).await;
    let erasure = forget(&database, IdentifierKind::UserId, "u-ada").await;
    assert_eq!((erasure.deleted.sessions, erasure.mentioned_in.len()), (1, 1));
}

#[tokio::test]
async fn a_constant_id_in_every_row_is_counted_and_not_read() {
    let setup = api(&[record("web", Some("c-hers"), Some(PHONE))]).await;
    let database = TestDatabase::migrated().await;
    refetch(&worker(&setup, &database), &database).await;
    database
        .execute(
            "insert into smartassist.sessions (interaction_key, account_id, session_id, conversation_id, \
             session_started_at, content_hash, first_seen_at, last_changed_at) \
             select gen_random_uuid(), account_id, session_id, 'c-' || n, session_started_at, content_hash, now(), now() \
             from smartassist.sessions, generate_series(1, 2000) as n",
        )
        .await;
    let erasure = forget(&database, IdentifierKind::Phone, PHONE).await;
    assert_eq!((erasure.deleted.sessions, erasure.mentions()), (1, 0));
    assert_eq!(number_of(&database, "smartassist.sessions").await, 2_000);
}
