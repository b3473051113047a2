//! Forgetting a customer, and that nobody brings them back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::{AccountContext, RunReport, erase};
use smartassist_etl::time::Window;
use smartassist_etl::transform::privacy::{Class, IdentifierKind, Policy, PrivacyKey, Rule, Wanted};
use smartassist_etl::warehouse::erase::{self, Erased};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, Verification, Verifies, instant};

const CENTRE: &str = "+49 800 1112222";

fn key() -> PrivacyKey {
    PrivacyKey::new("0123456789abcdef0123456789abcdef")
}

fn start() -> DateTime<Utc> {
    instant("2026-01-10T10:00:00Z")
}

/// A call of a customer.
fn call(id: &str, user: &str, email: &str, phone: &str) -> Value {
    json!({
        "conversationId": id, "sessionId": format!("s-{id}"), "sessionStartTime": "2026-01-10T10:00:00",
        "sessionEndTime": "2026-01-10T10:05:00", "Direction": "Inbound", "userId": user,
        "metaInfo": {"caller": phone, "callee": CENTRE, "dialedNumber": CENTRE},
        "customerinfo": {"CustomerEmail": email, "CustomerPhone": phone, "CenterPhone": CENTRE},
        "sessionleveltags": [{"name": "n", "value": "v"}],
        "destinations": [{"queueId": "q", "respondingAgent": {"agentId": "a", "ConsultingAgents": [{"name": "b"}]}}],
    })
}

/// Three customers: Ada with a call, a bot-only session that became it, a chat and two rejected
/// records; and two others.
async fn setup() -> Setup {
    let setup = Setup::start().await;
    let mut world = setup.simulator.world();
    let ada = call("c-ada", "u-ada", "Ada@Example.com", "+49 (30) 123-4567");
    world.insert_raw(start(), &ada);
    world.insert_raw(
        start(),
        &call("c-bob", "u-bob", "bob@example.com", "+49 30 7654321"),
    );
    world.insert_raw(
        start(),
        &call("c-eve", "u-eve", "eve@example.com", "+49 30 12345678"),
    );
    world.insert_raw(
        start(),
        &json!({"sessionId": "s-chat", "sessionStartTime": "2026-01-10T10:00:00", "channelSpecificUserId": "ada@example.com"}),
    );
    world.insert_raw(
        start(),
        &json!({"sessionId": "s-bad", "customerinfo": {"CustomerEmail": "ADA@example.com"}}),
    );
    world.insert_raw_bytes(start(), r#"["0049301234567 ada@example.com u-ada"]"#);
    world.insert_raw(start(), &json!({"sessionId": "s-bad-bob", "userId": "u-bob"}));
    drop(world);
    setup
}

fn worker(setup: &Setup, database: &TestDatabase, policy: Policy) -> AccountContext {
    let mut worker = setup.worker(&database.pool);
    worker.policy = Arc::new(policy);
    worker
}

fn keep() -> Policy {
    Policy {
        key: Some(key()),
        ..Policy::default()
    }
}

async fn erased(database: &TestDatabase, kind: IdentifierKind, value: &str, dry_run: bool) -> Erased {
    let wanted = Wanted::new(kind, value, &key()).unwrap();
    let erasure = erase(&database.pool, &wanted, &key(), dry_run).await;
    erasure.unwrap().deleted
}

async fn forget(database: &TestDatabase, kind: IdentifierKind, value: &str) -> Erased {
    erased(database, kind, value, false).await
}

async fn sync(worker: &AccountContext) -> RunReport {
    worker.run(&Job::Sync, &CancellationToken::new()).await
}

/// Reads everything again.
async fn refetch(worker: &AccountContext, database: &TestDatabase) -> RunReport {
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    // The element without an id makes the window a gap, which rests.
    database
        .execute("update smartassist_sync.windows set finished_at = finished_at - interval '9 days' where status = 'gap'")
        .await;
    sync(worker).await
}

async fn ids(database: &TestDatabase) -> String {
    database
        .text("select string_agg(coalesce(conversation_id, session_id), ' ' order by coalesce(conversation_id, session_id)) from smartassist.sessions")
        .await
}

#[tokio::test]
async fn erased_customers_stay_erased_after_a_full_refetch() {
    for (kind, value, left) in [
        (IdentifierKind::Email, " aDa@example.COM", "c-bob c-eve"),
        (IdentifierKind::Phone, "0049 30 1234567", "c-bob c-eve s-chat"),
        (IdentifierKind::UserId, "u-ada", "c-bob c-eve s-chat"),
    ] {
        let setup = setup().await;
        let database = TestDatabase::migrated().await;
        let worker = worker(&setup, &database, keep());
        sync(&worker).await;
        assert_eq!(ids(&database).await, "c-ada c-bob c-eve s-chat");
        let others = "select string_agg(s::text || d::text || xmin_of, '') from (select s, d, s.xmin::text || d.xmin::text as xmin_of \
                      from smartassist.sessions s join smartassist.destinations d using (interaction_key) \
                      where conversation_id in ('c-bob', 'c-eve') order by conversation_id) o";
        let before = database.text(others).await;

        let all = database.counts().await;
        let dry = erased(&database, kind, value, true).await;
        assert_eq!(database.counts().await, all);
        let erased = forget(&database, kind, value).await;
        assert_eq!(dry, erased);
        let left_of_all = database.counts().await;
        let gone: Vec<i64> = all
            .iter()
            .zip(left_of_all)
            .map(|(all, left)| all - left)
            .collect();
        let sessions = i64::try_from(erased.sessions).unwrap();
        assert_eq!(gone[..6], [sessions, 1, 1, 1, 1, sessions]);
        assert_eq!(ids(&database).await, left, "{kind:?}");

        let again = refetch(&worker, &database).await;
        assert_eq!(
            (again.counters.inserted, again.counters.updated),
            (0, 0),
            "{kind:?}"
        );
        assert_eq!(again.counters.left_out, erased.sessions, "{kind:?}");
        assert_eq!(ids(&database).await, left, "{kind:?}");
        assert_eq!(database.text(others).await, before);
    }
}

#[tokio::test]
async fn nothing_of_who_was_erased_is_left_in_any_table() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    let worker = worker(&setup, &database, keep());
    sync(&worker).await;
    assert_eq!(
        forget(&database, IdentifierKind::Email, "ada@example.com")
            .await
            .rejected_records,
        2
    );
    assert_eq!(
        forget(&database, IdentifierKind::Phone, "+49301234567")
            .await
            .sessions,
        0
    );
    refetch(&worker, &database).await;
    let tables = database
        .text(
            "select string_agg(format('%I.%I', schemaname, tablename), ' ') from pg_tables \
             where schemaname in ('smartassist', 'smartassist_sync')",
        )
        .await;
    for table in tables.split(' ') {
        let text = database
            .text(&format!(
                "select coalesce(string_agg(t::text, ' '), '') from {table} t"
            ))
            .await
            .to_lowercase();
        assert!(
            !text.contains("ada@example.com") && !text.contains("u-ada"),
            "{table}"
        );
    }
}

