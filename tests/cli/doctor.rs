//! `doctor`: what it says of servers of all kinds, and of what is not there.

use std::collections::HashMap;

use chrono::TimeDelta;
use serde_json::Value;
use smartassist_simulator::{Behaviour, NumResults, OffsetUnit, PastOffset, Seed};

use crate::support::{Program, Setup, TestDatabase, real_now};

/// 1,050 interactions of the last week.
async fn busy() -> Setup {
    let setup = Setup::live().await;
    // Up to now: what doctor looks at is the newest part, at any hour of the day.
    let seed = Seed::new(21, real_now() - TimeDelta::days(6), real_now(), 1_050);
    setup.simulator.world().seed(&seed);
    setup
}

async fn environment(setup: &Setup, database: &TestDatabase) -> HashMap<String, String> {
    let mut environment = setup.environment();
    environment.insert("DATABASE_URL".to_owned(), database.url().await);
    environment
}

struct Diagnosis {
    code: i32,
    report: Value,
}

impl Diagnosis {
    async fn of(environment: &HashMap<String, String>) -> Self {
        let ended = Program::run(&["doctor", "--json"], environment).await;
        let report =
            serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.log.join("\n")));
        Self {
            code: ended.code(),
            report,
        }
    }

    /// Status and finding of a check.
    fn check(&self, name: &str) -> (&str, &str) {
        let checks = self.report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == name);
        let check = check.unwrap_or_else(|| panic!("no {name} in {:#}", self.report));
        (
            check["status"].as_str().unwrap(),
            check["found"].as_str().unwrap(),
        )
    }

    #[track_caller]
    fn assert(&self, name: &str, status: &str, found: &str) {
        let check = self.check(name);
        assert!(check.0 == status && check.1.contains(found), "{name}: {check:?}");
    }
}

#[tokio::test]
async fn a_healthy_account_is_all_ok_and_nothing_is_written() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let environment = environment(&setup, &database).await;
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 0, "{:#}", diagnosis.report);
    for check in diagnosis.report["checks"].as_array().unwrap() {
        assert_eq!(check["status"], "ok", "{check}");
        assert!(check["found"].is_string() && check.get("means").is_some() && check.get("remedy").is_some());
    }
    diagnosis.assert("API", "ok", "it lets us in");
    diagnosis.assert("database schema", "ok", "up to date");
    diagnosis.assert("totals", "ok", "number of all records of a window (seen now)");
    diagnosis.assert("offset", "ok", "counts pages");
    diagnosis.assert("order of rows", "ok", "none by start");
    diagnosis.assert("longest window", "ok", "7 days");
    diagnosis.assert("pages served", "ok", " of 11 at least (seen now)");
    diagnosis.assert("time stamps", "ok", "agree");
    diagnosis.assert("clocks", "ok", "API's clock is");
    let requests = setup.simulator.world().counters().requests;
    assert_eq!(diagnosis.report["requests"], requests);
    assert!(requests <= 7, "{requests}");
    assert_eq!(database.counts().await, [0; 6]);
    let books = "select (select count(*) from smartassist_sync.leases) + (select count(*) from smartassist_sync.runs) \
                 + (select count(*) from smartassist_sync.accounts)";
    assert_eq!(database.number(books).await, 0);
}

#[tokio::test]
async fn what_earlier_runs_learned_is_told_where_little_can_be_seen_now() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(22, 2, 1, 1_500);
    let environment = environment(&setup, &database).await;
    let unknown = Setup::live().await;
    unknown.simulator.world().arrive(5, TimeDelta::hours(3));
    let diagnosis = Diagnosis::of(&self::environment(&unknown, &database).await).await;
    for check in ["totals", "offset", "order of rows", "pages served", "time stamps"] {
        diagnosis.assert(check, "ok", "unknown yet");
    }
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    let emptied = self::environment(&unknown, &database).await;
    let diagnosis = Diagnosis::of(&emptied).await;
    diagnosis.assert("totals", "ok", "learned by earlier runs");
    diagnosis.assert("offset", "ok", "learned by earlier runs");
}

