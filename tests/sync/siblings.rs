//! Records that share one of their ids: each is an interaction of its own, and stays so.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::RunReport;

use crate::support::{Program, Setup, TestDatabase, instant};

/// A record of these ids that began at this time of 10 January 2026, with a child in every table.
fn record(conversation: &str, session: &str, start: &str) -> (DateTime<Utc>, Value) {
    let record = json!({
        "conversationId": conversation, "sessionId": session, "channel": format!("{conversation} {session}"),
        "sessionStartTime": format!("2026-01-10T{start}"), "sessionEndTime": format!("2026-01-10T{}5", &start[..7]),
        "sessionleveltags": [{"name": "of", "value": session}],
        "destinations": [{"queueId": format!("q-{session}"), "respondingAgent": {
            "agentId": format!("a-{session}"), "ConsultingAgents": [{"name": "Kim"}], "JoinedUsers": [{"name": "Pia"}]}}],
    });
    (instant(&format!("2026-01-10T{start}Z")), record)
}

async fn loaded(records: &[(DateTime<Utc>, Value)]) -> (Setup, TestDatabase) {
    let setup = Setup::start().await;
    for (start, record) in records {
        setup.simulator.world().insert_raw(*start, record);
    }
    let database = TestDatabase::migrated().await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    (setup, database)
}

async fn refetch(setup: &Setup, database: &TestDatabase) -> RunReport {
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    setup.sync(database).await
}

/// What each interaction has of its own, in order.
const OF_EACH: &str = "select string_agg(concat_ws(' ', s.channel, d.queue_id, a.agent_id, t.value, raw.payload ->> 'channel'), ', ' \
     order by s.channel) from smartassist.sessions s join smartassist.destinations d using (interaction_key) \
     join smartassist.agent_segments a using (interaction_key) join smartassist.consultations using (interaction_key) \
     join smartassist.joined_users using (interaction_key) join smartassist.tags t using (interaction_key) \
     join smartassist.raw_interactions raw using (interaction_key) where s.missing_since is null";

#[tokio::test]
async fn records_that_share_one_id_are_rows_each() {
    for (records, rows) in [
        (
            [record("c-1", "s-1", "10:00:00"), record("c-1", "s-2", "10:00:20")],
            "c-1 s-1 q-s-1 a-s-1 s-1 c-1 s-1, c-1 s-2 q-s-2 a-s-2 s-2 c-1 s-2",
        ),
        (
            [record("c-1", "s-1", "10:00:00"), record("c-1", "s-2", "21:00:00")],
            "c-1 s-1 q-s-1 a-s-1 s-1 c-1 s-1, c-1 s-2 q-s-2 a-s-2 s-2 c-1 s-2",
        ),
        (
            [record("c-1", "s-1", "10:00:00"), record("c-2", "s-1", "10:00:20")],
            "c-1 s-1 q-s-1 a-s-1 s-1 c-1 s-1, c-2 s-1 q-s-1 a-s-1 s-1 c-2 s-1",
        ),
    ] {
        let (setup, database) = loaded(&records).await;
        assert_eq!(database.text(OF_EACH).await, rows);
        let versions = database.row_versions().await;
        let again = refetch(&setup, &database).await;
        assert_eq!((again.counters.unchanged, again.counters.updated), (2, 0));
        assert_eq!(database.row_versions().await, versions);
    }
}

#[tokio::test]
async fn siblings_are_no_difference() {
    let records = [
        record("c-1", "s-1", "10:00:00"),
        record("c-1", "s-2", "10:00:20"),
        record("c-2", "s-2", "10:00:30"),
    ];
    let (setup, database) = loaded(&records).await;
    let environment = setup.environment_on(&database).await;
    let ended = Program::run(
        &[
            "verify",
            "--from",
            "2026-01-10",
            "--to",
            "2026-01-11",
            "--by-identity",
        ],
        &environment,
    )
    .await;
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.last_word());
    let replayed = Program::run(&["replay"], &environment).await;
    assert_eq!(replayed.code(), 0, "{}", replayed.last_word());
    assert_eq!(database.counts().await[0], 3);
}

/// Whatever order they come in, and however often.
#[tokio::test]
async fn of_one_pair_of_ids_the_version_that_ends_last_is_the_row() {
    let version = |end: &str, channel: &str| {
        json!({"conversationId": "c-1", "sessionId": "s-1", "sessionStartTime": "2026-01-10T10:00:00",
               "sessionEndTime": end, "channel": channel})
    };
    let later = version("2026-01-10T10:09:00", "later");
    for others in [
        [version("2026-01-10T10:05:00", "sooner"), later.clone()],
        [later.clone(), version("2026-01-10T10:05:00", "sooner")],
        [later.clone(), version("", "open")],
        // They end at once: the greater text.
        [version("2026-01-10T10:09:00", "earlier"), later],
    ] {
        let start = instant("2026-01-10T10:00:00Z");
        let (setup, database) = loaded(&others.map(|record| (start, record))).await;
        let row = "select string_agg(channel, ' ') from smartassist.sessions";
        assert_eq!(database.text(row).await, "later");
        let versions = database.row_versions().await;
        let again = refetch(&setup, &database).await;
        assert_eq!((again.counters.unchanged, again.counters.updated), (1, 0));
        assert_eq!(database.row_versions().await, versions);
    }
}
