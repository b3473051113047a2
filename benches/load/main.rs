//! How well the daemon loads, in parts that `BENCH` names, separated by commas: `make bench`.
//!
//! - `throughput`: how fast, beside `psql \copy` of the very same rows;
//! - `requests`: how many requests a first load takes, for data of several shapes;
//! - `budget`: how much of the API's 60 requests a minute a backfill uses. It takes over three
//!   minutes, so it runs only where it is asked for;
//! - `page`: how long the status page of fifty accounts takes, only where it is asked for;
//! - `key`: what a row costs in the index of the key, only where it is asked for;
//! - `bi`: what the questions of `docs/questions.md` cost at a million interactions, only where it is asked for;
//! - `growth`: what an account of a hundred thousand, a million and ten million interactions costs, only where it is asked for;
//! - `facts`: what a first load takes with and without facts, only where it is asked for: it builds the program a second time.
//!
//! Without `BENCH` the first two run.
//!
//! All work on one private PostgreSQL with its default durability. The API is simulated in a
//! process of its own, and the daemon is the real program.
//!
//! It fails only when something does not work (an exit code, a count), never for a goal that is
//! missed. `BENCH_INTERACTIONS` sets the number of interactions of `throughput` and `facts`, `BENCH_SCALE`
//! multiplies those of `requests`, `BENCH_KEYS` sets the rows of `key`, `BENCH_REPORTED`
//! the interactions of `bi`, `BENCH_GROWN` the most of `growth`, `TMPDIR` says where PostgreSQL's files are.

mod api;
mod bi;
mod budget;
mod choice;
mod daemon;
mod database;
mod facts;
mod figures;
mod growth;
mod http;
mod key;
mod page;
mod requests;
mod simulator;
mod throughput;
mod workbench;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use tokio::signal::unix::{SignalKind, signal};

use choice::{Choice, Part};
use workbench::Workbench;

#[expect(clippy::print_stderr, reason = "the last word is for whoever ran this")]
fn main() -> ExitCode {
    match execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, api] = arguments.as_slice()
        && command == simulator::COMMAND
    {
        return simulator::serve(api);
    }
    let choice = Choice::of(&arguments)?;
    tokio::runtime::Runtime::new()?.block_on(run(&choice))
}

/// Sets everything up, and takes it down again however it ends.
async fn run(choice: &Choice) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let workbench = Workbench::set_up().await?;
    let done = tokio::select! {
        done = parts(choice, &workbench) => done,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
    };
    workbench.take_down().await;
    done
}

/// One part's failure does not keep the others from being measured.
async fn parts(choice: &Choice, workbench: &Workbench) -> Result<()> {
    let mut failed = Vec::new();
    for part in &choice.parts {
        let done = match part {
            Part::Throughput => Box::pin(throughput::measure(workbench, choice.interactions)).await,
            Part::Requests => Box::pin(requests::measure(workbench, choice.scale)).await,
            Part::Budget => Box::pin(budget::measure(workbench)).await,
            Part::Page => Box::pin(page::measure(workbench)).await,
            Part::Key => Box::pin(key::measure(workbench, choice.keys)).await,
            Part::Bi => Box::pin(bi::measure(workbench, choice.reported)).await,
            Part::Growth => Box::pin(growth::measure(workbench, choice.grown)).await,
            Part::Facts => Box::pin(facts::measure(workbench, choice.interactions)).await,
        };
        if let Err(error) = done {
            writeln!(std::io::stderr(), "{}: {error:#}", part.name())?;
            failed.push(part.name());
        }
    }
    ensure!(failed.is_empty(), "see {} above", failed.join(" and "));
    Ok(())
}
