//! What a first load takes with and without facts: builds of one commit that differ by the feature `without-facts`, in turn.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::api::Api;
use crate::daemon::Daemon;
use crate::simulator::Simulator;
use crate::throughput;
use crate::workbench::Workbench;

/// The median counts.
const TURNS: usize = 5;

/// Measures, and prints the report.
pub(crate) async fn measure(workbench: &Workbench, interactions: usize) -> Result<()> {
    let with = PathBuf::from(env!("CARGO_BIN_EXE_smartassist-etl"));
    let without = build_without_facts(&with).await?;
    let (mut seconds_with, mut seconds_without) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        seconds_without.push(load(workbench, interactions, &without).await?);
        seconds_with.push(load(workbench, interactions, &with).await?);
    }
    let (with, without) = (median(&mut seconds_with), median(&mut seconds_without));
    let mut out = std::io::stdout();
    writeln!(
        out,
        "first load of {interactions} interactions, median of {TURNS}"
    )?;
    writeln!(out, "  with facts      {with:7.2} s  ({seconds_with:.2?})")?;
    writeln!(out, "  without facts   {without:7.2} s  ({seconds_without:.2?})")?;
    writeln!(
        out,
        "  facts           {:7.1} % of the load",
        100.0 * (with - without) / with
    )?;
    Ok(())
}

/// Beside the other build, which it must not replace.
async fn build_without_facts(with: &Path) -> Result<PathBuf> {
    let profile = with.parent().context("the program is in no directory")?;
    let target = profile.join("without-facts");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--bin", "smartassist-etl"])
        .args(["--features", "without-facts", "--target-dir"])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .await
        .context("cannot start cargo")?;
    ensure!(
        built.success(),
        "the program cannot be built without facts: {built}"
    );
    Ok(target.join("release/smartassist-etl"))
}

/// In seconds.
async fn load(workbench: &Workbench, interactions: usize, program: &Path) -> Result<f64> {
    let data = throughput::data(interactions);
    let from = data.from;
    let simulator = Simulator::start(&Api::new(data)).await?;
    let mut database = workbench.database("loaded").await?;
    let daemon = Daemon::new(from, &simulator, &database, workbench.directory()).built_as(program);
    let load = throughput::first_load(interactions, &daemon, &mut database).await?;
    workbench.drop(database).await?;
    Ok(load.seconds)
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
