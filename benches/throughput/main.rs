//! How fast the daemon loads, beside `psql \copy` of the very same rows: `make bench`.
//!
//! One run does both on one private PostgreSQL with its default durability, so that the ratio
//! holds on any machine, however fast its disk is. The API is simulated in a process of its own
//! without a rate limit, and the daemon is the real program. In turn:
//!
//! 1. `sync` into empty tables;
//! 2. `psql \copy` of these rows into empty tables with the same keys and indexes in another
//!    database, parents before children, in one transaction;
//! 3. `sync` again after the coverage was taken back: everything is read and nothing has changed.
//!
//! It fails only when something does not work (an exit code, a count), never for being slow.
//! `BENCH_INTERACTIONS` sets the number of interactions, `TMPDIR` where PostgreSQL's files are.

mod copy;
mod daemon;
mod database;
mod figures;
mod report;
mod simulator;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use smartassist_etl::database::PrivateServer;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use daemon::{Daemon, Pass};
use database::Database;
use report::Report;
use simulator::{Data, Simulator};

const DEFAULT_INTERACTIONS: usize = 100_000;

/// `cargo test --benches` runs this program too, where it only has to show that it works.
const INTERACTIONS_IN_TESTS: usize = 1_000;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the report is what this program is for"
)]
fn main() -> ExitCode {
    match execute() {
        Ok(Some(report)) => println!("{report}"),
        Ok(None) => {}
        Err(error) => {
            eprintln!("the benchmark failed: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// `None` where this process was only the simulator.
fn execute() -> Result<Option<Report>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, data] = arguments.as_slice()
        && command == simulator::COMMAND
    {
        simulator::serve(data)?;
        return Ok(None);
    }
    let data = Data::of(interactions(&arguments)?);
    let report = tokio::runtime::Runtime::new()?.block_on(run(&data))?;
    Ok(Some(report))
}

fn interactions(arguments: &[String]) -> Result<usize> {
    match std::env::var("BENCH_INTERACTIONS") {
        Ok(text) => text
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .context("BENCH_INTERACTIONS must be a whole number above 0"),
        Err(_) if arguments.iter().any(|argument| argument == "--bench") => Ok(DEFAULT_INTERACTIONS),
        Err(_) => Ok(INTERACTIONS_IN_TESTS),
    }
}

/// Sets everything up, and takes it down again however it ends.
async fn run(data: &Data) -> Result<Report> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let directory = directory()?;
    let server_directory = directory.path().join("postgres");
    let server = PrivateServer::start(&server_directory, None, &[]).await?;
    let report = tokio::select! {
        report = compare(data, directory.path(), &server, &server_directory) => report,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
    };
    server.stop().await;
    report
}

/// On a disk (/tmp is often in memory, where durability costs nothing), and open to the user that
/// PostgreSQL runs as when root runs this.
fn directory() -> Result<TempDir> {
    let parent = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    tempfile::Builder::new()
        .prefix("smartassist-etl-bench-")
        .permissions(std::fs::Permissions::from_mode(0o711))
        .tempdir_in(&parent)
        .with_context(|| format!("cannot make a directory in {}", parent.display()))
}

async fn compare(
    data: &Data,
    directory: &Path,
    server: &PrivateServer,
    server_directory: &Path,
) -> Result<Report> {
    let simulator = Simulator::start(data).await?;
    let mut loaded = Database::create(server, server_directory, "loaded").await?;
    let daemon = Daemon::new(data, &simulator, &loaded, directory);
    daemon.migrate().await?;

    let load = daemon.sync(&mut loaded).await?;
    ensure!(
        load.books.inserted == data.interactions && load.books.updated + load.books.rejected == 0,
        "the first load should insert {} interactions: {:?}",
        data.interactions,
        load.books
    );
    let counts = loaded.counts().await?;

    let mut copied = Database::create(server, server_directory, "copied").await?;
    Daemon::new(data, &simulator, &copied, directory)
        .migrate()
        .await?;
    let copy = copy::measure(&mut loaded, &mut copied, directory).await?;
    let copied_counts = copied.counts().await?;
    ensure!(
        counts == copied_counts,
        "loaded {counts:?} but copied {copied_counts:?}"
    );
    copied.drop_from(&mut loaded).await?;

    let again = read_again(data, &daemon, &mut loaded).await?;
    ensure!(
        loaded.counts().await? == counts,
        "reading everything again has changed the number of rows"
    );
    Ok(Report {
        interactions: data.interactions,
        days: data.days,
        rows: counts.iter().sum(),
        simulator_peak: simulator.peak_memory(),
        load,
        copy,
        again,
    })
}

/// Has everything read again that is stored already.
async fn read_again(data: &Data, daemon: &Daemon, database: &mut Database) -> Result<Pass> {
    database
        .execute("update smartassist_sync.accounts set coverage = '{}', watermark = start_from")
        .await?;
    let again = daemon.sync(database).await?;
    let books = &again.books;
    ensure!(
        books.unchanged >= data.interactions && books.inserted + books.updated + books.rejected == 0,
        "reading everything again should find {} interactions unchanged: {books:?}",
        data.interactions
    );
    Ok(again)
}
