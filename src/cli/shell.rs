//! What commands do around their work: open the database, migrate, wait for a lost one, close.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::config::Config;
use crate::postgres::{self, Database, OpenError, UNREACHABLE_REMEDY};
use crate::telemetry::chain;
use crate::warehouse::reporting;

use super::process::{CommandError, Shutdown};

/// Limits short attempts, because the work may bring the database down.
const MAX_SHORT_ATTEMPTS: u32 = 60;
const SHORT_ATTEMPT: Duration = Duration::from_secs(60);

pub(super) struct Shell<'a> {
    pub(super) config: &'a Config,
    pub(super) database: Database,
    pub(super) stop: CancellationToken,
    /// Ctrl-C: the command's request is not wanted any more.
    pub(super) interrupted: CancellationToken,
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
    };
    let worked = tokio::select! {
        worked = shell.migrate_and(work) => worked,
        () = shutdown.hard.cancelled() => Err(CommandError::Interrupted),
    };
    shell.database.close().await;
    match worked {
        Err(error) if shell.stop.is_cancelled() && error.is_unreachable() => Err(CommandError::Interrupted),
        worked => worked,
    }
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
            let away = tokio::select! {
                waited = self.database.wait_again(self.config) => waited.err(),
                () = self.stop.cancelled() => return attempt,
                // Our own private server does not restart.
                ended = self.database.server_ended() => Some(ended.into()),
            };
            let away = away.map(|error: OpenError| chain(&error).to_string());
            let failing = (short_attempts >= MAX_SHORT_ATTEMPTS)
                .then(|| format!("the database went away {short_attempts} times in a row"));
            if let Some(error) = away.or(failing) {
                let remedy = UNREACHABLE_REMEDY;
                error!(error, remedy, "the database does not come back, giving up");
                return attempt;
            }
        }
    }
}
