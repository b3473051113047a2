//! The simulated API as a process of its own: this program, started once more.

use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use smartassist_etl::clock::{Clock, SystemClock};
use smartassist_simulator::{Options, Seed, World};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::figures;

/// The argument that makes this program the simulator; the data follows.
pub(crate) const COMMAND: &str = "simulate";

/// A day is a window, and the API shows 1,100 records of one at most. Starts are spread by chance,
/// so a day has at most some dozens more than this.
const INTERACTIONS_PER_DAY: usize = 834;

/// What the API has to give.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Data {
    pub(crate) interactions: usize,
    pub(crate) days: usize,
    /// The earliest start.
    pub(crate) from: DateTime<Utc>,
}

impl Data {
    /// So many interactions. The last of them began more than a day ago, so none is still going on.
    pub(crate) fn of(interactions: usize) -> Self {
        let days = interactions.div_ceil(INTERACTIONS_PER_DAY);
        let today = SystemClock.now().date_naive().and_time(NaiveTime::MIN).and_utc();
        let back = i64::try_from(days).unwrap_or(i64::MAX);
        Self {
            interactions,
            days,
            from: today - TimeDelta::days(1) - TimeDelta::days(back),
        }
    }

    fn to_argument(self) -> String {
        format!("{} {} {}", self.interactions, self.days, self.from.timestamp())
    }

    fn from_argument(argument: &str) -> Option<Self> {
        let mut parts = argument.split(' ');
        Some(Self {
            interactions: parts.next()?.parse().ok()?,
            days: parts.next()?.parse().ok()?,
            from: DateTime::from_timestamp(parts.next()?.parse().ok()?, 0)?,
        })
    }
}

/// The simulator's side: says its address on standard output once it has the data, and serves
/// until standard input ends, so that it never outlives the benchmark.
pub(crate) fn serve(argument: &str) -> Result<()> {
    let data = Data::from_argument(argument).context("not the data of a simulator")?;
    let to = data.from + TimeDelta::days(i64::try_from(data.days)?);
    let options = Options::default();
    let bind = options.bind;
    let mut world = World::new(options);
    world.seed(&Seed::new(1, data.from, to, data.interactions));
    let runtime = tokio::runtime::Runtime::new()?;
    let world = Arc::new(Mutex::new(world));
    let simulator = runtime.block_on(smartassist_simulator::Simulator::start_with(bind, world))?;
    writeln!(std::io::stdout(), "{}", simulator.base_url())?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    runtime.block_on(simulator.stop());
    Ok(())
}

/// The benchmark's side. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Simulator {
    child: Child,
    pub(crate) base_url: String,
}

impl Simulator {
    /// Starts it, and waits until it has its data.
    pub(crate) async fn start(data: &Data) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([COMMAND, &data.to_argument()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the simulator")?;
        let stdout = child
            .stdout
            .take()
            .context("the simulator has no standard output")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let base_url = line.unwrap_or_default();
        ensure!(base_url.starts_with("http://"), "the simulator did not start");
        Ok(Self { child, base_url })
    }

    /// The most memory that it ever had, in bytes, where the system says.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        figures::peak_memory(self.child.id()?)
    }
}
