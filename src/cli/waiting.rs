//! Commands wait for a lost database and repeat the interrupted work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::ledger::LoadError;
use crate::ledger::problems::Failure;
use crate::ledger::runs::Outcome;
use crate::postgres::UNREACHABLE_REMEDY;
use crate::postgres::{self, Database, MigrationError};
use crate::sync::RunReport;
use crate::telemetry::chain;

use super::exit::CommandError;

const PAUSE: Duration = Duration::from_secs(1);

const SAY_EVERY: Duration = Duration::from_secs(60);

/// Limits short attempts, because the work may bring the database down.
const SHORT_ATTEMPTS: u32 = 60;
const SHORT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Waiting {
    /// Starts anew after each answer of the database.
    at_most: Duration,
    /// The lock lets one task wait for all.
    back_at: AsyncMutex<Option<Instant>>,
    is_waiting: Arc<AtomicBool>,
    given_up: Mutex<Option<String>>,
    was_stopped: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    Database,
    Lease,
}

pub(super) trait Attempt {
    fn lost(&self) -> Option<Lost>;
}

impl Attempt for RunReport {
    fn lost(&self) -> Option<Lost> {
        if self.failure() == Some(Failure::DatabaseUnreachable) {
            Some(Lost::Database)
        } else {
            let is_cut_off = self.outcome == Outcome::Interrupted && !self.handed_over;
            is_cut_off.then_some(Lost::Lease)
        }
    }
}

impl<T> Attempt for Result<T, LoadError> {
    fn lost(&self) -> Option<Lost> {
        let is_away = self.as_ref().is_err_and(LoadError::is_unreachable);
        is_away.then_some(Lost::Database)
    }
}

impl<T> Attempt for Result<T, MigrationError> {
    fn lost(&self) -> Option<Lost> {
        let is_away = self.as_ref().is_err_and(MigrationError::is_unreachable);
        is_away.then_some(Lost::Database)
    }
}

pub(super) async fn open(
    config: &Config,
    stop: &CancellationToken,
) -> Result<(Database, Waiting), CommandError> {
    let database = tokio::select! {
        opened = Database::open_patiently(config) => opened?,
        () = stop.cancelled() => return Err(CommandError::Runs(Failure::Other)),
    };
    database.announce();
    let waiting = Waiting::new(config);
    let migrate = async || postgres::migrate(&database.pool).await;
    match waiting.through(&database, stop, migrate).await {
        Ok(()) => Ok((database, waiting)),
        Err(error) => {
            database.close().await;
            Err(waiting.verdict(error.into()))
        }
    }
}

impl Waiting {
    fn new(config: &Config) -> Self {
        Self {
            at_most: config.database.wait,
            back_at: AsyncMutex::default(),
            is_waiting: Arc::default(),
            given_up: Mutex::default(),
            was_stopped: AtomicBool::default(),
        }
    }

    pub(super) fn is_waiting(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_waiting)
    }

    /// Repeats `work` whenever the database goes away; the ledger keeps what was done.
    pub(super) async fn through<A: Attempt>(
        &self,
        database: &Database,
        stop: &CancellationToken,
        mut work: impl AsyncFnMut() -> A,
    ) -> A {
        let mut short_attempts = 0;
        loop {
            let began = Instant::now();
            let attempt = work().await;
            let Some(lost) = attempt.lost() else {
                return attempt;
            };
            if stop.is_cancelled() {
                self.was_stopped.store(true, Ordering::Relaxed);
                return attempt;
            }
            short_attempts = if began.elapsed() < SHORT {
                short_attempts + 1
            } else {
                1
            };
            if short_attempts > SHORT_ATTEMPTS {
                self.give_up(format!("the database went away {short_attempts} times in a row"));
                return attempt;
            }
            let is_back = tokio::select! {
                is_back = self.wait(database, lost) => is_back,
                () = stop.cancelled() => {
                    self.was_stopped.store(true, Ordering::Relaxed);
                    return attempt;
                }
                // A private server does not restart.
                ended = database.server_ended() => {
                    self.give_up(chain(&ended).to_string());
                    return attempt;
                }
            };
            if !is_back {
                return attempt;
            }
        }
    }

    async fn wait(&self, database: &Database, lost: Lost) -> bool {
        let since = Instant::now();
        let mut back_at = self.back_at.lock().await;
        if self.has_given_up() {
            return false;
        }
        if lost == Lost::Lease || back_at.is_some_and(|at| at > since) {
            tokio::time::sleep(PAUSE).await;
            return true;
        }
        let _shown = Shown::on(&self.is_waiting);
        warn!(
            wait_seconds = self.at_most.as_secs(),
            "the database went away, waiting for it"
        );
        let mut said = since;
        loop {
            tokio::time::sleep(PAUSE).await;
            let waited = since.elapsed();
            let waited_seconds = waited.as_secs();
            match postgres::ping(&database.pool).await {
                Err(error) if postgres::is_unreachable(&error) && waited >= self.at_most => {
                    self.give_up(format!(
                        "the database was out of reach for {} s, longer than database.wait_seconds",
                        since.elapsed().as_secs()
                    ));
                    return false;
                }
                Err(error) if postgres::is_unreachable(&error) => {
                    if said.elapsed() >= SAY_EVERY {
                        warn!(error = %chain(&error), waited_seconds, "still waiting for the database");
                        said = Instant::now();
                    }
                }
                // The work reports other errors.
                _ => {
                    info!(waited_seconds, "the database is back, going on");
                    *back_at = Some(Instant::now());
                    return true;
                }
            }
        }
    }

    fn has_given_up(&self) -> bool {
        let given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        given_up.is_some()
    }

    fn give_up(&self, how: String) {
        error!(
            error = how,
            remedy = UNREACHABLE_REMEDY,
            "the database does not come back, giving up"
        );
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
    }

    /// After a stop, database errors count as interruption.
    pub(super) fn verdict(&self, error: CommandError) -> CommandError {
        let given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        match given_up.clone() {
            Some(how) => CommandError::Away(how),
            None if self.was_stopped.load(Ordering::Relaxed) && error.is_unreachable() => {
                CommandError::Runs(Failure::Other)
            }
            None => error,
        }
    }
}

struct Shown<'a>(&'a AtomicBool);

impl<'a> Shown<'a> {
    fn on(is_waiting: &'a AtomicBool) -> Self {
        is_waiting.store(true, Ordering::Relaxed);
        Self(is_waiting)
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
