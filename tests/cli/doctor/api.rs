//! What is said of APIs of all habits.

use chrono::TimeDelta;
use smartassist_simulator::{Behaviour, NumResults, OffsetUnit, PastOffset};

use super::{Diagnosis, busy};
use crate::support::{Program, Setup, TestDatabase};

#[tokio::test]
async fn doctor_shows_what_earlier_runs_learned() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(22, 2, 1, 1_500);
    let environment = setup.environment_on(&database).await;
    let unknown = Setup::live().await;
    unknown.simulator.world().arrive(5, TimeDelta::hours(3));
    let diagnosis = Diagnosis::of(&unknown.environment_on(&database).await).await;
    for check in ["totals", "offset", "pages served"] {
        diagnosis.assert(check, "ok", "unknown yet");
    }
    diagnosis.assert("time stamps", "ok", "the seconds in session ids agree");
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    let emptied = unknown.environment_on(&database).await;
    let diagnosis = Diagnosis::of(&emptied).await;
    diagnosis.assert("totals", "ok", "numResults is the number of all records");
    diagnosis.assert("offset", "ok", "counts pages");
}

#[tokio::test]
async fn servers_of_other_habits_are_named() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let environment = setup.environment_on(&database).await;
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
    let diagnosis = Diagnosis::of(&environment).await;
    diagnosis.assert("time stamps", "failed", "are -330 minutes later");
    let remedy = diagnosis.report.to_string();
    assert!(remedy.contains("set time_zone_offset = -330"), "{remedy}");
    assert_eq!(diagnosis.code, 1);
}

#[tokio::test]
async fn an_api_whose_clock_is_far_from_ours_is_named() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let environment = setup.environment_on(&database).await;
    for (minutes, status, found) in [(2, "warning", "ahead of ours"), (-20, "failed", "behind ours")] {
        setup.simulator.world().run_clock(TimeDelta::minutes(minutes));
        let diagnosis = Diagnosis::of(&environment).await;
        diagnosis.assert("clocks", status, found);
    }
}

#[tokio::test]
async fn a_date_that_no_clock_shows_is_not_looked_at() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let environment = setup.environment_on(&database).await;
    for (date, is_read) in [
        ("31 Dec 262142 23:59:59 GMT", false),
        ("Thu, 31 Dec 2099 23:00:00 GMT", true),
    ] {
        setup.simulator.world().behaviour.quirks.date = Some(date.to_owned());
        let diagnosis = Diagnosis::of(&environment).await;
        assert_eq!(diagnosis.has("clocks"), is_read, "{date}: {:#}", diagnosis.report);
        assert!(diagnosis.code <= 1, "{date}");
        diagnosis.assert("API", "ok", "it answers");
    }
}

#[tokio::test]
async fn pages_that_are_shorter_than_asked_for_are_named() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    setup.simulator.world().behaviour.quirks.page_cap = Some(40);
    let environment = setup.environment_on(&database).await;
    let diagnosis = Diagnosis::of(&environment).await;
    diagnosis.assert("page size", "warning", "40 records at most");
}
