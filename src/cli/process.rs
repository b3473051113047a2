//! Exit codes, signals, and no secrets.

use std::error::Error;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::ConfigError;
use crate::extract::ClientError;
use crate::ledger::LoadError;
use crate::ledger::problems::Failure;
use crate::postgres::{MigrationError, OpenError};

#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("{}; see the log", summary(*.0))]
    Runs(Failure),
    #[error("interrupted; what was committed is kept, and the same command continues from there")]
    Interrupted,
    #[error("cancelled before all was read; what was committed is kept")]
    Cancelled,
    #[error("{0}")]
    Usage(String),
    #[error("doctor found problems: see the checks marked failed")]
    Found(Failure),
    #[error("days that differ: {days}; {remedy}")]
    Differs { days: usize, remedy: &'static str },
    #[error("not all rows were rebuilt; see the log")]
    NotRebuilt,
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl CommandError {
    pub(super) fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    pub(super) fn is_unreachable(&self) -> bool {
        match self {
            Self::Runs(failure) | Self::Found(failure) => *failure == Failure::DatabaseUnreachable,
            Self::Load(error) => error.is_unreachable(),
            Self::Migration(error) => error.is_unreachable(),
            _ => false,
        }
    }

    /// Unless the error says it.
    pub(super) fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Open(OpenError::Unfit(_) | OpenError::Private(_)) => None,
            Self::Open(error) => Some(error.remedy()),
            Self::Migration(error) => Some(error.remedy()),
            Self::Load(error) => Some(error.remedy()),
            _ => None,
        }
    }

    /// An interface: listed in `--help` and `docs/operations.md`.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_) | Self::Client(_) | Self::Usage(_) => 2,
            Self::Runs(Failure::OtherFilters) | Self::Found(Failure::OtherFilters) => 2,
            Self::Open(error) if error.is_of_configuration() => 2,
            Self::Open(_) => 4,
            Self::Runs(Failure::Refused) | Self::Found(Failure::Refused) => 3,
            error if error.is_unreachable() => 4,
            _ => 1,
        })
    }
}

fn summary(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "the API rejected us, for at least one account",
        Failure::DatabaseUnreachable => {
            "the database went out of reach, and the same command continues from what was committed"
        }
        Failure::OtherFilters => "an account was loaded with other filters",
        Failure::Other => "part of the work failed",
    }
}

const SIGINT: &str = "SIGINT";

/// Afterwards only root can read memory and environment; no core dumps.
pub(super) fn hide_secrets() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Restarts the program: sqlx would apply `PG…` variables to the private server.
pub(super) fn drop_postgresql_variables() -> Result<(), CommandError> {
    let names: Vec<OsString> = std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.as_bytes().starts_with(b"PG"))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe().map_err(CommandError::other)?);
    command.arg0(arguments.next().unwrap_or_default()).args(arguments);
    for name in names {
        command.env_remove(name);
    }
    // `exec` returns only on failure.
    Err(CommandError::other(format!(
        "the PG… variables must not reach the private PostgreSQL, and cannot be dropped; unset them: {}",
        command.exec()
    )))
}

/// A second signal or the deadline enforces it.
#[derive(Debug, Clone, Default)]
pub(super) struct Shutdown {
    /// Start nothing new; finish writes.
    pub(super) soft: CancellationToken,
    /// Ctrl-C: the result is not wanted any more.
    pub(super) interrupted: CancellationToken,
    /// Roll back uncommitted work.
    pub(super) hard: CancellationToken,
}

impl Shutdown {
    pub(super) fn on_signals(grace: Duration) -> std::io::Result<Self> {
        let shutdown = Self::default();
        let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(listen(shutdown.clone(), signals, grace));
        Ok(shutdown)
    }
}

async fn listen(shutdown: Shutdown, mut signals: (Signal, Signal), grace: Duration) {
    let first = next(&mut signals).await;
    info!(
        signal = first,
        grace_seconds = grace.as_secs(),
        "stopping: finishing the current write, cancelling requests"
    );
    if first == SIGINT {
        shutdown.interrupted.cancel();
    }
    shutdown.soft.cancel();
    tokio::select! {
        second = next(&mut signals) => warn!(signal = second, "stopping at once"),
        () = tokio::time::sleep(grace) => warn!("the grace time is over, stopping at once"),
    }
    shutdown.hard.cancel();
}

async fn next((terminate, interrupt): &mut (Signal, Signal)) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => SIGINT,
    }
}
