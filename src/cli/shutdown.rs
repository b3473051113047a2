//! A second signal or the deadline enforces the shutdown.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

const SIGINT: &str = "SIGINT";

#[derive(Debug, Clone, Default)]
pub(super) struct Shutdown {
    /// Start nothing new; finish writes.
    pub(super) soft: CancellationToken,
    /// Ctrl-C: what was asked for is not wanted any more.
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
