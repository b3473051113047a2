//! What commands do around their work: open the database, migrate, wait for a lost one, close.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::postgres::{self, Database, UNREACHABLE_REMEDY};
use crate::telemetry::chain;
use crate::warehouse::reporting;

use super::process::{CommandError, Shutdown};

const RETRY_PAUSE: Duration = Duration::from_secs(1);

const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// A daemon that restarts starts the private server, and would wait for ours.
const LEFT_TO_A_DAEMON: Duration = Duration::from_secs(15);

/// Limits short attempts, because the work may bring the database down.
const MAX_SHORT_ATTEMPTS: u32 = 60;
const SHORT_ATTEMPT: Duration = Duration::from_secs(60);

/// Locked while one task waits for the database, on behalf of all; says why nobody waits any more.
pub(super) type Outage = Arc<Mutex<Option<String>>>;

pub(super) struct Shell<'a> {
    pub(super) config: &'a Config,
    pub(super) database: Database,
    pub(super) stop: CancellationToken,
    /// Ctrl-C: the command's request is not wanted any more.
    pub(super) interrupted: CancellationToken,
    pub(super) outage: Outage,
}

fn give_up(given_up: &mut Option<String>, reason: String) {
    error!(
        error = reason,
        remedy = UNREACHABLE_REMEDY,
        "the database does not come back, giving up"
    );
    *given_up = Some(reason);
}

/// The first signal sets `stop`; a second one, or the deadline, ends the work.
pub(super) async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Shell<'_>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let shutdown = Shutdown::on_signals(config.sync.shutdown).map_err(CommandError::other)?;
    let database = tokio::select! {
        opened = Database::open_waiting(config) => opened?,
        () = shutdown.soft.cancelled() => return Err(CommandError::Interrupted),
    };
    database.announce();
    let shell = Shell {
        config,
        database,
        stop: shutdown.soft,
        interrupted: shutdown.interrupted,
        outage: Arc::default(),
    };
    let worked = tokio::select! {
        worked = shell.migrate_and(work) => worked,
        () = shutdown.hard.cancelled() => Err(CommandError::Interrupted),
    };
    shell.database.close().await;
    let Err(error) = worked else { return worked };
    let given_up = shell.outage.lock().await.take();
    Err(match given_up {
        Some(reason) => CommandError::DatabaseLost(reason),
        None if shell.stop.is_cancelled() && error.is_unreachable() => CommandError::Interrupted,
        None => error,
    })
}

impl Shell<'_> {
    async fn migrate_and<T>(
        &self,
        work: impl AsyncFnOnce(&Self) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let migrate = async || Ok(postgres::migrate(&self.database.pool).await?);
        self.retry(migrate).await?;
        work(self).await
    }

    pub(super) async fn apply_reporting(&self, may_change: bool) -> Result<(), CommandError> {
        let (pool, accounts) = (&self.database.pool, &self.config.accounts);
        let apply = async || Ok(reporting::apply_all(pool, accounts, may_change).await?);
        self.retry(apply).await
    }

    pub(super) async fn retry<T>(
        &self,
        work: impl AsyncFnMut() -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let was_cut_off = |done: &Result<T, _>| done.as_ref().is_err_and(CommandError::is_unreachable);
        self.repeat(was_cut_off, work).await
    }

    /// Repeats `work` whenever the database goes away; the ledger keeps what was done.
    pub(super) async fn repeat<A>(
        &self,
        was_cut_off: impl Fn(&A) -> bool,
        mut work: impl AsyncFnMut() -> A,
    ) -> A {
        let mut short_attempts = 0;
        loop {
            let began = Instant::now();
            let attempt = work().await;
            if self.stop.is_cancelled() || !was_cut_off(&attempt) {
                return attempt;
            }
            let is_short = began.elapsed() < SHORT_ATTEMPT;
            short_attempts = if is_short { short_attempts + 1 } else { 1 };
            let is_back = tokio::select! {
                is_back = self.wait_for_database(short_attempts) => is_back,
                () = self.stop.cancelled() => false,
                // Our own private server does not restart.
                ended = self.database.server_ended() => {
                    give_up(&mut *self.outage.lock().await, chain(&ended).to_string());
                    false
                }
            };
            if !is_back {
                return attempt;
            }
        }
    }

    async fn wait_for_database(&self, short_attempts: u32) -> bool {
        tokio::time::sleep(RETRY_PAUSE).await;
        let mut given_up = self.outage.lock().await;
        if given_up.is_some() {
            return false;
        }
        if short_attempts > MAX_SHORT_ATTEMPTS {
            let reason = format!("the database went away {short_attempts} times in a row");
            give_up(&mut given_up, reason);
            return false;
        }
        let (since, limit) = (Instant::now(), self.config.database.wait);
        let mut logged_at: Option<Instant> = None;
        loop {
            let waited_seconds = since.elapsed().as_secs();
            let Some(error) = self.why_out_of_reach(since.elapsed()).await else {
                if logged_at.is_some() {
                    info!(waited_seconds, "the database is back, going on");
                }
                return true;
            };
            if since.elapsed() >= limit {
                let waited = since.elapsed().as_secs();
                let reason = format!(
                    "the database was out of reach for {waited} s, longer than database.wait_seconds"
                );
                give_up(&mut given_up, reason);
                return false;
            }
            if logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
                logged_at = Some(Instant::now());
                let wait_seconds = limit.as_secs();
                warn!(
                    error,
                    waited_seconds, wait_seconds, "the database went away, waiting for it"
                );
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn why_out_of_reach(&self, waited: Duration) -> Option<String> {
        if waited >= LEFT_TO_A_DAEMON
            && let Err(error) = self.database.rejoin(self.config).await
        {
            return Some(chain(&error).to_string());
        }
        match postgres::ping(&self.database.pool).await {
            Err(error) if postgres::is_unreachable(&error) => Some(chain(&error).to_string()),
            // The work reports other errors.
            _ => None,
        }
    }
}