#[tokio::test]
async fn the_centres_own_number_erases_nobody() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    sync(&worker(&setup, &database, keep())).await;
    assert_eq!(
        forget(&database, IdentifierKind::Phone, CENTRE).await,
        Erased::default()
    );
    assert_eq!(database.counts().await[0], 4);
}

#[tokio::test]
async fn letters_of_any_case_and_escapes_hide_nobody() {
    let setup = Setup::start().await;
    {
        let mut world = setup.simulator.world();
        let stored = [
            call("c-upper", "u-1", "MÜLLER@x.de", "1"),
            call("c-kelvin", "u-2", "\u{212a}urt@x.de", "1"),
            call("c-other", "u-3", "möller@x.de", "1"),
        ];
        for record in stored {
            world.insert_raw(start(), &record);
        }
        // Rejected as they came: one is JSON, one is none.
        for text in [
            r#"{"sessionId": "s-bad", "customerinfo": {"CustomerEmail": "M\u00dcLLER@x.de", "CustomerPhone": "+49\u00a030\/123 4567"}}"#,
            r#"["m\u00fcller@x.de", "+49\u00a030 123 4567"]"#,
            r#"["m\u00f6ller@x.de \ud83d\ude00", "+49\u00a030 123 4568"]"#,
        ] {
            world.insert_raw_bytes(start(), text);
        }
    }
    let database = TestDatabase::migrated().await;
    sync(&worker(&setup, &database, keep())).await;
    let found = async |kind, value| {
        let found = erased(&database, kind, value, true).await;
        (found.sessions, found.rejected_records)
    };
    assert_eq!(found(IdentifierKind::Email, "müller@x.de").await, (1, 2));
    assert_eq!(found(IdentifierKind::Email, "kurt@x.de").await, (1, 0));
    assert_eq!(found(IdentifierKind::Phone, "+49 30 1234567").await, (0, 2));
}

