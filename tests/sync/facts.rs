//! Facts follow the rows, whatever changes them, and what does not change keeps its facts.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::sync::erase;
use smartassist_etl::transform::privacy::{Class, IdentifierKind, Policy, PrivacyKey, Rule, Wanted};
use smartassist_etl::warehouse::reporting;
use smartassist_simulator::Seed;
use tokio_util::sync::CancellationToken;

use crate::reports::differing;
use crate::support::{Setup, TestDatabase, instant};

use super::past::Past;
use super::replay::replay;

const ALL: TimeDelta = TimeDelta::days(20);

fn key() -> PrivacyKey {
    PrivacyKey::new("0123456789abcdef0123456789abcdef")
}

/// A fortnight of the shapes of all versions of the API.
async fn past() -> Past {
    let setup = Setup::start().await;
    setup.simulator.world().behaviour.vendor_shapes = true;
    let (from, to) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-15T11:55:00Z"));
    setup.simulator.world().seed(&Seed::new(7, from, to, 800));
    Past::of_setup(setup).await
}

async fn facts_of(database: &TestDatabase, table: &str) -> i64 {
    database
        .number(&format!("select count(*) from smartassist.fact_{table}"))
        .await
}

#[tokio::test]
async fn facts_follow_every_change_and_what_vanishes() {
    let past = past().await;
    assert!(facts_of(&past.database, "queue_visits").await > 300);
    let contacts = "select count(*) from smartassist_bi.contacts";
    assert!(past.database.number(contacts).await > 300);
    assert_eq!(differing(&past.database).await, "");
    past.setup.simulator.world().mutate_some(4, 0.3);
    for _ in 0..2 {
        past.refresh_in_an_hour(ALL).await;
        assert_eq!(differing(&past.database).await, "");
    }
    let missing = "select count(*) from smartassist.sessions where missing_since is not null";
    assert!(past.database.number(missing).await > 0);
    let versions = past.versions_but(&[]).await;
    past.refresh_in_an_hour(ALL).await;
    assert_eq!(past.versions_but(&[]).await, versions);
}

#[tokio::test]
async fn facts_follow_erasure_replay_and_retention() {
    let mut past = past().await;
    let database = &past.database;
    let of_most = "select user_id from smartassist.sessions where user_id is not null group by 1 order by count(*) desc, 1 limit 1";
    let user = database.text(of_most).await;
    let wanted = Wanted::new(IdentifierKind::UserId, &user, &key()).unwrap();
    let erasure = erase(&database.pool, &wanted, &key(), false).await.unwrap();
    assert!(erasure.deleted.sessions > 1, "{:?}", erasure.deleted);
    assert_eq!(differing(database).await, "");

    let mut hashed = Policy {
        key: Some(key()),
        ..Policy::default()
    };
    for class in [Class::Customer, Class::Agent] {
        *hashed.rule_mut(class) = Rule::Hash;
    }
    let names = "select string_agg(agent_name, ',' order by agent_name) from smartassist.agents";
    let before = database.text(names).await;
    replay(&past.setup, database, hashed.clone()).await;
    assert_eq!(differing(database).await, "");
    let after = database.text(names).await;
    let is_left = |name: &str| after.split(',').any(|left| left == name);
    assert!(!before.split(',').any(is_left), "{before}, {after}");

    Arc::make_mut(&mut past.worker.storage).retention = Some(TimeDelta::days(5));
    past.worker.policy = Arc::new(hashed);
    let stop = CancellationToken::new();
    past.worker.clean_up(&stop).await.unwrap();
    let oldest =
        "select count(*) from smartassist.fact_interactions where session_started_at < '2026-01-10Z'";
    assert_eq!(past.database.number(oldest).await, 0);
    assert_eq!(differing(&past.database).await, "");
}

