//! What an account costs as it grows: the same work at a hundredth, a tenth and all of its interactions.
//!
//! Every day has about as many interactions as every other, so that a poll, a refresh of 30 days or a day's `verify` is the same work
//! at each size, and what differs is what grows. The newest days are loaded by `sync`, and older ones by `backfill`, from a
//! simulator for each chunk: what it holds in memory does not grow either. Raw payloads are not kept, for the disk's sake.

mod table;
mod work;

use anyhow::{Result, ensure};
use chrono::{DateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use smartassist_etl::time::{Clock, SystemClock};

use crate::api::{Api, Batch, Data, Spread};
use crate::daemon::{Daemon, Ended};
use crate::database::Database;
use crate::simulator::Simulator;
use crate::workbench::Workbench;

use table::GrowthTable;

/// So that a hundred thousand are a month, and ten million nine years.
const INTERACTIONS_PER_DAY: usize = 3_000;

/// Whoever is erased is recognised by hashes that are made with it.
const KEY: &str = "a key of at least 32 characters, for nobody";

/// What one simulator holds.
const CHUNK: usize = 500_000;

/// What the newest days hold that all work but loading is about: more than the 30 days that are read again.
const NEWEST: usize = 100_000;

/// The fewest that they hold: some days go by retention.
const FEWEST: usize = 10 * INTERACTIONS_PER_DAY;

/// Measures, and prints a table.
pub(crate) async fn measure(workbench: &Workbench, interactions: usize) -> Result<()> {
    let mut growth = Growth::begin(workbench, (interactions / 100).clamp(FEWEST, NEWEST)).await?;
    let mut table = GrowthTable::default();
    for size in [interactions / 100, interactions / 10, interactions] {
        let load = growth.load(size).await?;
        let loaded = growth.interactions;
        let figures = growth.measure(load).await?;
        table.add(loaded, figures)?;
    }
    table.print()?;
    workbench.drop(growth.database).await
}

/// An account, so far.
struct Growth<'a> {
    workbench: &'a Workbench,
    database: Database,
    newest: Simulator,
    /// The midnight after the newest day, in UTC.
    until: DateTime<Utc>,
    /// The start of the oldest day.
    from: DateTime<Utc>,
    interactions: usize,
    peak_memory: u64,
}

impl<'a> Growth<'a> {
    /// With an API that has the newest days, of which nothing is loaded.
    async fn begin(workbench: &'a Workbench, newest: usize) -> Result<Self> {
        let today = SystemClock.now().date_naive().and_time(NaiveTime::MIN).and_utc();
        let until = today - TimeDelta::days(1);
        let days = newest.div_ceil(INTERACTIONS_PER_DAY);
        let newest = simulator(until, days).await?;
        let growth = Self {
            workbench,
            database: workbench.database("growth").await?,
            newest,
            until,
            from: until - TimeDelta::days(days.try_into()?),
            interactions: 0,
            peak_memory: 0,
        };
        growth.daemon(&growth.newest).run("migrate").await?;
        Ok(growth)
    }

    /// With an API.
    fn daemon(&self, simulator: &Simulator) -> Daemon {
        Daemon::new(self.from, simulator, &self.database, self.workbench.directory())
            .with("SYNC__REFRESH", "[]")
            .with("SYNC__FOLLOW_OPEN_HOURS", "0")
            .with("STORAGE__RAW", "false")
            .with("PRIVACY__KEY", KEY)
    }

    /// Runs a command against the newest days' API.
    async fn run(&mut self, command: &str) -> Result<Ended> {
        let ended = self.daemon(&self.newest).run(command).await?;
        self.note(&ended);
        Ok(ended)
    }

    fn note(&mut self, ended: &Ended) {
        self.peak_memory = self.peak_memory.max(ended.peak_memory.unwrap_or(0));
    }

    /// Loads older days until there are about `size` interactions; gives how many a second.
    #[expect(clippy::cast_precision_loss, reason = "it is rounded for people anyway")]
    async fn load(&mut self, size: usize) -> Result<f64> {
        let before = self.interactions;
        let mut seconds = 0.0;
        if before == 0 {
            let days = (self.until - self.from).num_days();
            seconds += self.run("sync").await?.seconds;
            self.count(0, days.try_into()?).await?;
        }
        while let days @ 1.. = size.saturating_sub(self.interactions).min(CHUNK) / INTERACTIONS_PER_DAY {
            let stored = self.database.sessions().await?;
            seconds += self.backfill(days).await?;
            self.count(stored, days).await?;
        }
        Ok((self.interactions - before) as f64 / seconds)
    }

    /// Loads the days before the oldest one; gives the seconds.
    async fn backfill(&mut self, days: usize) -> Result<f64> {
        let older = simulator(self.from, days).await?;
        let from = self.from - TimeDelta::days(days.try_into()?);
        let command = format!("backfill --from {} --to {}", instant(from), instant(self.from));
        let ended = self.daemon(&older).run(&command).await?;
        self.note(&ended);
        self.from = from;
        Ok(ended.seconds)
    }

    /// After all of these days were added to what was stored.
    async fn count(&mut self, stored: usize, days: usize) -> Result<()> {
        let added = self.database.sessions().await? - stored;
        let expected = days * INTERACTIONS_PER_DAY;
        ensure!(
            added == expected,
            "{added} of {expected} interactions were stored"
        );
        self.interactions += added;
        Ok(())
    }
}

/// Of the days before an instant.
async fn simulator(to: DateTime<Utc>, days: usize) -> Result<Simulator> {
    let from = to - TimeDelta::days(days.try_into()?);
    let batch = Batch {
        from,
        to,
        count: days * INTERACTIONS_PER_DAY,
        spread: Spread::Even,
    };
    let batches = vec![batch];
    Simulator::start(&Api::new(Data { from, batches })).await
}

/// As the command line takes it.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
