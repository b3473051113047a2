//! PostgreSQL as the judge: whatever the transform made of a record is what the tables hold.

mod shapes;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use smartassist_etl::ledger::Status;
use smartassist_etl::transform::Interaction;
use sqlx::{AssertSqlSafe, Row};

use shapes::{Kind, RECORD};

use super::desk::{Desk, Reading, at, read, window};

/// What SQL, array literals, JSON and encodings give a meaning to, between characters of all kinds.
fn text() -> impl Strategy<Value = String> {
    let special = proptest::sample::select(
        &[
            "'",
            "''",
            "\"",
            "\\",
            "\\\\",
            "{",
            "}",
            ",",
            "{a,NULL}",
            "NULL",
            "null",
            "$1",
            "%s",
            "\n",
            "\r\n",
            "\t",
            "\u{1}",
            "\0",
            "\\u0000",
            "\u{7f}",
            "\u{fffd}",
            "\u{feff}",
            "\u{202e}",
            "e\u{301}",
            "😀",
            "\u{10ffff}",
            " ",
        ][..],
    );
    let piece = prop_oneof![
        3 => special.prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z0-9]{0,6}",
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn number() -> impl Strategy<Value = Value> {
    let edge = proptest::sample::select(
        &[
            "0",
            "-0",
            "-0.0",
            "1e-7",
            "1.10",
            "1E+2",
            "1e308",
            "1e9999",
            "-1e9999",
            "1e-9999",
            "1e99999",
            "2147483647",
            "-2147483648",
            "2147483648",
            "9223372036854775808",
            "0.1000000000000000055511151231257827",
            "123456789012345678901234567890.123456789012345678901234567890",
        ][..],
    );
    prop_oneof![
        edge.prop_map(|number| serde_json::from_str(number).unwrap()),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ]
}

/// From the first to the last day that can be written, in any zone, to any fraction of a second.
fn stamp() -> impl Strategy<Value = String> {
    let year = prop_oneof![Just(2001), Just(2098), 2001..=2098, 2020..2030];
    let day = prop_oneof![Just((1, 1)), Just((12, 31)), (1..=12, 1..=28)];
    let time = proptest::sample::select(
        &[
            "00:00:00",
            "23:59:59.999999",
            "23:59:60",
            "2:25:54.5",
            "12:00:00.123456789",
        ][..],
    );
    let zone = proptest::sample::select(&["", "Z", "+14:00", "-12:00", "+05:30", "-00:01"][..]);
    (year, day, time, zone)
        .prop_map(|(year, (month, day), time, zone)| format!("{year:04}-{month:02}-{day:02}T{time}{zone}"))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        text().prop_map(Value::from),
        stamp().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn value(kind: Kind) -> BoxedStrategy<Value> {
    let flags = || {
        proptest::sample::select(vec![
            json!("YES"),
            json!("NO"),
            json!(true),
            json!(0),
            json!("perhaps"),
        ])
    };
    match kind {
        Kind::Text => text().prop_map(Value::from).boxed(),
        Kind::Flag => flags().boxed(),
        Kind::Integer => prop_oneof![any::<i32>().prop_map(Value::from), number()].boxed(),
        Kind::Instant => stamp().prop_map(Value::from).boxed(),
        Kind::Texts => {
            let item = prop_oneof![4 => text().prop_map(Value::from), 1 => Just(Value::Null), 1 => number()];
            vec(item, 0..4).prop_map(Value::from).boxed()
        }
        Kind::Json => any_json().boxed(),
        Kind::Object(fields) => object(fields),
        Kind::List(fields) => vec(object(fields), 0..3).prop_map(Value::from).boxed(),
    }
}

/// An object with most of these fields, and now and then something else altogether in one.
fn object(fields: &'static [(Kind, &'static [&'static str])]) -> BoxedStrategy<Value> {
    let named = fields
        .iter()
        .flat_map(|(kind, names)| names.iter().map(|name| (*kind, *name)));
    let fields: Vec<_> = named
        .map(|(kind, name)| {
            prop_oneof![
                6 => value(kind).prop_map(Some),
                1 => Just(None),
                1 => any_json().prop_map(Some),
            ]
            .prop_map(move |value| value.map(|value| (name.to_owned(), value)))
        })
        .collect();
    fields
        .prop_map(|fields| Value::Object(fields.into_iter().flatten().collect()))
        .boxed()
}

/// Records of these numbers; no two have the same id.
fn records(runner: &mut TestRunner, numbers: std::ops::Range<usize>) -> Vec<Value> {
    let strategy = (object(RECORD), stamp(), text());
    numbers
        .map(|number| {
            let (mut record, start, id) = strategy.new_tree(runner).unwrap().current();
            record["conversationId"] = format!("{id}{number}").into();
            record["sessionId"] = format!("s-{number}").into();
            record["sessionStartTime"] = start.into();
            record
        })
        .collect()
}

/// What a table is to hold: its key, and its rows in the order of that key.
struct Expected {
    table: &'static str,
    key: &'static str,
    rows: Vec<Value>,
}

/// The rows of all interactions, which come in the order of their keys.
fn expected(interactions: &[Interaction]) -> [Expected; 7] {
    let mut tables = [
        ("sessions", "interaction_key"),
        ("destinations", "interaction_key, destination_index"),
        (
            "agent_segments",
            "interaction_key, destination_index, segment_index",
        ),
        (
            "consultations",
            "interaction_key, destination_index, segment_index, consultation_index",
        ),
        ("tags", "interaction_key, tag_scope, tag_index"),
        (
            "joined_users",
            "interaction_key, destination_index, segment_index, user_index",
        ),
        ("raw_interactions", "interaction_key"),
    ]
    .map(|(table, key)| Expected {
        table,
        key,
        rows: Vec::new(),
    });
    for interaction in interactions {
        let mut rows = serde_json::to_value(&interaction.rows).unwrap();
        let hash = interaction
            .content_hash
            .map(|byte| format!("{byte:02x}"))
            .concat();
        rows["session"]["content_hash"] = hash.into();
        rows["session"]["interaction_key"] = json!(interaction.key.to_string());
        tables[0].rows.push(rows["session"].take());
        for table in &mut tables[1..6] {
            let Value::Array(list) = rows[table.table].take() else {
                panic!("a list")
            };
            table.rows.extend(list.into_iter().map(|mut row| {
                row["interaction_key"] = json!(interaction.key.to_string());
                row
            }));
        }
        let payload: Value = serde_json::from_str(&interaction.payload).unwrap();
        tables[6]
            .rows
            .push(json!({"interaction_key": interaction.key.to_string(), "payload": payload}));
    }
    tables
}

/// Columns that say how and when a row was written, rather than what was sent.
const CONSTANTS: [&str; 6] = [
    "account_id",
    "first_seen_at",
    "last_changed_at",
    "missing_since",
    "time_zone_offset",
    "fetched_at",
];

/// The columns of a table and their types, as the database has them: none can be forgotten here.
async fn columns(desk: &Desk, table: &str) -> Vec<(String, String)> {
    sqlx::query_as(
        "select column_name::text, data_type::text from information_schema.columns \
         where table_schema = 'smartassist' and table_name = $1 and column_name <> all($2) order by ordinal_position",
    )
    .bind(table)
    .bind(&CONSTANTS[..])
    .fetch_all(&desk.database.pool)
    .await
    .unwrap()
}

/// A column as JSON text, without what its type's own output would round or spell differently.
fn shown(name: &str, sql_type: &str) -> String {
    match sql_type {
        "timestamp with time zone" => {
            format!("to_jsonb((extract(epoch from {name}) * 1000000)::bigint)::text")
        }
        "bytea" => format!("to_jsonb(encode({name}, 'hex'))::text"),
        "jsonb" => format!("{name}::text"),
        _ => format!("to_jsonb({name})::text"),
    }
}

/// The same of a value that was meant for such a column; `None` is NULL.
fn meant(value: Value, sql_type: &str) -> Option<Value> {
    match value {
        Value::Null => None,
        stamp if sql_type == "timestamp with time zone" => {
            let instant: DateTime<Utc> = serde_json::from_value(stamp).unwrap();
            Some(instant.timestamp_micros().into())
        }
        value => Some(value),
    }
}

/// Asserts that a table holds these rows and no others. JSON is compared by PostgreSQL itself.
async fn assert_holds(desk: &Desk, expected: Expected) {
    let Expected { table, key, rows } = expected;
    let columns = columns(desk, table).await;
    let list: Vec<String> = columns
        .iter()
        .map(|(name, sql_type)| shown(name, sql_type))
        .collect();
    let sql = format!(
        "select {} from smartassist.{table} order by {key}",
        list.join(", ")
    );
    let stored = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(&desk.database.pool)
        .await
        .unwrap();
    assert_eq!(stored.len(), rows.len(), "rows of {table}");
    let mut documents: BTreeMap<&str, [Vec<Option<String>>; 2]> = BTreeMap::new();
    for (stored, row) in stored.iter().zip(rows) {
        let Value::Object(mut row) = row else {
            panic!("a row")
        };
        for (place, (name, sql_type)) in columns.iter().enumerate() {
            let value = row
                .remove(name)
                .unwrap_or_else(|| panic!("{table}.{name} is filled by nothing"));
            let meant = meant(value, sql_type);
            let stored: Option<String> = stored.get(place);
            if sql_type == "jsonb" {
                let [left, right] = documents.entry(name).or_default();
                left.push(stored);
                right.push(meant.map(|value| value.to_string()));
            } else {
                let stored = stored.map(|text| serde_json::from_str::<Value>(&text).unwrap());
                assert_eq!(stored, meant, "{table}.{name}");
            }
        }
        assert_eq!(row, Map::new(), "{table} has no column for this");
    }
    for (name, [stored, meant]) in documents {
        let different: Vec<(Option<String>, Option<String>)> = sqlx::query_as(
            "select stored, meant from unnest($1::text[], $2::text[]) as u(stored, meant) \
             where stored::jsonb is distinct from meant::jsonb",
        )
        .bind(stored)
        .bind(meant)
        .fetch_all(&desk.database.pool)
        .await
        .unwrap();
        assert_eq!(different, [], "{table}.{name}");
    }
}

#[tokio::test]
async fn every_column_holds_what_the_transform_meant() {
    let desk = Desk::open().await;
    let mut runner = TestRunner::deterministic();
    let first = records(&mut runner, 0..200);
    let mut second = records(&mut runner, 200..400);
    // Half of the first are read again with other contents: what is rewritten must come whole, too.
    let mut changed = records(&mut runner, 0..100);
    for (changed, record) in changed.iter_mut().zip(&first) {
        changed["conversationId"] = record["conversationId"].clone();
    }
    second.extend(changed.iter().cloned());
    for (records, start, end) in [
        (&first, "08:00:00", "09:00:00"),
        (&second, "09:00:00", "10:00:00"),
    ] {
        let reading = Reading {
            window: window(start, end),
            status: Status::Drained,
            records,
            rejected: &[],
            at: at("12:00:00"),
        };
        desk.commit(&reading).await.unwrap();
    }
    let mut kept: Vec<Interaction> = second.iter().chain(&first[100..]).map(read).collect();
    kept.sort_by_key(|interaction| interaction.key);
    for table in expected(&kept) {
        assert!(
            table.rows.len() >= 100,
            "too few rows of {} to say much",
            table.table
        );
        assert_holds(&desk, table).await;
    }
}