#[tokio::test]
async fn another_time_zone_makes_all_facts_anew() {
    let past = past().await;
    let mut account = past.worker.api.account().clone();
    account.reporting.time_zone = chrono_tz::Australia::Lord_Howe;
    reporting::apply(&past.database.pool, &account, true)
        .await
        .unwrap();
    assert_ne!(differing(&past.database).await, "");
    let told_to_stop = CancellationToken::new();
    told_to_stop.cancel();
    past.worker.clean_up(&told_to_stop).await.unwrap();
    let rebuilding = "select is_rebuilding::int::bigint from smartassist_bi.settings";
    assert_eq!(past.database.number(rebuilding).await, 1);
    let stop = CancellationToken::new();
    past.worker.clean_up(&stop).await.unwrap();
    assert_eq!(past.database.number(rebuilding).await, 0);
    assert_eq!(differing(&past.database).await, "");
    // Thresholds are applied when a report is read.
    let in_target = "select sum(answered_in_target) from smartassist_bi.queue_visits";
    let before = past.database.number(in_target).await;
    let versions = past.versions_but(&[]).await;
    account.reporting.service_level_seconds = 600;
    reporting::apply(&past.database.pool, &account, true)
        .await
        .unwrap();
    assert!(past.database.number(in_target).await > before);
    past.worker.clean_up(&stop).await.unwrap();
    assert_eq!(past.versions_but(&[]).await, versions);
}

#[tokio::test]
async fn tags_that_are_not_shown_are_in_no_fact() {
    let past = past().await;
    let database = &past.database;
    let named = "select coalesce(string_agg(distinct name, ' ' order by name), '') \
                 from smartassist.fact_interactions, jsonb_object_keys(tags) as name";
    assert_eq!(database.text(named).await, "(withheld)");
    let one = "select name from smartassist.tags where tag_scope = 'session' and value is not null group by 1 order by count(*) desc limit 1";
    let tag = database.text(one).await;
    let mut account = past.worker.api.account().clone();
    for (shown, expected) in [
        (vec![tag.clone()], format!("(withheld) {tag}")),
        (vec![], "(withheld)".to_owned()),
    ] {
        account.reporting.shown_tags = shown;
        reporting::apply(&database.pool, &account, true).await.unwrap();
        let stop = CancellationToken::new();
        past.worker.clean_up(&stop).await.unwrap();
        assert_eq!(database.text(named).await, expected);
        assert_eq!(differing(database).await, "");
    }
}

#[tokio::test]
async fn a_stay_in_two_records_of_a_conversation_counts_once() {
    let setup = Setup::start().await;
    let record = |session: &str, start: &str, agent: bool| {
        let mut queue = json!({"destinationType": "QueueEntry", "queueId": "q", "queueName": "Sales", "EnterTime": "2026-01-10T10:00:10"});
        if agent {
            queue["respondingAgent"] = json!({"agentId": "a", "assignedAt": "2026-01-10T10:00:12", "acceptedTime": "2026-01-10T10:00:15", "interactionDuration": 60});
        }
        json!({
            "conversationId": "c-1", "sessionId": session, "sessionStartTime": start, "sessionEndTime": "2026-01-10T10:30:00", "userId": "u",
            "destinations": [queue],
        })
    };
    let begin = instant("2026-01-10T10:00:00Z");
    for record in [
        record("s-1", "2026-01-10T10:00:00", false),
        record("s-2", "2026-01-10T10:10:00", true),
    ] {
        setup.simulator.world().insert_raw(begin, &record);
    }
    let past = Past::of_setup(setup).await;
    let counted = "select concat_ws(' ', (select sum(conversations) from smartassist_bi.interactions), (select count(*) from smartassist_bi.interactions), \
                   (select string_agg(outcome, ',') from smartassist_bi.queue_visits), (select count(*) from smartassist_bi.agent_offers), \
                   (select count(*) from smartassist_bi.contacts))";
    assert_eq!(past.database.text(counted).await, "1 2 answered 1 1");
    assert_eq!(differing(&past.database).await, "");
    // One that comes later finds them stored.
    let later = instant("2026-01-10T10:20:00Z");
    let one_more = record("s-3", "2026-01-10T10:20:00", true);
    past.setup.simulator.world().insert_raw(later, &one_more);
    past.refresh_in_an_hour(ALL).await;
    assert_eq!(past.database.text(counted).await, "1 3 answered 1 1");
    assert_eq!(differing(&past.database).await, "");
    // Without the later ones, the earliest is what counts.
    past.database
        .execute("update smartassist.sessions set missing_since = now() where session_id in ('s-2', 's-3')")
        .await;
    past.database.rebuild_facts("acct-sim").await;
    assert_eq!(past.database.text(counted).await, "1 1 other 0 1");
    assert_eq!(differing(&past.database).await, "");
}

