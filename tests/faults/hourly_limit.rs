//! A limit of the hour that nobody told us of.

use chrono::TimeDelta;
use smartassist_etl::ledger::problems::{self, ProblemCode};
use smartassist_simulator::{Fault, FaultKind};

use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase};

#[tokio::test]
async fn an_exhausted_hourly_limit_is_reported_with_the_key_to_set() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("requests_per_minute", "60");
    setup.simulator.world().arrive(5, TimeDelta::hours(1));
    setup
        .simulator
        .world()
        .inject(Fault::times(3, FaultKind::status(429)));
    let (environment, _) = environment(&setup, &database).await;
    let mut program = Program::start(&["run"], &environment);
    let said = program
        .event("the API turns requests away although the minute is free: its limit of the hour seems to be used up")
        .await;
    assert!(
        said["remedy"].as_str().unwrap().contains("requests_per_hour"),
        "{said}"
    );
    let pause = said["pause_seconds"].as_u64().unwrap();
    assert!((30..=60).contains(&pause), "{said}");
    // The pause is waited for, then the run comes to its end and the problem stands.
    program.finished("poll").await;
    let standing = problems::standing(&database.pool, "acct-sim").await.unwrap();
    assert!(
        standing
            .iter()
            .any(|it| it.code == ProblemCode::HourlyLimit.as_str()),
        "{standing:?}"
    );
    assert_eq!(
        setup
            .simulator
            .world()
            .requests()
            .filter(|it| it.status == 429)
            .count(),
        3
    );
}
