//! Settings of the role, the database or the server that change what a statement means: none of them reaches
//! one of ours.

use std::collections::HashMap;

use super::watch;
use crate::support::{Program, Setup, TestDatabase, database, days_ago, midnight};

/// Each as far from its default as it goes.
const ODD: [&str; 21] = [
    "search_path = public",
    "standard_conforming_strings = off",
    "backslash_quote = off",
    "escape_string_warning = on",
    "transform_null_equals = on",
    "array_nulls = off",
    "quote_all_identifiers = on",
    "client_encoding = 'LATIN1'",
    "timezone = 'Pacific/Apia'",
    "datestyle = 'SQL, DMY'",
    "intervalstyle = sql_standard",
    "bytea_output = escape",
    "extra_float_digits = -15",
    "xmloption = document",
    "row_security = on",
    "gin_fuzzy_search_limit = 1",
    "exit_on_error = on",
    "default_transaction_isolation = serializable",
    "default_transaction_deferrable = on",
    "client_min_messages = debug1",
    "lock_timeout = '1ms'",
];

/// What only newer servers know, and from which version on.
const NEWER: [(i64, &str); 1] = [(17, "transaction_timeout = '50ms'")];

/// A role that owns the database and has all of them.
async fn odd_role(database: &TestDatabase) -> HashMap<String, String> {
    let role = format!("odd_{}", database.name);
    let major = database
        .number("select current_setting('server_version_num')::bigint / 10000")
        .await;
    let newer = NEWER.iter().filter(|(since, _)| *since <= major);
    let settings = ODD.iter().chain(newer.map(|(_, setting)| setting));
    let settings: String = settings
        .map(|setting| format!("alter role {role} set {setting}; "))
        .collect();
    database
        .execute(&format!(
            "create role {role} login password 'x'; alter database {} owner to {role}; {settings}",
            database.name
        ))
        .await;
    let options = (*database.pool.options()).clone().username(&role).password("x");
    HashMap::from([
        ("DATABASE_URL".to_owned(), database::url(&options)),
        ("SMARTASSIST_ETL__PRIVACY__KEY".to_owned(), "k".repeat(32)),
    ])
}

#[tokio::test]
async fn settings_of_the_role_change_nothing() {
    let database = TestDatabase::empty().await;
    let mut setup = Setup::live().await;
    setup.set("start_from", &days_ago(2));
    setup.seed_days(4, 2, 0, 300);
    let start = midnight() - chrono::TimeDelta::hours(3);
    let record = serde_json::json!({
        "sessionId": "s-null", "channel": "Voice", "sessionStartTime": start, "dispositions": ["x", null, "y"],
    });
    setup.simulator.world().insert_raw(start, &record);
    let mut environment = setup.environment();
    environment.extend(odd_role(&database).await);
    let (from, to) = (days_ago(2), days_ago(0));
    let commands: [&[&str]; 9] = [
        &["migrate"],
        &["sync"],
        &["status"],
        &["doctor"],
        &["verify", "--by-identity", "--from", &from, "--to", &to],
        &["backfill", "--refetch", "--from", &from, "--to", &to],
        &["replay"],
        &["retry-rejected"],
        &["erase", "--email", "nobody@example.com"],
    ];
    for command in commands {
        let ended = Program::run(command, &environment).await;
        assert_eq!(
            ended.code(),
            0,
            "{command:?}\n{}\n{}",
            ended.stdout,
            ended.log.join("\n")
        );
    }
    let rewritten =
        "select count(*) from smartassist_sync.runs where kind in ('backfill', 'replay') and updated > 0";
    assert_eq!(database.number(rewritten).await, 0);
    watch::same_as_a_fresh_load(&setup, &database).await;
}
