//! Faults of all kinds at once, and then calm.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use smartassist_simulator::{Fault, FaultKind};
use sqlx::Connection;

use super::dice::Dice;
use super::watch;
use crate::support::daemon::{environment, until_answer};
use crate::support::{Program, Setup, TestDatabase};

/// For how long there are faults; `STORM_SECONDS` in the environment changes it.
const STORM: u64 = 30;

struct Storm {
    dice: Dice,
    setup: Setup,
    database: TestDatabase,
    environment: std::collections::HashMap<String, String>,
    port: u16,
    daemon: Program,
    is_frozen: bool,
}

impl Storm {
    async fn begin() -> Self {
        let dice = Dice::seeded();
        let mut setup = Setup::live().await;
        setup.set("max_retries", "1");
        setup.set("request_timeout_seconds", "3");
        setup.seed_days(41, 2, 0, 12_000);
        setup.simulator.world().behaviour.latency = Duration::from_millis(100);
        let database = TestDatabase::migrated().await;
        watch::install(&database).await;
        let (mut environment, port) = environment(&setup, &database).await;
        for (key, value) in [
            ("SYNC__LEASE_SECONDS", "3"),
            ("DATABASE__LOCK_TIMEOUT_SECONDS", "1"),
        ] {
            environment.insert(format!("SMARTASSIST_ETL__{key}"), value.to_owned());
        }
        let daemon = Program::start(&["run"], &environment);
        Self {
            dice,
            setup,
            database,
            environment,
            port,
            daemon,
            is_frozen: false,
        }
    }

    /// Something goes wrong.
    async fn strike(&mut self) {
        match self.dice.within(0..10) {
            0..4 => self.of_the_api(),
            4 => {
                let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                            where datname = current_database() and application_name = 'smartassist-etl' \
                            and pid <> pg_backend_pid()";
                self.database.execute(kill).await;
            }
            5 => self.hold_locks().await,
            6 => self.take_no_writes().await,
            7 => {
                self.daemon.kill().await;
                self.daemon = Program::start(&["run"], &self.environment);
                self.is_frozen = false;
            }
            _ => {
                let signal = if self.is_frozen {
                    Signal::SIGCONT
                } else {
                    Signal::SIGSTOP
                };
                self.daemon.signal(signal);
                self.is_frozen = !self.is_frozen;
            }
        }
    }

    fn of_the_api(&mut self) {
        let kinds = [
            FaultKind::status(500),
            FaultKind::html(502),
            FaultKind::status(401),
            FaultKind::retry_after(429, "1"),
            FaultKind::Body(b"<html></html>".to_vec()),
            FaultKind::Body(br#"{"errors":[{"msg":"API rate limit exceeded","code":429}]}"#.to_vec()),
            FaultKind::ResetBeforeResponse,
            FaultKind::ResetInBody,
            FaultKind::TruncatedWithLength,
            FaultKind::TruncatedWithoutLength,
            FaultKind::Drip(Duration::from_millis(300)),
            FaultKind::GzipBomb(50 << 20),
            FaultKind::Redirect("http://127.0.0.1:9/".to_owned()),
        ];
        let times = self.dice.within(1..8);
        let kind = self.dice.pick(&kinds).clone();
        self.setup.simulator.world().inject(Fault::times(times, kind));
    }

    async fn hold_locks(&mut self) {
        let mut other = sqlx::PgConnection::connect_with(&self.database.pool.options())
            .await
            .unwrap();
        let tables = [
            "smartassist.sessions",
            "smartassist_sync.windows",
            "smartassist_sync.leases",
        ];
        let table = self.dice.pick(&tables);
        let hold = format!("set lock_timeout = '1s'; begin; lock table {table} in access exclusive mode");
        // A frozen worker may hold it itself.
        let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(hold)).execute(&mut other).await;
        tokio::time::sleep(Duration::from_millis(self.dice.within(100..2_500))).await;
    }

    /// As after a failover: sessions that are made now take no writes, also later.
    async fn take_no_writes(&mut self) {
        let mut admin = sqlx::PgConnection::connect_with(&self.database.pool.options())
            .await
            .unwrap();
        for value in ["on", "off"] {
            let set = format!(
                "alter database {} set default_transaction_read_only = {value}; \
                 set default_transaction_read_only = off; \
                 select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() \
                 and application_name = 'smartassist-etl' and pid <> pg_backend_pid()",
                self.database.name
            );
            // What is read-only cannot be made so again, and what ends our own sessions is none of its own.
            sqlx::raw_sql(sqlx::AssertSqlSafe(set))
                .execute(&mut admin)
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(self.dice.within(200..1_500))).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_after_a_storm_of_faults_are_those_of_a_fresh_load() {
    let seconds = std::env::var("STORM_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(STORM);
    let mut storm = Storm::begin().await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        storm.strike().await;
        tokio::time::sleep(Duration::from_millis(storm.dice.within(50..900))).await;
    }
    if storm.is_frozen {
        storm.daemon.signal(Signal::SIGCONT);
    }
    storm.setup.simulator.world().clear_faults();
    storm.setup.simulator.world().behaviour.latency = Duration::ZERO;
    let caught_up =
        "select count(*) from smartassist_sync.accounts where watermark > now() - interval '10 seconds'";
    storm
        .database
        .until("an account that has caught up", caught_up, |caught_up| {
            caught_up > 0
        })
        .await;
    until_answer(storm.port, "/readyz", 200, "").await;
    storm.daemon.signal(Signal::SIGTERM);
    assert_eq!(storm.daemon.ended().await.code(), 0);
    watch::tokens_never_go_back(&storm.database).await;
    watch::check(&storm.database).await;
    watch::same_as_a_fresh_load(&storm.setup, &storm.database).await;
}
