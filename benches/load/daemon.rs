//! The real daemon, measured from outside.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use smartassist_simulator::Credentials;
use tokio::process::{Child, Command};

use crate::database::Database;
use crate::figures;
use crate::simulator::Simulator;

/// How often the daemon's peak memory is read. The kernel keeps the peak, so all that can be
/// missed is growth in the last of these spans.
const SAMPLE: Duration = Duration::from_millis(10);

/// So much of the log is told where the daemon failed.
const TOLD_LINES: usize = 10;

/// `smartassist-etl` with the simulated API as its one account.
#[derive(Debug)]
pub(crate) struct Daemon {
    program: PathBuf,
    environment: HashMap<String, String>,
    log: PathBuf,
}

/// A command of the daemon that was started. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    began: Instant,
    peak_memory: Option<u64>,
}

/// A command of the daemon that has ended, well or not.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// From the start of the process to its end.
    pub(crate) seconds: f64,
    /// In bytes, where the system says.
    pub(crate) peak_memory: Option<u64>,
}

impl Daemon {
    /// One that loads what `simulator` has from an instant on into `database`, without a limit of
    /// requests. Its log is in `directory`.
    pub(crate) fn new(
        from: DateTime<Utc>,
        simulator: &Simulator,
        database: &Database,
        directory: &Path,
    ) -> Self {
        let credentials = Credentials::default();
        let account = [
            ("BASE_URL", simulator.base_url.clone()),
            ("ACCOUNT_ID", credentials.account_id),
            ("STREAM_ID", credentials.stream_id),
            ("CLIENT_ID", credentials.client_id),
            ("CLIENT_SECRET", credentials.client_secret),
            ("START_FROM", from.to_rfc3339()),
            ("REQUESTS_PER_MINUTE", "0".to_owned()),
        ];
        let mut environment: HashMap<String, String> = account
            .into_iter()
            .map(|(key, value)| (variable(&format!("ACCOUNTS__BENCH__{key}")), value))
            .collect();
        environment.insert("DATABASE_URL".to_owned(), database.url());
        Self {
            program: env!("CARGO_BIN_EXE_smartassist-etl").into(),
            environment,
            log: directory.join("daemon.log"),
        }
    }

    /// With a key of the configuration set to a value.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.environment.insert(variable(key), value.to_owned());
        self
    }

    /// Another build of it.
    pub(crate) fn built_as(mut self, program: &Path) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    /// Runs a command that must go well.
    pub(crate) async fn run(&self, command: &str) -> Result<Ended> {
        let ended = self.start(command)?.end().await?;
        ensure!(
            ended.status.success(),
            "smartassist-etl {command} ended with {}; its log ends with:\n{}",
            ended.status,
            self.last_words()
        );
        Ok(ended)
    }

    /// Starts a command, with its options if it has any: none holds a space.
    pub(crate) fn start(&self, command: &str) -> Result<Running> {
        let log = File::create(&self.log).with_context(|| format!("cannot write {}", self.log.display()))?;
        let began = Instant::now();
        let child = Command::new(&self.program)
            .args(command.split_whitespace())
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start smartassist-etl")?;
        Ok(Running {
            child,
            began,
            peak_memory: None,
        })
    }

    /// The last event with this message in the log of the last command.
    pub(crate) fn event(&self, message: &str) -> Option<serde_json::Value> {
        let log = std::fs::read_to_string(&self.log).ok()?;
        let events = log
            .lines()
            .rev()
            .filter_map(|line| serde_json::from_str(line).ok());
        events
            .into_iter()
            .find(|event: &serde_json::Value| event["message"] == message)
    }

    /// The end of the log of the last command.
    pub(crate) fn last_words(&self) -> String {
        last_lines(&self.log)
    }
}

impl Running {
    /// Waits for its end. Nothing is lost where this is dropped and called again.
    pub(crate) async fn end(&mut self) -> Result<Ended> {
        let pid = self.pid()?;
        let mut sample = tokio::time::interval(SAMPLE);
        loop {
            tokio::select! {
                status = self.child.wait() => return Ok(Ended {
                    status: status?,
                    seconds: self.began.elapsed().as_secs_f64(),
                    peak_memory: self.peak_memory,
                }),
                _ = sample.tick() => self.peak_memory = self.peak_memory.max(figures::peak_memory(pid)),
            }
        }
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) -> Result<()> {
        let pid = Pid::from_raw(self.pid()?.try_into()?);
        kill(pid, Signal::SIGTERM).context("cannot stop smartassist-etl")
    }

    fn pid(&self) -> Result<u32> {
        self.child.id().context("smartassist-etl has no process id")
    }
}

/// The environment variable of a key.
fn variable(key: &str) -> String {
    format!("SMARTASSIST_ETL__{key}")
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_else(|error| format!("(it cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TOLD_LINES)..].join("\n")
}
