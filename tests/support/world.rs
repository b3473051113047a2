//! An account of the simulated API, and a worker that loads it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use smartassist_etl::config::Config;
use smartassist_etl::extract::ApiClient;
use smartassist_etl::postgres::Pool;
use smartassist_etl::sync::{AccountContext, RunReport};
use smartassist_etl::time::Clock;
use smartassist_simulator::{Options, Seed, Simulator};
use tokio_util::sync::CancellationToken;

use super::{Job, Runs, TestDatabase, wait};

/// A clock that stands where it is put.
#[derive(Debug)]
pub(crate) struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    pub(crate) fn at(instant: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(instant)))
    }

    pub(crate) fn set(&self, instant: DateTime<Utc>) {
        *self.0.lock().unwrap() = instant;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    fn elapsed(&self, _: Instant) -> Duration {
        Duration::ZERO
    }
}

pub(crate) fn instant(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// The time as the program under test has it.
#[expect(
    clippy::disallowed_methods,
    reason = "the program under test reads the real clock"
)]
pub(crate) fn real_now() -> DateTime<Utc> {
    Utc::now()
}

/// Today's midnight, in UTC.
pub(crate) fn midnight() -> DateTime<Utc> {
    real_now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc()
}

/// So many days ago, as `--from` and `--to` take it.
pub(crate) fn days_ago(days: i64) -> String {
    (midnight() - TimeDelta::days(days)).date_naive().to_string()
}

/// A test that counts days from today's midnight must not begin before one and end after it.
async fn let_midnight_pass() {
    let next = midnight() + TimeDelta::days(1);
    let left = next - real_now();
    if left < TimeDelta::minutes(2) {
        println!("waiting for midnight");
        tokio::time::sleep(left.to_std().unwrap_or_default() + Duration::from_secs(1)).await;
    }
}

/// A simulated account, a clock that stands still, and the settings of the account.
pub(crate) struct Setup {
    pub(crate) simulator: Simulator,
    pub(crate) clock: Arc<ManualClock>,
    settings: HashMap<String, String>,
}

impl Setup {
    /// An account without interactions. Both clocks stand at noon of 15 January 2026, and
    /// interactions are wanted from the first of that month.
    pub(crate) async fn start() -> Self {
        Self::of("acct-sim").await
    }

    /// As [`Setup::start`], of the account with this id.
    pub(crate) async fn of(account_id: &str) -> Self {
        let_midnight_pass().await;
        let now = instant("2026-01-15T12:00:00Z");
        let mut options = Options::default();
        options.credentials.account_id = account_id.to_owned();
        let simulator = Simulator::start(options).await.unwrap();
        simulator.world().set_now(now);
        let mut setup = Self {
            simulator,
            clock: ManualClock::at(now),
            settings: HashMap::new(),
        };
        let base_url = setup.simulator.base_url();
        for (key, value) in [
            ("base_url", base_url.as_str()),
            ("account_id", account_id),
            ("stream_id", "st-sim"),
            ("client_id", "cs-sim"),
            ("client_secret", "simulator-secret-0123456789abcdef"),
            ("start_from", "2026-01-01"),
            ("requests_per_minute", "0"),
            ("retry_pause_milliseconds", "1"),
        ] {
            setup.set(key, value);
        }
        setup
    }

    /// An account whose simulated API goes by the real time, as the program does. Interactions are
    /// wanted from the midnight two days before the last one, whatever hour it is.
    pub(crate) async fn live() -> Self {
        let mut setup = Self::start().await;
        setup.go_live();
        setup
    }

    /// From now on as [`Setup::live`].
    pub(crate) fn go_live(&mut self) {
        self.simulator.world().run_clock(TimeDelta::zero());
        self.clock.set(real_now());
        self.set("start_from", &days_ago(2));
    }

    /// Seeds `count` interactions in whole days: from so many days before today's midnight to so many.
    pub(crate) fn seed_days(&self, seed: u64, from: i64, to: i64, count: usize) {
        let day = |days| midnight() - TimeDelta::days(days);
        self.simulator
            .world()
            .seed(&Seed::new(seed, day(from), day(to), count));
    }

    /// As [`Setup::start`], with `count` interactions from 1 January to now.
    pub(crate) async fn with_interactions(count: usize) -> Self {
        let setup = Self::start().await;
        let (from, to) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
        setup.simulator.world().seed(&Seed::new(7, from, to, count));
        setup
    }

    /// Sets a key of the account.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.settings.insert(key.to_owned(), value.to_owned());
    }

    /// The account's settings, as environment variables of the program. It goes by the real time, and a refresh that
    /// became due while a test runs would be a part of some runs of that test: none is.
    pub(crate) fn environment(&self) -> HashMap<String, String> {
        let mut environment = self.environment_as("MAIN");
        environment.insert("SMARTASSIST_ETL__SYNC__REFRESH".to_owned(), "[]".to_owned());
        environment
    }

    /// And the database.
    pub(crate) async fn environment_on(&self, database: &TestDatabase) -> HashMap<String, String> {
        let mut environment = self.environment();
        environment.insert("DATABASE_URL".to_owned(), database.url().await);
        environment
    }

    /// The account's settings, under another name.
    pub(crate) fn environment_as(&self, account: &str) -> HashMap<String, String> {
        let name = |key: &String| format!("SMARTASSIST_ETL__ACCOUNTS__{account}__{}", key.to_uppercase());
        self.settings
            .iter()
            .map(|(key, value)| (name(key), value.clone()))
            .collect()
    }

    pub(crate) fn client(&self) -> ApiClient {
        let config = Config::from_layers(None, self.environment_as("MAIN")).unwrap();
        ApiClient::new(
            config.accounts[0].clone(),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
        )
        .unwrap()
    }

    pub(crate) fn worker(&self, pool: &Pool) -> AccountContext {
        let mut config = Config::from_layers(None, self.environment_as("MAIN")).unwrap();
        // Longer than a busy machine stands still: nothing here waits for a lease to end.
        Arc::make_mut(&mut config.sync).lease = Duration::from_secs(600);
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        AccountContext::new(self.client(), pool.clone(), &config, clock, "test".to_owned())
    }

    /// One `sync` run.
    pub(crate) async fn sync(&self, database: &TestDatabase) -> RunReport {
        self.worker(&database.pool)
            .run(&Job::Sync, &CancellationToken::new())
            .await
    }

    /// Keeps the answers to requests that come from now on back, until the token is cancelled.
    pub(crate) fn hold_answers(&self) -> CancellationToken {
        let hold = CancellationToken::new();
        self.simulator.world().hold = Some(hold.clone());
        hold
    }

    /// Requests that come from now on are answered at once; what is held already stays so.
    pub(crate) fn hold_no_more(&self) {
        self.simulator.world().hold = None;
    }

    /// Waits until so many requests are on their way, unanswered.
    #[track_caller]
    pub(crate) fn until_in_flight(&self, requests: u64) -> impl Future<Output = ()> {
        wait::until("requests on their way", async move || {
            let in_flight = self.simulator.world().counters().in_flight;
            (in_flight >= requests).then_some(()).ok_or(in_flight)
        })
    }

    /// Moves both clocks on.
    pub(crate) fn pass(&self, span: TimeDelta) {
        let now = self.clock.now() + span;
        self.clock.set(now);
        self.simulator.world().set_now(now);
    }
}
