use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::exit::CommandError;

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
