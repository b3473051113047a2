//! The work of every day, on an account of any size.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::table::Figures;
use super::{Growth, INTERACTIONS_PER_DAY, instant};
use crate::daemon::Daemon;

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
        self.database.settle().await?;
        let [tables, indexes] = self.database.bytes_of_data().await?;
        let mut figures = Figures::default();
        figures.note("interactions loaded a second", interactions_a_second);
        figures.of_each("bytes of tables, each", tables, self.interactions);
        figures.of_each("bytes of indexes, each", indexes, self.interactions);
        figures.bound("sync, nothing new, s", self.fastest("sync").await?);
        figures.bound("status, s", self.fastest("status").await?);
        figures.bound("status page, s", self.page().await?);
        figures.bound("verify of a day, s", self.verify().await?);
        let refresh = self.refresh();
        figures.bound("refresh of 30 days, unchanged, s", self.fastest(&refresh).await?);
        figures.bound("dead rows after a week's refreshes", self.week(&refresh).await?);
        figures.bound("deleting a day that is too old, s", self.retention().await?);
        figures.memory(self.peak_memory);
        Ok(figures)
    }

    async fn fastest(&mut self, command: &str) -> Result<f64> {
        let mut fastest = f64::INFINITY;
        for _ in 0..TIMES {
            fastest = fastest.min(self.run(command).await?.seconds);
        }
        Ok(fastest)
    }

    fn refresh(&self) -> String {
        let from = self.until - TimeDelta::days(30);
        format!(
            "backfill --refetch --from {} --to {}",
            instant(from),
            instant(self.until)
        )
    }

    /// Reads 30 days again on seven days, each after many records have changed.
    async fn week(&mut self, refresh: &str) -> Result<f64> {
        for day in 1..=7 {
            let body = format!(r#"{{"fraction":{CHANGED},"seed":{}}}"#, self.interactions + day);
            post(&self.newest.base_url, "/_simulator/mutate", &body).await?;
            self.run(refresh).await?;
        }
        self.database.dead_rows().await
    }

    /// Finds what vanished in the weeks before, and waits to be confirmed.
    async fn verify(&mut self) -> Result<f64> {
        let day = self.until - TimeDelta::days(2);
        let (from, to) = (instant(day), instant(day + TimeDelta::days(1)));
        let command = format!("verify --from {from} --to {to} --by-identity");
        let mut fastest = f64::INFINITY;
        for _ in 0..TIMES {
            let daemon = self.daemon(&self.newest);
            let ended = daemon.start(&command)?.end().await?;
            let compared = ended.status.code().is_some_and(|code| code <= 1);
            ensure!(compared, "verify failed: {}", daemon.last_words());
            self.note(&ended);
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

    /// Lets a daemon delete the oldest days; gives the time of as many interactions as a day has.
    #[expect(clippy::cast_precision_loss, reason = "it is rounded for people anyway")]
    async fn retention(&mut self) -> Result<f64> {
        let days = (self.until - self.from).num_days();
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

async fn get(address: &str, path: &str) -> Result<()> {
    ask(
        address,
        &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"),
    )
    .await
}

async fn post(base_url: &str, path: &str, body: &str) -> Result<()> {
    let address = base_url.trim_start_matches("http://").trim_end_matches('/');
    let head = format!("POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json");
    ask(
        address,
        &format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    )
    .await
}

async fn ask(address: &str, request: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let head = answer.lines().next().unwrap_or_default();
    ensure!(head.contains(" 200 "), "{head}");
    Ok(())
}
