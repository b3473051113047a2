//! What is written of a window: new rows by COPY, changed ones in place, and no record that PostgreSQL refuses.

use std::time::Duration;

use serde_json::{Value, json};
use smartassist_etl::ledger::Status;

use super::desk::{Desk, Reading, at, conversation, window};

fn reading<'a>(records: &'a [Value], time: &str) -> Reading<'a> {
    Reading {
        window: window("10:00:00", "11:00:00"),
        status: Status::Drained,
        records,
        rejected: &[],
        at: at(time),
    }
}

fn with(id: &str, field: &str, value: Value) -> Value {
    let mut record = conversation(id, "10:10:00", Some("10:20:00"));
    record[field] = value;
    record
}

/// Which row versions of a table were written by which transaction.
fn versions(table: &str) -> String {
    format!("select string_agg(xmin::text, ' ' order by interaction_key) from smartassist.{table}")
}

#[tokio::test]
async fn of_a_change_only_the_groups_that_differ_are_written() {
    let mut desk = Desk::open().await;
    let tag = |value: &str| json!([{"name": "tier", "value": value}]);
    let before = with("a", "userleveltags", tag("gold"));
    desk.drained(std::slice::from_ref(&before), "12:00:00").await;
    desk.database
        .execute(
            "create table public.notes (interaction_key uuid references smartassist.sessions on delete cascade); \
             insert into public.notes select interaction_key from smartassist.sessions",
        )
        .await;
    let tables = [
        "sessions",
        "raw_interactions",
        "destinations",
        "agent_segments",
        "tags",
    ];
    let mut ended = before.clone();
    ended["csatScore"] = json!(5);
    let mut agent = ended.clone();
    agent["destinations"][0]["respondingAgent"]["agentId"] = json!("b");
    let mut tags = agent.clone();
    tags["userleveltags"] = tag("silver");
    for (record, time, written) in [
        (ended, "12:01:00", [true, true, false, false, false]),
        (agent, "12:02:00", [true, true, true, true, false]),
        (tags, "12:03:00", [true, true, false, false, true]),
    ] {
        let mut stood = Vec::new();
        for table in tables {
            stood.push(desk.database.text(&versions(table)).await);
        }
        let counters = desk.reread(&[record], time).await;
        assert_eq!((counters.inserted, counters.updated), (0, 1));
        for ((table, stood), is_written) in tables.iter().zip(stood).zip(written) {
            assert_eq!(
                desk.database.text(&versions(table)).await != stood,
                is_written,
                "{table} at {time}"
            );
        }
    }
    let session = "select to_char(first_seen_at at time zone 'UTC', 'HH24:MI') || to_char(last_changed_at at time zone 'UTC', ' HH24:MI') \
                   from smartassist.sessions";
    assert_eq!(desk.database.text(session).await, "12:00 12:03");
    assert_eq!(desk.database.number("select count(*) from public.notes").await, 1);
}

#[tokio::test]
async fn a_record_that_postgresql_refuses_is_rejected_alone() {
    let mut desk = Desk::open().await;
    desk.database
        .execute(
            "alter table smartassist.sessions add constraint no_bad check (channel <> 'bad'); \
             alter table smartassist.tags add constraint no_bad check (name <> 'bad')",
        )
        .await;
    let good = |id: &str| conversation(id, "10:10:00", Some("10:20:00"));
    let records = [
        good("a"),
        with("b", "channel", json!("bad")),
        good("c"),
        with("d", "userleveltags", json!([{"name": "bad"}])),
    ];
    let counters = desk
        .commit(&reading(&records, "12:00:00"))
        .await
        .unwrap()
        .counters;
    assert_eq!((counters.inserted, counters.rejected), (2, 2));
    let reasons = "select string_agg(reason || ' ' || (payload::jsonb ->> 'conversationId'), ', ' order by reason) \
                   from smartassist_sync.rejected_records where interaction_key is not null";
    assert_eq!(
        desk.database.text(reasons).await,
        "PostgreSQL refuses a row of smartassist.sessions b, PostgreSQL refuses a row of smartassist.tags d"
    );
    let covered = "select count(*) from smartassist_sync.accounts, unnest(coverage)";
    assert_eq!(desk.database.number(covered).await, 1);

    // One that changes into what is refused stays as it was.
    let changed = [
        with("a", "channel", json!("bad")),
        with("c", "channel", json!("fine")),
    ];
    let counters = desk.reread(&changed, "12:10:00").await;
    assert_eq!((counters.updated, counters.rejected), (1, 1));
    let channels =
        "select string_agg(coalesce(channel, '-'), ' ' order by conversation_id) from smartassist.sessions";
    assert_eq!(desk.database.text(channels).await, "- fine");
}

#[tokio::test]
async fn however_many_are_refused_all_others_are_written() {
    let mut desk = Desk::open().await;
    desk.database
        .execute("alter table smartassist.agent_segments add constraint no_bad check (agent_id <> 'bad')")
        .await;
    let record = |n: usize, is_bad: bool| {
        let mut record = conversation(&format!("c-{n}"), "10:10:00", None);
        record["destinations"][0]["respondingAgent"]["agentId"] = json!(if is_bad { "bad" } else { "a" });
        record
    };
    let records: Vec<Value> = (0..40).map(|n| record(n, n % 2 == 0)).collect();
    let first = desk.commit(&reading(&records, "12:00:00")).await.unwrap();
    assert_eq!((first.counters.inserted, first.counters.rejected), (20, 20));
    assert_eq!(desk.database.counts().await[..3], [20, 20, 20]);

    // What is refused no longer is taken, and what is the same is not written again.
    desk.database
        .execute("alter table smartassist.agent_segments drop constraint no_bad")
        .await;
    let again = desk.reread(&records, "12:10:00").await;
    assert_eq!((again.inserted, again.updated, again.unchanged), (20, 0, 20));
    let open = "select count(*) from smartassist_sync.rejected_records where resolved_at is null";
    assert_eq!(desk.database.number(open).await, 0);
}

#[tokio::test]
async fn a_window_of_nothing_but_refused_records_fails() {
    let desk = Desk::open().await;
    desk.database
        .execute("alter table smartassist.sessions add constraint none check (false)")
        .await;
    let records: Vec<Value> = (0..20)
        .map(|n| conversation(&format!("c-{n}"), "10:10:00", None))
        .collect();
    let failed = desk.commit(&reading(&records, "12:00:00")).await.unwrap_err();
    assert!(failed.is_of_the_data(), "{failed:?}");
    assert_eq!(desk.database.counts().await, [0; 7]);
}

#[tokio::test]
async fn a_copy_that_is_given_up_leaves_no_broken_connection() {
    let desk = Desk::open().await;
    let records: Vec<Value> = (0..300)
        .map(|n| conversation(&format!("c-{n}"), "10:10:00", None))
        .collect();
    let mut given_up = 0;
    for nth in 0..60 {
        let patience = Duration::from_micros(500 * nth);
        let committed = tokio::time::timeout(patience, desk.commit(&reading(&records, "12:00:00"))).await;
        given_up += u32::from(committed.is_err());
        for number in 0..3 {
            let sql = format!("select {}::bigint", 10 * nth + number);
            assert_eq!(
                desk.database.number(&sql).await,
                i64::try_from(10 * nth + number).unwrap()
            );
        }
        desk.database.execute("delete from smartassist.sessions").await;
    }
    assert!(given_up > 5, "{given_up}");
    desk.commit(&reading(&records, "12:00:01")).await.unwrap();
    assert_eq!(desk.database.counts().await[0], 300);
}