#[tokio::test]
async fn who_is_stored_as_hashes_is_found_as_well() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    let mut hash = keep();
    Class::ALL
        .iter()
        .for_each(|class| *hash.rule_mut(*class) = Rule::Hash);
    let worker = worker(&setup, &database, hash);
    sync(&worker).await;
    assert_eq!(
        forget(&database, IdentifierKind::Phone, "+49 30 1234567")
            .await
            .sessions,
        1
    );
    assert_eq!(
        forget(&database, IdentifierKind::Email, "ada@example.com")
            .await
            .sessions,
        1
    );
    let again = refetch(&worker, &database).await;
    assert_eq!((again.counters.inserted, again.counters.left_out), (0, 2));
    assert_eq!(ids(&database).await, "c-bob c-eve");
}

#[tokio::test]
async fn a_bot_only_session_goes_with_the_conversation_that_it_became() {
    let setup = Setup::start().await;
    let database = TestDatabase::migrated().await;
    let worker = worker(&setup, &database, keep());
    let mut call = call("c-ada", "u-ada", "ada@example.com", "+49301234567");
    let bot =
        json!({"sessionId": "s-c-ada", "sessionStartTime": "2026-01-10T10:00:00", "userId": "u-anonymous"});
    setup.simulator.world().insert_raw(start(), &bot);
    call["sessionId"] = "s-c-ada".into();
    setup.simulator.world().insert_raw(start(), &call);
    sync(&worker).await;
    assert_eq!(database.counts().await[0], 2);
    assert_eq!(
        forget(&database, IdentifierKind::Phone, "+49301234567")
            .await
            .sessions,
        2
    );
}

#[tokio::test]
async fn without_raw_records_the_columns_tell_whose_a_session_is() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    let mut worker = worker(&setup, &database, keep());
    Arc::make_mut(&mut worker.storage).raw = false;
    sync(&worker).await;
    assert_eq!(
        forget(&database, IdentifierKind::Email, "ada@example.com")
            .await
            .sessions,
        2
    );
    assert_eq!(
        forget(&database, IdentifierKind::Phone, "+49 30 7654321")
            .await
            .sessions,
        1
    );
    assert_eq!(ids(&database).await, "c-eve");
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    sync(&worker(&setup, &database, keep())).await;
    let versions = database.row_versions().await;
    let counted = erased(&database, IdentifierKind::Email, "ada@example.com", true).await;
    assert_eq!((counted.sessions, counted.rejected_records), (2, 2));
    assert_eq!(database.row_versions().await, versions);
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.erasures")
            .await,
        0
    );
}

#[tokio::test]
async fn with_another_key_nothing_is_stored_and_nothing_is_asked_for() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    sync(&worker(&setup, &database, keep())).await;
    forget(&database, IdentifierKind::UserId, "u-ada").await;
    let other = Policy {
        key: Some(PrivacyKey::new("another key of thirty-two letters")),
        ..Policy::default()
    };
    for policy in [Policy::default(), other] {
        setup.simulator.world().clear_requests();
        let report = refetch(&worker(&setup, &database, policy), &database).await;
        assert_eq!(report.outcome, Outcome::Failed);
        assert_eq!(setup.simulator.world().requests().count(), 0);
    }
    assert_eq!(database.counts().await[0], 3);
}

#[tokio::test]
async fn a_window_read_before_an_erasure_restores_nobody() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    let worker = Arc::new(worker(&setup, &database, keep()));
    let hold = setup.hold_answers();
    let running = Arc::clone(&worker);
    let run = tokio::spawn(async move { sync(&running).await });
    setup.until_in_flight(1).await;
    // The first page is on its way: what it brings has not seen the erasure.
    let mut erasure = database.pool.begin().await.unwrap();
    erase::begin(&mut erasure).await.unwrap();
    setup.hold_no_more();
    hold.cancel();
    database.until_a_lock_is_waited_for().await;
    assert_eq!(database.counts().await[0], 0);
    let wanted = Wanted::new(IdentifierKind::Email, "ada@example.com", &key()).unwrap();
    erase::record(
        &mut erasure,
        &wanted.identifier,
        &[],
        key().id(),
        &Erased::default(),
    )
    .await
    .unwrap();
    erasure.commit().await.unwrap();
    run.await.unwrap();
    assert_eq!(ids(&database).await, "c-bob c-eve");
}

#[tokio::test]
async fn verify_does_not_miss_who_was_erased() {
    let setup = setup().await;
    let database = TestDatabase::migrated().await;
    let worker = worker(&setup, &database, keep());
    sync(&worker).await;
    forget(&database, IdentifierKind::Email, "ada@example.com").await;
    let range = Window::new(instant("2026-01-10T00:00:00Z"), instant("2026-01-11T00:00:00Z"));
    let mut verification = Verification::of(range);
    verification.demand_identity();
    worker.verify(&mut verification, &CancellationToken::new()).await;
    assert!(
        verification
            .compared()
            .all(|day| day.not_stored == 0 && day.changed == 0)
    );
}
