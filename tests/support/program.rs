//! The real program as a child process.

use std::collections::HashMap;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::wait::PATIENCE;
use super::{log_rules, server};

/// How a last word begins: ours, and clap's.
const LAST_WORDS: [&str; 3] = ["smartassist-etl: ", "error: ", "Usage: "];

/// A running `smartassist-etl`. It is killed when a test drops it. Every line that it logged must be
/// as `docs/logging.md` says.
pub(crate) struct Program {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    /// Lines are events in JSON, but for the last word.
    logs_json: bool,
    at_default_level: bool,
    /// The last word has begun, which may have several lines.
    has_last_word: bool,
    /// Everything that came on stderr so far.
    pub(crate) log: Vec<String>,
}

/// What a program that ended left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) log: Vec<String>,
}

impl Program {
    /// Starts it with nothing in its environment but `environment` and the server programs that the tests use.
    pub(crate) fn start(arguments: &[&str], environment: &HashMap<String, String>) -> Self {
        Self::start_with(arguments, environment, Stdio::null())
    }

    fn start_with(arguments: &[&str], environment: &HashMap<String, String>, input: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_smartassist-etl"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(server::named_binaries().map(|place| (server::BINARIES, place)))
            .envs(environment)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = stderr.next_line().await {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            logs_json: environment
                .get("SMARTASSIST_ETL__LOG__FORMAT")
                .is_none_or(|format| format == "json"),
            at_default_level: !environment.contains_key("SMARTASSIST_ETL__LOG__LEVEL"),
            has_last_word: false,
            log: Vec::new(),
        }
    }

    /// Keeps a line, which must be as it should.
    fn keep(&mut self, line: String) {
        let broken = if line.starts_with('{') {
            log_rules::broken_by(&line, self.at_default_level)
        } else {
            self.has_last_word |= LAST_WORDS.iter().any(|word| line.starts_with(word));
            let is_word = self.has_last_word || !self.logs_json;
            (!is_word).then(|| "neither an event nor a last word".to_owned())
        };
        self.log.push(line);
        if let Some(broken) = broken {
            panic!("{broken}: {}", self.log.last().unwrap());
        }
    }

    /// Runs it to its end.
    pub(crate) async fn run(arguments: &[&str], environment: &HashMap<String, String>) -> Ended {
        Self::start(arguments, environment).ended().await
    }

    /// The same, with something on its standard input.
    pub(crate) async fn run_on(
        input: &str,
        arguments: &[&str],
        environment: &HashMap<String, String>,
    ) -> Ended {
        let mut program = Self::start_with(arguments, environment, Stdio::piped());
        let mut pipe = program.child.stdin.take().unwrap();
        // It may have ended without reading it.
        let _ = pipe.write_all(input.as_bytes()).await;
        drop(pipe);
        program.ended().await
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> Ended {
        self.ended_within(PATIENCE).await
    }

    /// Waits for its end, which may take longer than other things.
    pub(crate) async fn ended_within(mut self, patience: Duration) -> Ended {
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().unwrap();
        let end = async {
            pipe.read_to_string(&mut stdout).await.unwrap();
            let status = self.child.wait().await.unwrap();
            while let Some(line) = self.lines.recv().await {
                self.keep(line);
            }
            status
        };
        let ended = tokio::time::timeout(patience, end).await;
        let status = ended.unwrap_or_else(|_| panic!("the program does not end within {patience:?}"));
        Ended {
            status,
            stdout,
            log: std::mem::take(&mut self.log),
        }
    }

    /// Waits for the next log event with this message.
    pub(crate) async fn event(&mut self, message: &str) -> Value {
        self.event_that(message, |event| event["message"] == message)
            .await
    }

    /// Waits for the next log event of which this holds; `what` says it in words.
    pub(crate) async fn event_that(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.next_line(deadline, what).await;
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            if is_it(&event) {
                return event;
            }
        }
    }

    /// Waits for the next line with this text.
    pub(crate) async fn line_with(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.next_line(deadline, text).await.contains(text) {}
    }

    async fn next_line(&mut self, deadline: Instant, wanted: &str) -> &str {
        match tokio::time::timeout_at(deadline, self.lines.recv()).await {
            Ok(Some(line)) => self.keep(line),
            _ => panic!("no line with {wanted:?} in the log below"),
        }
        self.log.last().unwrap()
    }

    /// All lines that came so far.
    pub(crate) fn all_lines(&mut self) -> &[String] {
        while let Ok(line) = self.lines.try_recv() {
            self.keep(line);
        }
        &self.log
    }

    /// The lines that came since anybody looked.
    pub(crate) fn fresh_lines(&mut self) -> Vec<String> {
        let seen = self.log.len();
        self.all_lines()[seen..].to_vec()
    }

    /// Waits for the end of a run of this kind.
    pub(crate) async fn finished(&mut self, kind: &str) -> Value {
        let what = format!("end of a {kind}");
        self.event_that(&what, |event| is_end_of(event, kind)).await
    }

    /// Waits for the end of a run of this kind that comes out so.
    pub(crate) async fn finished_as(&mut self, kind: &str, outcome: &str) -> Value {
        let what = format!("end of a {kind} that has {outcome}");
        self.event_that(&what, |event| {
            is_end_of(event, kind) && event["outcome"] == outcome
        })
        .await
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Kills it, and waits until it is gone with its port.
    pub(crate) async fn kill(&mut self) {
        self.signal(nix::sys::signal::Signal::SIGKILL);
        self.child.wait().await.unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    }
}

fn is_end_of(event: &Value, kind: &str) -> bool {
    event["message"] == "run finished" && event["kind"] == kind
}

impl Drop for Program {
    /// What no test asked for is looked at as well. A test that fails shows what the program said.
    fn drop(&mut self) {
        if std::thread::panicking() {
            while let Ok(line) = self.lines.try_recv() {
                self.log.push(line);
            }
            println!("--- log of the program:\n{}\n---", self.log.join("\n"));
        } else {
            self.all_lines();
        }
    }
}

impl Ended {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap()
    }

    /// The events of the log with this message.
    pub(crate) fn events(&self, message: &str) -> Vec<Value> {
        let events = self
            .log
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["message"] == message).collect()
    }

    /// The last line of the log that is not an event: what is said to the person who ran it.
    pub(crate) fn last_word(&self) -> String {
        self.log
            .iter()
            .filter(|line| !line.starts_with('{'))
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    }
}
