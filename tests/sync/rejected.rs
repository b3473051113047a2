//! Bad records among good ones, and fields that nobody knows: nothing is lost, nothing stands still.

use chrono::TimeDelta;
use serde_json::{Value, json};
use smartassist_etl::ledger::runs::Outcome;

use crate::support::{Program, Setup, TestDatabase, WHY_SPLIT, instant};

const MARKER: &str = "m4rker";

fn good(nth: usize) -> Value {
    json!({
        "conversationId": format!("c-{nth:03}"), "sessionId": format!("s-{nth:03}"),
        "sessionStartTime": "2026-01-10T10:00:00", "sessionEndTime": "2026-01-10T10:01:00",
    })
}

/// One bad record of each kind, as bytes, and why it is rejected.
fn bad() -> Vec<(Vec<u8>, &'static str)> {
    let text = |value: Value| value.to_string().into_bytes();
    let no_start = "sessionStartTime is missing or cannot be read";
    let id = json!({"of": MARKER});
    vec![
        (
            text(json!({"sessionId": "", "conversationId": id, "sessionStartTime": "2026-01-10T10:00:00"})),
            "neither conversationId nor sessionId",
        ),
        (text(json!({"sessionId": "no-start", "userId": MARKER})), no_start),
        (
            text(json!({"sessionId": "odd-start", "sessionStartTime": MARKER})),
            no_start,
        ),
        (
            text(json!({"sessionId": "no-date", "sessionStartTime": "2026-02-30T10:00:00"})),
            no_start,
        ),
        (
            text(json!({"sessionId": MARKER.repeat(100), "sessionStartTime": "2026-01-10T10:00:00"})),
            "an id is longer than 512 bytes",
        ),
    ]
}

/// One element of each kind that is no record, and why it is rejected.
fn without_id() -> Vec<(Vec<u8>, &'static str)> {
    let text = |value: Value| value.to_string().into_bytes();
    vec![
        (
            text(json!({"sessionStartTime": "2026-01-10T10:00:00", "userId": MARKER})),
            "neither conversationId nor sessionId",
        ),
        (text(json!(MARKER)), "not an object"),
        (text(json!([good(1)])), "not an object"),
        (text(json!(null)), "not an object"),
        (text(json!(7)), "not an object"),
        (
            format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes(),
            "nested too deeply to be read",
        ),
    ]
}

