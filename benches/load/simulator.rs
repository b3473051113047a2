//! The simulated API as a process of its own: this program, started once more.

use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use smartassist_simulator::{Options, World};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::api::Api;
use crate::figures;

/// The argument that makes this program the simulator; what it is to be follows.
pub(crate) const COMMAND: &str = "simulate";

/// The status of an answer to a request over the limit.
const LIMITED: u16 = 429;

/// What the simulator has, and what it was asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) records: usize,
    /// In all records together.
    pub(crate) destinations: usize,
    pub(crate) requests: u64,
    /// Requests over the limit.
    pub(crate) limited: u64,
    /// Requests inside the limit, of the last 10,000.
    pub(crate) arrivals: Vec<Arrival>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Arrival {
    pub(crate) at: DateTime<Utc>,
    /// The start of what was asked for, where it could be read.
    pub(crate) start: Option<DateTime<Utc>>,
}

impl Seen {
    fn of(world: &World) -> Self {
        let conversations = world.interactions().filter_map(|it| it.conversation.as_deref());
        let counters = world.counters();
        let inside = world.requests().filter(|request| request.status != LIMITED);
        Self {
            records: world.len(),
            destinations: conversations.map(|it| it.destinations.len()).sum(),
            requests: counters.requests,
            limited: counters.rate_limited,
            arrivals: inside
                .map(|request| Arrival {
                    at: request.at,
                    start: request.start,
                })
                .collect(),
        }
    }
}

/// The simulator's side: says its address on standard output once it has the data, then what it
/// has seen for every line on standard input, until that ends: it never outlives the benchmark.
pub(crate) fn serve(argument: &str) -> Result<()> {
    let api: Api = serde_json::from_str(argument).context("not what a simulator is told")?;
    let options = Options::default();
    let bind = options.bind;
    let world = Arc::new(Mutex::new(api.world(options)));
    let runtime = tokio::runtime::Runtime::new()?;
    let simulator = runtime.block_on(smartassist_simulator::Simulator::start_with(bind, world))?;
    writeln!(std::io::stdout(), "{}", simulator.base_url())?;
    for line in std::io::stdin().lines() {
        line?;
        let seen = Seen::of(&simulator.world());
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&seen)?)?;
    }
    runtime.block_on(simulator.stop());
    Ok(())
}

/// The benchmark's side. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Simulator {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(crate) base_url: String,
}

impl Simulator {
    /// Starts it, and waits until it has its data.
    pub(crate) async fn start(api: &Api) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([COMMAND, &serde_json::to_string(api)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the simulator")?;
        let questions = child.stdin.take().context("the simulator has no input")?;
        let answers = child.stdout.take().context("the simulator has no output")?;
        let mut answers = BufReader::new(answers).lines();
        let base_url = answers.next_line().await?.unwrap_or_default();
        ensure!(base_url.starts_with("http://"), "the simulator did not start");
        Ok(Self {
            child,
            questions,
            answers,
            base_url,
        })
    }

    /// What it has seen so far.
    pub(crate) async fn seen(&mut self) -> Result<Seen> {
        self.questions.write_all(b"\n").await?;
        self.questions.flush().await?;
        let line = self.answers.next_line().await?;
        let line = line.context("the simulator has ended")?;
        serde_json::from_str(&line).context("the simulator does not say what it has seen")
    }

    /// The most memory that it ever had, in bytes, where the system says.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        figures::peak_memory(self.child.id()?)
    }
}