#[tokio::test]
async fn records_of_a_constant_id_count_each_beside_a_conversation() {
    let setup = Setup::start().await;
    let begin = instant("2026-01-10T10:00:00Z");
    let record = |conversation: &str, session: String| {
        json!({
            "conversationId": conversation, "sessionId": session, "sessionStartTime": "2026-01-10T10:00:00",
            "sessionEndTime": "2026-01-10T10:30:00",
        })
    };
    let constant = (0..50).map(|number| record("constant", format!("s-{number}")));
    for record in constant.chain((0..2).map(|number| record("z-1", format!("t-{number}")))) {
        setup.simulator.world().insert_raw(begin, &record);
    }
    let past = Past::of_setup(setup).await;
    let counted = "select concat_ws(' ', count(*), sum(conversations)) from smartassist_bi.interactions";
    assert_eq!(past.database.text(counted).await, "52 51");
    assert_eq!(differing(&past.database).await, "");
}

#[tokio::test]
async fn a_replay_without_changes_forgets_names_that_rules_replaced() {
    let mut past = past().await;
    let names = "select string_agg(agent_name, ',' order by agent_name) from smartassist.agents";
    let before = past.database.text(names).await;
    let mut hashed = Policy {
        key: Some(key()),
        ..Policy::default()
    };
    *hashed.rule_mut(Class::Agent) = Rule::Hash;
    past.worker.policy = Arc::new(hashed.clone());
    past.refresh_in_an_hour(ALL).await;
    assert_eq!(replay(&past.setup, &past.database, hashed).await.updated, 0);
    let after = past.database.text(names).await;
    let is_left = |name: &str| after.split(',').any(|left| left == name);
    assert!(!before.split(',').any(is_left), "{before}, {after}");
}

#[tokio::test]
async fn the_twenty_first_record_makes_an_id_a_constant_and_back() {
    let setup = Setup::start().await;
    let add = |setup: &Setup, number: i64| {
        let start = instant("2026-01-10T10:00:00Z") + TimeDelta::minutes(number);
        let record = json!({
            "conversationId": "c-1", "sessionId": format!("s-{number}"), "userId": format!("u-{number}"), "sessionStartTime": start,
            "destinations": [{"queueId": "q", "EnterTime": "2026-01-10T10:00:10", "respondingAgent": {"agentId": "a", "assignedAt": "2026-01-10T10:00:12"}}],
        });
        setup.simulator.world().insert_raw(start, &record);
    };
    (0..20).for_each(|number| add(&setup, number));
    let past = Past::of_setup(setup).await;
    let counted = "select concat_ws(' ', count(*), sum(conversations), (select count(*) from smartassist_bi.queue_visits), \
                   (select count(*) from smartassist_bi.agent_offers)) from smartassist_bi.interactions";
    assert_eq!(past.database.text(counted).await, "20 1 1 1");
    add(&past.setup, 20);
    past.refresh_in_an_hour(ALL).await;
    assert_eq!(past.database.text(counted).await, "21 21 21 21");
    assert_eq!(differing(&past.database).await, "");
    add(&past.setup, 21);
    past.refresh_in_an_hour(ALL).await;
    assert_eq!(past.database.text(counted).await, "22 22 22 22");
    for (user, left) in [("u-3", "21 21 21 21"), ("u-7", "20 1 1 1"), ("u-9", "19 1 1 1")] {
        let wanted = Wanted::new(IdentifierKind::UserId, user, &key()).unwrap();
        erase(&past.database.pool, &wanted, &key(), false).await.unwrap();
        assert_eq!(past.database.text(counted).await, left);
        assert_eq!(differing(&past.database).await, "");
    }
}
