//! The simulator as a program: seeds a world, serves it, keeps it alive, ends on SIGTERM or SIGINT.

mod cli;
mod port_file;

use std::{
    io::{self, IsTerminal},
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::Context;
use clap::Parser;
use smartassist_simulator::{Simulator, World};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::Cli;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_env_filter(filter)
        .init();
    // Listened for from the start, so that a signal during the seeding is not lost.
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;

    // Seeded before it listens: whoever gets an answer gets all the data.
    let begun = Instant::now();
    let mut world = World::new(cli.options());
    let seed = cli.seed(world.now())?;
    world.seed(&seed);
    let interactions = world.len();
    let seeding_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let simulator = Simulator::start_with(cli.bind, Arc::new(Mutex::new(world)))
        .await
        .with_context(|| format!("cannot listen on {}", cli.bind))?;
    if cli.arrivals_per_minute > 0.0 {
        simulator.keep_arriving(cli.arrivals_per_minute);
    }
    if let Some(path) = &cli.port_file {
        port_file::write(path, simulator.address())
            .with_context(|| format!("cannot write the port file {}", path.display()))?;
    }
    tracing::info!(address = %simulator.address(), interactions, seeding_ms, "listening");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let counters = simulator.world().counters();
    simulator.stop().await;
    tracing::info!(
        requests = counters.requests,
        records_served = counters.records_served,
        rate_limited = counters.rate_limited,
        "stopped"
    );
    Ok(())
}
