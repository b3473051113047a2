//! `backfill`: reads a past range.

use clap::Args;
use tracing::info;

use crate::config::Config;
use crate::sync::Job;
use crate::telemetry::logging::Screen;

use super::accounts;
use super::exit::CommandError;
use super::range::{Range, until_done};

/// What `backfill` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    range: Range,
    /// Read again what is loaded already
    #[arg(long)]
    refetch: bool,
}

pub(super) async fn backfill(
    config: &Config,
    arguments: &Arguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    let (config, range) = arguments.range.of(config)?;
    let job = Job::Backfill {
        range,
        refetch: arguments.refetch,
    };
    accounts::work(&config, screen, async |watched, stop| {
        let report = until_done(watched.account(), stop, async || watched.run(&job, stop).await).await;
        if report.was_idle {
            info!(
                account = watched.account(),
                "nothing to read: all of the range is loaded"
            );
        }
        report
    })
    .await
}