/// A hundred good records, and these among them.
async fn with(others: Vec<(Vec<u8>, &'static str)>) -> Setup {
    let setup = Setup::start().await;
    let start = instant("2026-01-10T10:00:00Z");
    let mut world = setup.simulator.world();
    for nth in 0..100 {
        world.insert_raw(start, &good(nth));
    }
    for (record, _) in others {
        world.insert_raw_bytes(start, record);
    }
    drop(world);
    setup
}

#[tokio::test]
async fn good_records_are_loaded_beside_rejected_ones_of_each_kind() {
    let setup = with(bad()).await;
    let database = TestDatabase::migrated().await;
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(
        (report.counters.inserted, report.counters.rejected),
        (100, bad().len() as u64)
    );
    assert_rejected(&database, bad()).await;
}

#[tokio::test]
async fn elements_without_an_id_are_rejected_and_cover_nothing() {
    let setup = with(without_id()).await;
    let database = TestDatabase::migrated().await;
    let report = setup.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(
        report.watermark < Some(instant("2026-01-10T10:00:00Z")),
        "{report:?}"
    );
    assert_rejected(&database, without_id()).await;
    assert_eq!(database.text(WHY_SPLIT).await, "elements_without_id");
}

/// All good records are rows, and these are rejected for these reasons.
async fn assert_rejected(database: &TestDatabase, others: Vec<(Vec<u8>, &'static str)>) {
    assert_eq!(database.counts().await[0], 100);
    for (record, reason) in others {
        let stored = sqlx::query_scalar(
            "select count(*) from smartassist_sync.rejected_records where (payload = $1 or record_bytes = octet_length($1)) and reason = $2",
        );
        let stored: i64 = stored
            .bind(String::from_utf8(record).unwrap())
            .bind(reason)
            .fetch_one(&database.pool)
            .await
            .unwrap();
        assert_eq!(stored, 1, "{reason}");
    }
}

#[tokio::test]
async fn nothing_of_a_bad_record_shows_in_the_log() {
    let all = || [bad(), without_id()].concat();
    let mut setup = with(all()).await;
    setup.set("start_from", "2026-01-09");
    let database = TestDatabase::empty().await;
    let mut environment = setup.environment_on(&database).await;
    environment.insert(
        "SMARTASSIST_ETL__LOG__LEVEL".to_owned(),
        "trace,sqlx=trace".to_owned(),
    );
    let range = ["backfill", "--from", "2026-01-10", "--to", "2026-01-11"];
    let ended = Program::run(&range, &environment).await;
    assert_eq!(
        ended.code(),
        1,
        "what has no id covers nothing: {}",
        ended.last_word()
    );
    let kept = "select count(*) from smartassist_sync.rejected_records";
    assert_eq!(database.number(kept).await, i64::try_from(all().len()).unwrap());
    assert!(!ended.log.join("\n").contains(MARKER));
}

#[tokio::test]
async fn a_record_that_later_comes_well_resolves_its_rejection() {
    let setup = Setup::start().await;
    let start = instant("2026-01-10T10:00:00Z");
    setup.simulator.world().insert_raw(
        start,
        &json!({"conversationId": "c-001", "sessionStartTime": "?"}),
    );
    setup.simulator.world().insert_raw(
        start,
        &json!({"conversationId": "c-002", "sessionStartTime": "?"}),
    );
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let open = "select string_agg(payload::jsonb ->> 'conversationId', ' ' order by payload) from smartassist_sync.rejected_records \
                where resolved_at is null and interaction_key is not null";
    assert_eq!(database.text(open).await, "c-001 c-002");

    setup.simulator.world().insert_raw(start, &good(1));
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    setup.sync(&database).await;
    // c-001 is still sent as it was, too: it is well and rejected in one window, so it stays open.
    assert_eq!(database.text(open).await, "c-001 c-002");
    assert_eq!(database.counts().await[0], 1);
}

#[tokio::test]
async fn a_rejection_without_id_is_resolved_once_its_range_is_drained() {
    let start = instant("2026-01-10T10:00:00Z");
    let setup = Setup::start().await;
    setup.simulator.world().insert_raw(start, &good(1));
    for (record, _) in without_id() {
        setup.simulator.world().insert_raw_bytes(start, record);
    }
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    let open = "select count(*) from smartassist_sync.rejected_records where resolved_at is null";
    let all = i64::try_from(without_id().len()).unwrap();
    assert_eq!(database.number(open).await, all);
    // While it stands, other stretches are read and say nothing of it.
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Failed);
    assert_eq!(database.number(open).await, all);

    let repaired = Setup::start().await;
    repaired.pass(TimeDelta::minutes(1));
    repaired.simulator.world().insert_raw(start, &good(1));
    // A gap rests before it is tried again.
    database
        .execute("update smartassist_sync.windows set finished_at = finished_at - interval '1 day'")
        .await;
    let report = repaired.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    assert_eq!(database.number(open).await, 0);
}

#[tokio::test]
async fn a_rejection_without_id_is_not_resolved_by_verification() {
    let start = instant("2026-01-10T10:00:00Z");
    let setup = Setup::start().await;
    setup.simulator.world().insert_raw(start, &good(1));
    for (record, _) in without_id() {
        setup.simulator.world().insert_raw_bytes(start, record);
    }
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    // As where the run ended before it had halved the window.
    database
        .execute("update smartassist_sync.rejected_records set range = '[2026-01-01Z,2026-02-01Z)'")
        .await;
    // A verification stores no rejection, so its window says nothing about one.
    database
        .execute(
            "insert into smartassist_sync.windows (account_id, run_id, range, purpose, status, token, started_at, finished_at) \
             select fetched.account_id, fetched.run_id, rejected.range, 'verify', 'compared', fetched.token, later.at, later.at \
             from smartassist_sync.rejected_records as rejected \
                 join smartassist_sync.windows as fetched using (account_id) \
                 cross join lateral (select rejected.last_seen_at + interval '1 second' as at) as later \
             order by rejected.last_seen_at desc limit 1",
        )
        .await;
    let repaired = Setup::start().await;
    repaired.pass(TimeDelta::minutes(1));
    repaired.simulator.world().insert_raw(start, &good(1));
    database
        .execute("update smartassist_sync.windows set finished_at = finished_at - interval '1 day' where status = 'gap'")
        .await;
    let report = repaired.sync(&database).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    let open = "select count(*) from smartassist_sync.rejected_records where resolved_at is null";
    assert_eq!(
        database.number(open).await,
        i64::try_from(without_id().len()).unwrap()
    );
}

#[tokio::test]
async fn a_field_that_is_not_known_is_told_once_and_counted() {
    let setup = Setup::start().await;
    let start = instant("2026-01-10T10:00:00Z");
    let mut record = good(1);
    record["mood"] = json!({"is": MARKER});
    record["metaInfo"] = json!({"anything": MARKER});
    record["isVoicemail"] = json!("perhaps");
    record["destinations"] =
        json!([{"queueId": "q", "respondingAgent": {"agentId": "a", "mood": MARKER}}, MARKER]);
    record["+49 30 1234567"] = json!(1);
    setup.simulator.world().insert_raw(start, &record);
    let database = TestDatabase::migrated().await;
    let drift = "select string_agg(path || ' ' || json_type || ' ' || times_seen, ', ' order by path collate \"C\") \
                 from smartassist_sync.schema_drift";
    setup.sync(&database).await;
    let once = "* number 1, destinations[].respondingAgent.mood string 1, mood object 1";
    assert_eq!(database.text(drift).await, once);
    let versions = database.row_versions().await;
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await;
    setup.sync(&database).await;
    assert_eq!(database.text(drift).await, once.replace(" 1", " 2"));
    assert_eq!(database.row_versions().await, versions);
    let extra = "select extra::text from smartassist.sessions";
    assert!(database.text(extra).await.contains(MARKER));
}

#[tokio::test]
async fn an_unknown_field_is_logged_once() {
    let mut setup = Setup::start().await;
    setup.set("start_from", "2026-01-09");
    let mut record = good(1);
    record["mood"] = json!(MARKER);
    setup
        .simulator
        .world()
        .insert_raw(instant("2026-01-10T10:00:00Z"), &record);
    let database = TestDatabase::empty().await;
    let environment = setup.environment_on(&database).await;
    let range = [
        "backfill",
        "--from",
        "2026-01-10",
        "--to",
        "2026-01-11",
        "--refetch",
    ];
    for told in [1, 0] {
        let ended = Program::run(&range, &environment).await;
        assert_eq!(ended.code(), 0, "{}", ended.last_word());
        let events = ended.events("the API sends a field that is not known");
        assert_eq!(events.len(), told);
        for event in events {
            assert_eq!(
                (&event["path"], &event["json_type"]),
                (&json!("mood"), &json!("string"))
            );
        }
    }
}

#[tokio::test]
async fn names_that_are_made_up_anew_do_not_fill_the_table() {
    let setup = Setup::start().await;
    let mut record = good(1);
    let name = |nth: usize| {
        let letters = [nth / 676, nth / 26 % 26, nth % 26];
        letters
            .map(|letter| char::from(b'a' + u8::try_from(letter).unwrap()))
            .iter()
            .collect::<String>()
    };
    for nth in 0..1_200 {
        record[format!("field_{}", name(nth))] = json!(1);
    }
    setup
        .simulator
        .world()
        .insert_raw(instant("2026-01-10T10:00:00Z"), &record);
    let database = TestDatabase::migrated().await;
    setup.sync(&database).await;
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.schema_drift")
            .await,
        1_000
    );
    assert_eq!(database.counts().await[0], 1);
}
