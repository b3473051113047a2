//! `doctor`: what it says of servers of all kinds, and of what is not there.

mod api;
mod database;
mod reach;
mod readers;
mod secrets;
mod text;

use std::collections::HashMap;

use chrono::TimeDelta;
use serde_json::Value;
use smartassist_etl::postgres::migrate;
use smartassist_simulator::Seed;

use crate::support::{Program, Setup, TestDatabase, real_now};

/// 1,050 interactions of the last day.
async fn busy() -> Setup {
    let setup = Setup::live().await;
    // Up to now: what doctor looks at is the newest part, at any hour of the day.
    let seed = Seed::new(21, real_now() - TimeDelta::days(1), real_now(), 1_050);
    setup.simulator.world().seed(&seed);
    setup
}

pub(super) struct Diagnosis {
    code: i32,
    report: Value,
}

impl Diagnosis {
    pub(super) async fn of(environment: &HashMap<String, String>) -> Self {
        let ended = Program::run(&["doctor", "--json"], environment).await;
        let report =
            serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.log.join("\n")));
        Self {
            code: ended.code(),
            report,
        }
    }

    /// All that is said of a check.
    pub(super) fn whole(&self, name: &str) -> &Value {
        let checks = self.report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == name);
        check.unwrap_or_else(|| panic!("no {name} in {:#}", self.report))
    }

    /// Status and finding of a check.
    fn check(&self, name: &str) -> (&str, &str) {
        let check = self.whole(name);
        (
            check["status"].as_str().unwrap(),
            check["found"].as_str().unwrap(),
        )
    }

    /// Whether there is such a check.
    fn has(&self, name: &str) -> bool {
        let checks = self.report["checks"].as_array().unwrap();
        checks.iter().any(|check| check["check"] == name)
    }

    #[track_caller]
    fn assert(&self, name: &str, status: &str, found: &str) {
        let check = self.check(name);
        assert!(check.0 == status && check.1.contains(found), "{name}: {check:?}");
    }
}

#[tokio::test]
async fn a_healthy_account_is_all_ok_and_nothing_is_written() {
    let database = TestDatabase::untouched().await;
    migrate(&database.pool).await.unwrap();
    let setup = busy().await;
    let environment = setup.environment_on(&database).await;
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 0, "{:#}", diagnosis.report);
    for check in diagnosis.report["checks"].as_array().unwrap() {
        assert_eq!(check["status"], "ok", "{check}");
        assert!(
            check["found"].is_string() && check.get("explanation").is_some() && check.get("remedy").is_some()
        );
    }
    diagnosis.assert("configuration", "ok", "accounts: main");
    diagnosis.assert(
        "database TLS",
        "ok",
        "none, sslmode prefer; it is on this machine",
    );
    diagnosis.assert("database clock", "ok", "the database's clock is 0 s");
    assert!(!diagnosis.has("disk"), "it is another machine's");
    diagnosis.assert("TLS", "ok", "on this machine");
    diagnosis.assert("sign-in", "ok", "signed with client_secret");
    diagnosis.assert("API", "ok", "it answers");
    diagnosis.assert("database schema", "ok", "up to date");
    diagnosis.assert("totals", "ok", "number of all records of a window");
    diagnosis.assert("offset", "ok", "counts pages");
    diagnosis.assert("page size", "ok", "100 records");
    diagnosis.assert("pages served", "ok", " of 11 at least");
    diagnosis.assert("time stamps", "ok", "agree");
    diagnosis.assert("clocks", "ok", "API's clock is");
    let requests = setup.simulator.world().counters().requests;
    assert_eq!(diagnosis.report["requests"], requests);
    assert!(requests <= 5, "{requests}");
    assert_eq!(database.counts().await, [0; 7]);
    let written = "select (select count(*) from smartassist_sync.leases) + (select count(*) from smartassist_sync.runs) \
                 + (select count(*) from smartassist_sync.accounts)";
    assert_eq!(database.number(written).await, 0);
}

#[tokio::test]
async fn nothing_of_a_person_is_in_what_the_doctor_says() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let mut environment = setup.environment_on(&database).await;
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
