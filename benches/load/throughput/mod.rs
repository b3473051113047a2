//! How fast the daemon loads, beside `psql \copy` of the very same rows.
//!
//! One run does both on one server, so that the ratio holds on any machine, however fast its disk
//! is. In turn:
//!
//! 1. `sync` into empty tables;
//! 2. `psql \copy` of these rows into empty tables with the same keys and indexes in another
//!    database, parents before children, in one transaction;
//! 3. `sync` again after the coverage was taken back: everything is read and nothing has changed;
//! 4. `replay` of all of it, twice: every row is written anew, as after a new version of the transform,
//!    and then none.

mod copy;
mod report;

use std::io::Write;

use anyhow::{Result, ensure};
use chrono::{NaiveTime, TimeDelta};
use smartassist_etl::time::{Clock, SystemClock};

use crate::api::{Api, Batch, Data, Spread};
use crate::daemon::Daemon;
use crate::database::{Books, Database};
use crate::simulator::Simulator;
use crate::workbench::Workbench;

use report::Report;

/// A day's records fit into one window, of which the API shows 1,100 at most: what is measured is
/// the way of a record, not the cutting of windows. Starts are spread by chance, so a day has at
/// most some dozens more than this.
const INTERACTIONS_PER_DAY: usize = 834;

/// What one `sync` took.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(crate) seconds: f64,
    /// In bytes, where the system says.
    peak_memory: Option<u64>,
    wal_bytes: u64,
    books: Books,
}

/// Measures, and prints the report.
pub(crate) async fn measure(workbench: &Workbench, interactions: usize) -> Result<()> {
    let days = interactions.div_ceil(INTERACTIONS_PER_DAY);
    let report = compare(workbench, interactions, days).await?;
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

async fn compare(workbench: &Workbench, interactions: usize, days: usize) -> Result<Report> {
    let data = data(interactions);
    let from = data.from;
    let simulator = Simulator::start(&Api::new(data)).await?;
    let mut loaded = workbench.database("loaded").await?;
    let daemon = Daemon::new(from, &simulator, &loaded, workbench.directory());
    let load = first_load(interactions, &daemon, &mut loaded).await?;
    let counts = loaded.counts().await?;

    let mut copied = workbench.database("copied").await?;
    Daemon::new(from, &simulator, &copied, workbench.directory())
        .run("migrate")
        .await?;
    let copy = copy::measure(&mut loaded, &mut copied, workbench.directory()).await?;
    let copied_counts = copied.counts().await?;
    ensure!(
        counts == copied_counts,
        "loaded {counts:?} but copied {copied_counts:?}"
    );
    workbench.drop(copied).await?;

    let again = read_again(interactions, &daemon, &mut loaded).await?;
    let replays = replay_twice(interactions, &daemon, &mut loaded).await?;
    ensure!(
        loaded.counts().await? == counts,
        "reading everything again has changed the number of rows"
    );
    workbench.drop(loaded).await?;
    Ok(Report {
        interactions,
        days,
        rows: counts.iter().sum(),
        simulator_peak: simulator.peak_memory(),
        load,
        copy,
        again,
        replays,
    })
}

/// So many interactions over whole days. The last of them began more than a day ago, so none is
/// still going on.
pub(crate) fn data(interactions: usize) -> Data {
    let days = interactions.div_ceil(INTERACTIONS_PER_DAY);
    let today = SystemClock.now().date_naive().and_time(NaiveTime::MIN).and_utc();
    let to = today - TimeDelta::days(1);
    let from = to - TimeDelta::days(i64::try_from(days).unwrap_or(i64::MAX));
    let batch = Batch {
        from,
        to,
        count: interactions,
        spread: Spread::Even,
    };
    Data {
        from,
        batches: vec![batch],
    }
}

/// One pass, measured. `database` is the one that it writes to.
async fn sync(daemon: &Daemon, database: &mut Database) -> Result<Pass> {
    pass(daemon, "sync", database).await
}

async fn pass(daemon: &Daemon, command: &str, database: &mut Database) -> Result<Pass> {
    database.settle().await?;
    let wal_before = database.wal_position().await?;
    let ended = daemon.run(command).await?;
    Ok(Pass {
        seconds: ended.seconds,
        peak_memory: ended.peak_memory,
        wal_bytes: database.wal_position().await?.saturating_sub(wal_before),
        books: database.books().await?,
    })
}

/// Into an empty database.
pub(crate) async fn first_load(
    interactions: usize,
    daemon: &Daemon,
    database: &mut Database,
) -> Result<Pass> {
    daemon.run("migrate").await?;
    let load = sync(daemon, database).await?;
    ensure!(
        load.books.inserted == interactions && load.books.updated + load.books.rejected == 0,
        "the first load should insert {interactions} interactions: {:?}",
        load.books
    );
    Ok(load)
}

/// Has everything read again that is stored already.
async fn read_again(interactions: usize, daemon: &Daemon, database: &mut Database) -> Result<Pass> {
    database
        .execute("update smartassist_sync.accounts set coverage = '{}'")
        .await?;
    let again = sync(daemon, database).await?;
    let books = &again.books;
    ensure!(
        books.unchanged >= interactions && books.inserted + books.updated + books.rejected == 0,
        "reading everything again should find {interactions} interactions unchanged: {books:?}"
    );
    Ok(again)
}

/// Has every row rebuilt from its raw record, and then once more where nothing is left to do.
async fn replay_twice(interactions: usize, daemon: &Daemon, database: &mut Database) -> Result<[Pass; 2]> {
    database
        .execute("update smartassist.sessions set content_hash = decode(repeat('00', 32), 'hex')")
        .await?;
    let rewriting = pass(daemon, "replay", database).await?;
    let idle = pass(daemon, "replay", database).await?;
    ensure!(
        rewriting.books.updated == interactions && idle.books.updated == 0,
        "the first replay should write {interactions} interactions and the second none: {:?}, {:?}",
        rewriting.books,
        idle.books
    );
    Ok([rewriting, idle])
}
