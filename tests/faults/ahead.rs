//! Our clock is ahead, and things happen at the API while a window is on its way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use smartassist_etl::extract::ApiClient;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::{AccountContext, RunReport};
use smartassist_etl::time::Clock;
use smartassist_simulator::{Fault, FaultKind};
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use super::watch;
use crate::support::world::ManualClock;
use crate::support::{Job, Runs, Setup, TestDatabase};

/// Goes an hour before that of the setup.
#[derive(Debug)]
struct Ahead(Arc<ManualClock>);

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + TimeDelta::hours(1)
    }

    fn elapsed(&self, since: Instant) -> Duration {
        self.0.elapsed(since)
    }
}

/// A worker with such a clock that reads everything up to now.
fn worker(setup: &Setup, database: &TestDatabase) -> AccountContext {
    let clock: Arc<dyn Clock> = Arc::new(Ahead(Arc::clone(&setup.clock)));
    let of_setup = setup.worker(&database.pool);
    let api = ApiClient::new(of_setup.api.account().clone(), Arc::clone(&clock)).unwrap();
    let mut worker = AccountContext {
        api: Arc::new(api),
        clock,
        holder: "ahead".to_owned(),
        ..of_setup
    };
    Arc::make_mut(&mut worker.sync).settle = Duration::ZERO;
    worker
}

async fn poll(worker: &AccountContext) -> RunReport {
    worker.run(&Job::Poll, &CancellationToken::new()).await
}

#[tokio::test]
async fn sessions_that_begin_while_a_window_is_stored_are_read_next() {
    let database = TestDatabase::migrated().await;
    watch::install(&database).await;
    let setup = Setup::start().await;
    let worker = worker(&setup, &database);
    // Windows are read, and their storing waits.
    let mut other = sqlx::PgConnection::connect_with(&database.pool.options())
        .await
        .unwrap();
    let hold = "begin; lock table smartassist_sync.windows in exclusive mode";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();
    let (first, began) = tokio::join!(poll(&worker), async {
        database.until_a_lock_is_waited_for().await;
        setup.pass(TimeDelta::seconds(2));
        setup.simulator.world().arrive(1, TimeDelta::zero());
        let began = setup.clock.now();
        setup.pass(TimeDelta::seconds(2));
        sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
        began
    });
    assert_eq!(first.outcome, Outcome::Succeeded);
    assert!(first.watermark.unwrap() < began, "{first:?}");
    setup.pass(TimeDelta::seconds(2));
    assert_eq!(poll(&worker).await.counters.inserted, 1);
    watch::check(&database).await;
}

#[tokio::test]
async fn a_window_in_the_future_of_the_api_is_postponed_and_not_split() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(30).await;
    let worker = setup.worker(&database.pool);
    assert_eq!(poll(&worker).await.outcome, Outcome::Succeeded);
    // All is read up to now, and only our time goes on.
    setup.clock.set(setup.clock.now() + TimeDelta::hours(1));
    let report = poll(&worker).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    let split = "select count(*) from smartassist_sync.windows where status = 'split'";
    assert_eq!(database.number(split).await, 0);
    let put_off = "select error from smartassist_sync.windows where status = 'failed'";
    assert_eq!(
        database.text(put_off).await,
        "not read: it has not happened yet at the API"
    );
}

#[tokio::test]
async fn a_retry_after_with_a_date_is_read_by_the_clock_of_the_api() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(30).await;
    let there = setup.simulator.world().now();
    setup.clock.set(there + TimeDelta::hours(1));
    let date = (there + TimeDelta::seconds(3)).to_rfc2822();
    let pause = FaultKind::retry_after(429, date);
    setup.simulator.world().inject(Fault::next(pause));
    let began = Instant::now();
    assert_eq!(
        poll(&setup.worker(&database.pool)).await.outcome,
        Outcome::Succeeded
    );
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
}
