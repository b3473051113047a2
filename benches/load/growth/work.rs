//! The work of every day, on an account of any size.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use serde_json::Value;

use super::table::Figures;
use super::{Growth, INTERACTIONS_PER_DAY, instant};
use crate::daemon::Daemon;
use crate::http::{get, post};

/// Others on the machine only ever make it slower: the fastest counts.
const TIMES: usize = 3;

/// Share of the API's records that change before each refresh of the week.
const CHANGED: f64 = 0.05;

/// Until a daemon answers, or has deleted what is too old.
const DAEMON_TIMEOUT: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Never in the life of a benchmark.
const NEVER: &str = "0 0 0 29 2 *";

/// What the clean-up says at its end.
const DELETED: &str = "what has become too old is deleted";

impl Growth<'_> {
    /// Does each kind of work once more, after everything that was loaded has settled.
    pub(super) async fn measure(&mut self, interactions_a_second: f64) -> Result<Figures> {
        self.database.age_ledger().await?;
        self.database.settle().await?;
        let [tables, indexes] = self.database.bytes_of_data().await?;
        let mut figures = Figures::default();
        figures.note("interactions loaded a second", interactions_a_second);
        figures.of_each("bytes of tables, each", tables, self.interactions);
        figures.of_each("bytes of indexes, each", indexes, self.interactions);
        figures.bound("sync, nothing new, s", self.fastest("sync", 0).await?);
        figures.bound("status, s", self.fastest("status", 0).await?);
        figures.bound("status page, s", self.page().await?);
        // What vanished in the weeks before waits to be confirmed: the day differs.
        let verify = self.verify();
        figures.bound("verify of a day, s", self.fastest(&verify, 1).await?);
        let refresh = self.refresh();
        figures.bound(
            "refresh of 30 days, unchanged, s",
            self.fastest(&refresh, 0).await?,
        );
        figures.bound("dead rows after a week's refreshes", self.week(&refresh).await?);
        figures.bound("erase of a customer, s", self.erase().await?);
        figures.bound("deleting a day that is too old, s", self.retention().await?);
        figures.memory(self.peak_memory);
        Ok(figures)
    }

    /// Of a command that may end with this exit code or a lower one.
    async fn fastest(&mut self, command: &str, highest_code: i32) -> Result<f64> {
        let mut fastest = f64::INFINITY;
        for _ in 0..TIMES {
            let daemon = self.daemon(&self.newest);
            let ended = daemon.start(command)?.end().await?;
            let code = ended.status.code();
            let is_well = code.is_some_and(|code| code <= highest_code);
            ensure!(is_well, "{command} failed: {}", daemon.last_words());
            self.note(&ended);
            fastest = fastest.min(ended.seconds);
        }
        Ok(fastest)
    }

    fn verify(&self) -> String {
        let day = self.until - TimeDelta::days(2);
        let (from, to) = (instant(day), instant(day + TimeDelta::days(1)));
        format!("verify --from {from} --to {to} --by-identity")
    }

    fn refresh(&self) -> String {
        let from = self.until - TimeDelta::days(30);
        format!(
            "backfill --refetch --from {} --to {}",
            instant(from),
            instant(self.until)
        )
    }

    /// Reads 30 days again on seven days, each after many records have changed; gives the dead rows that this makes.
    async fn week(&mut self, refresh: &str) -> Result<f64> {
        let before = self.database.dead_rows().await?;
        for day in 1..=7 {
            let body = format!(r#"{{"fraction":{CHANGED},"seed":{}}}"#, self.interactions + day);
            let address = self.newest.base_url.trim_start_matches("http://");
            post(address, "/_simulator/mutate", &body).await?;
            self.run(refresh).await?;
        }
        let after = self.database.dead_rows().await?;
        self.database.settle().await?;
        Ok(after - before)
    }

    /// Of one who has one interaction, as all have.
    async fn erase(&mut self) -> Result<f64> {
        let mut fastest = f64::INFINITY;
        for _ in 0..TIMES {
            let customer = self.database.newest_customer().await?;
            let ended = self.run(&format!("erase --user-id {customer}")).await?;
            let is_gone = self.database.newest_customer().await? != customer;
            ensure!(is_gone, "the customer was not erased");
            fastest = fastest.min(ended.seconds);
        }
        Ok(fastest)
    }

    /// Of a daemon that has nothing else to do.
    async fn page(&mut self) -> Result<f64> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let daemon = self.idle(&address);
        let mut running = daemon.start("run")?;
        let began = Instant::now();
        while get(&address, "/readyz").await.is_err() {
            ensure!(
                began.elapsed() < DAEMON_TIMEOUT,
                "no daemon: {}",
                daemon.last_words()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let mut fastest = f64::INFINITY;
        for _ in 0..TIMES * 3 {
            let began = Instant::now();
            get(&address, "/").await?;
            fastest = fastest.min(began.elapsed().as_secs_f64());
        }
        running.terminate()?;
        let ended = running.end().await?;
        self.note(&ended);
        Ok(fastest)
    }

    async fn retention(&mut self) -> Result<f64> {
        let mut fastest = f64::INFINITY;
        for _ in 0..TIMES {
            let days = (self.until - self.from).num_days();
            let stored = self.database.sessions().await?;
            fastest = fastest.min(self.delete_before(days).await?);
            self.from += TimeDelta::days(1);
            self.interactions -= stored - self.database.sessions().await?;
        }
        Ok(fastest)
    }

    /// Lets a daemon keep this number of days; gives the time of as many interactions as a day has.
    #[expect(clippy::cast_precision_loss, reason = "it is rounded for people anyway")]
    async fn delete_before(&mut self, days: i64) -> Result<f64> {
        let daemon = self
            .idle("127.0.0.1:0")
            .with("STORAGE__CLEAN_UP", "* * * * * *")
            .with("STORAGE__RETENTION_DAYS", &days.to_string());
        let mut running = daemon.start("run")?;
        let began = Instant::now();
        let event = loop {
            if let Some(event) = daemon.event(DELETED) {
                break event;
            }
            ensure!(
                began.elapsed() < DAEMON_TIMEOUT,
                "nothing deleted: {}",
                daemon.last_words()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        };
        running.terminate()?;
        let ended = running.end().await?;
        self.note(&ended);
        let number = |key: &str| event.get(key).and_then(Value::as_f64).context("no such number");
        Ok(number("seconds")? / number("interactions")? * INTERACTIONS_PER_DAY as f64)
    }

    fn idle(&self, bind: &str) -> Daemon {
        self.daemon(&self.newest)
            .with("SYNC__POLL", NEVER)
            .with("STORAGE__CLEAN_UP", NEVER)
            .with("HTTP__BIND", bind)
    }
}
