//! The real daemon, measured from outside.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use smartassist_simulator::Credentials;
use tokio::process::{Child, Command};

use crate::database::{Books, Database};
use crate::figures;
use crate::simulator::{Data, Simulator};

/// How often the daemon's peak memory is read. The kernel keeps the peak, so all that can be
/// missed is growth in the last of these spans.
const SAMPLE: Duration = Duration::from_millis(10);

/// So much of the log is told where the daemon failed.
const TOLD_LINES: usize = 10;

/// `smartassist-etl` with the simulated API as its one account.
#[derive(Debug)]
pub(crate) struct Daemon {
    environment: HashMap<String, String>,
    log: PathBuf,
}

/// What one `sync` took.
#[derive(Debug)]
pub(crate) struct Pass {
    /// From the start of the process to its end.
    pub(crate) seconds: f64,
    /// In bytes, where the system says.
    pub(crate) peak_memory: Option<u64>,
    pub(crate) wal_bytes: u64,
    pub(crate) books: Books,
}

impl Daemon {
    /// One that loads what `simulator` has into `database`. Its log is in `directory`.
    pub(crate) fn new(data: &Data, simulator: &Simulator, database: &Database, directory: &Path) -> Self {
        let credentials = Credentials::default();
        let account = [
            ("BASE_URL", simulator.base_url.clone()),
            ("ACCOUNT_ID", credentials.account_id),
            ("STREAM_ID", credentials.stream_id),
            ("CLIENT_ID", credentials.client_id),
            ("CLIENT_SECRET", credentials.client_secret),
            ("START_FROM", data.from.to_rfc3339()),
            ("REQUESTS_PER_MINUTE", "0".to_owned()),
        ];
        let mut environment: HashMap<String, String> = account
            .into_iter()
            .map(|(key, value)| (format!("SMARTASSIST_ETL__ACCOUNTS__BENCH__{key}"), value))
            .collect();
        environment.insert("DATABASE_URL".to_owned(), database.url());
        Self {
            environment,
            log: directory.join("daemon.log"),
        }
    }

    /// Makes the tables.
    pub(crate) async fn migrate(&self) -> Result<()> {
        self.run("migrate").await?;
        Ok(())
    }

    /// One pass, measured. `database` is the one that it writes to.
    pub(crate) async fn sync(&self, database: &mut Database) -> Result<Pass> {
        database.settle().await?;
        let wal_before = database.wal_position().await?;
        let (seconds, peak_memory) = self.run("sync").await?;
        Ok(Pass {
            seconds,
            peak_memory,
            wal_bytes: database.wal_position().await?.saturating_sub(wal_before),
            books: database.books().await?,
        })
    }

    /// Runs a command to its end: seconds, and bytes of peak memory.
    async fn run(&self, command: &str) -> Result<(f64, Option<u64>)> {
        let log = File::create(&self.log).with_context(|| format!("cannot write {}", self.log.display()))?;
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_smartassist-etl"))
            .arg(command)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start smartassist-etl")?;
        let (status, peak_memory) = wait(&mut child).await?;
        let seconds = began.elapsed().as_secs_f64();
        ensure!(
            status.success(),
            "smartassist-etl {command} ended with {status}; its log ends with:\n{}",
            last_lines(&self.log)
        );
        Ok((seconds, peak_memory))
    }
}

async fn wait(child: &mut Child) -> Result<(ExitStatus, Option<u64>)> {
    let pid = child.id().context("smartassist-etl has no process id")?;
    let mut peak = None;
    let mut sample = tokio::time::interval(SAMPLE);
    loop {
        tokio::select! {
            status = child.wait() => return Ok((status?, peak)),
            _ = sample.tick() => peak = peak.max(figures::peak_memory(pid)),
        }
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_else(|error| format!("(it cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TOLD_LINES)..].join("\n")
}