#[tokio::test]
async fn servers_of_other_habits_are_named() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let environment = environment(&setup, &database).await;
    let behave = |change: &dyn Fn(&mut Behaviour)| {
        let mut behaviour = Behaviour::default();
        change(&mut behaviour);
        setup.simulator.world().set_behaviour(behaviour);
    };
    behave(&|behaviour| behaviour.offset_unit = OffsetUnit::Records);
    let diagnosis = Diagnosis::of(&environment).await;
    diagnosis.assert("offset", "warning", "offset counts records");
    diagnosis.assert("pages served", "warning", "page 2 of a window is not served");
    assert_eq!(diagnosis.code, 0);

    behave(&|behaviour| behaviour.num_results = NumResults::Absent);
    Diagnosis::of(&environment)
        .await
        .assert("totals", "ok", "there is no numResults");
    behave(&|behaviour| behaviour.num_results = NumResults::Page);
    let diagnosis = Diagnosis::of(&environment).await;
    diagnosis.assert("totals", "ok", "only counts the page");
    diagnosis.assert("offset", "ok", "counts pages");

    behave(&|behaviour| behaviour.past_offset = PastOffset::Empty);
    setup.simulator.world().limits.max_offset = 3;
    let diagnosis = Diagnosis::of(&environment).await;
    diagnosis.assert("pages served", "warning", "is not served, of 11 documented");

    behave(&|behaviour| behaviour.stamp_shift = TimeDelta::minutes(330));
    setup.simulator.world().limits.max_days = 1;
    let diagnosis = Diagnosis::of(&environment).await;
    diagnosis.assert("time stamps", "failed", "are -330 minutes later");
    diagnosis.assert("longest window", "warning", "7 days are refused");
    assert_eq!(diagnosis.code, 1);
}

#[tokio::test]
async fn a_refused_sign_in_is_exit_code_3_and_names_what_to_check() {
    let database = TestDatabase::migrated().await;
    let mut setup = busy().await;
    setup.set("client_secret", "wrong-secret-0123456789abcdef-wrong");
    let ended = Program::run(&["doctor"], &environment(&setup, &database).await).await;
    assert_eq!(ended.code(), 3);
    let line = "failed   main: API: the API refused us (status 401 Unauthorized)\n";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("remedy: check client_id, client_secret"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("wrong-secret"));
    assert!(ended.last_word().contains("something has to be mended"));
}

#[tokio::test]
async fn a_database_out_of_reach_is_exit_code_4_and_the_api_is_looked_at_all_the_same() {
    let setup = busy().await;
    let mut environment = setup.environment();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    environment.insert(
        "DATABASE_URL".to_owned(),
        format!("postgres://etl:hunter2@{closed}/warehouse"),
    );
    environment.insert(
        "SMARTASSIST_ETL__DATABASE__CONNECT_TIMEOUT_SECONDS".to_owned(),
        "1".to_owned(),
    );
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 4);
    diagnosis.assert("database", "failed", "out of reach");
    diagnosis.assert("API", "ok", "it lets us in");
    assert!(!diagnosis.report.to_string().contains("hunter2"));
}

#[tokio::test]
async fn an_empty_database_and_none_at_all_are_warnings() {
    let database = TestDatabase::empty().await;
    let setup = busy().await;
    let mut environment = environment(&setup, &database).await;
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 0, "{:#}", diagnosis.report);
    diagnosis.assert("database schema", "warning", "no tables of ours yet");
    diagnosis.assert("totals", "ok", "seen now");
    assert_eq!(
        database
            .number("select count(*) from pg_namespace where nspname ~ 'smartassist'")
            .await,
        0
    );

    environment.remove("DATABASE_URL");
    let nowhere = tempfile::tempdir().unwrap();
    let data_dir = nowhere.path().join("data");
    environment.insert(
        "SMARTASSIST_ETL__DATA_DIR".to_owned(),
        data_dir.to_str().unwrap().to_owned(),
    );
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 0);
    diagnosis.assert("database", "warning", "none yet");
    assert!(!data_dir.exists());
}

#[tokio::test]
async fn a_user_without_rights_is_told_which_are_missing() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let role = format!("poor_{}", database.name);
    database
        .execute(&format!(
            "create role {role} login password 'hunter2'; grant usage on schema smartassist_sync to {role}"
        ))
        .await;
    let mut environment = environment(&setup, &database).await;
    let url = environment["DATABASE_URL"].clone();
    let (_, rest) = url.split_once('@').unwrap();
    environment.insert(
        "DATABASE_URL".to_owned(),
        format!("postgres://{role}:hunter2@{rest}"),
    );
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 1, "{:#}", diagnosis.report);
    diagnosis.assert("database rights", "failed", "usage on schema smartassist,");
    diagnosis.assert(
        "database rights",
        "failed",
        "insert on table smartassist_sync.windows",
    );
}

#[tokio::test]
async fn nothing_of_a_person_is_in_what_the_doctor_says() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let mut environment = environment(&setup, &database).await;
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    environment.insert("SMARTASSIST_ETL__LOG__LEVEL".to_owned(), "trace".to_owned());
    let ended = Program::run(&["doctor"], &environment).await;
    assert_eq!(ended.code(), 0, "{}", ended.stdout);
    let said = ended.stdout + &ended.log.join("\n");
    let personal = "select string_agg(distinct value, E'\\x01') from ( \
                    select text #>> '{}' as value from smartassist.raw_interactions, \
                    jsonb_path_query(payload, 'strict $.**') text where jsonb_typeof(text) = 'string') texts \
                    where length(value) > 8 and value !~ '^20[0-9-]+T' and value not like 'st-%'";
    for value in database.text(personal).await.split('\x01') {
        assert!(!said.contains(value), "{value}");
    }
}
