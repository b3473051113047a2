//! `backfill`: reads a past range.

use clap::Args;
use tracing::info;

use crate::config::Config;
use crate::ledger::Purpose;
use crate::sync::Wish;
use crate::telemetry::logging::Screen;

use super::accounts;
use super::exit::CommandError;
use super::range::RangeArguments;

#[derive(Debug, Args)]
pub(super) struct BackfillArguments {
    #[command(flatten)]
    range: RangeArguments,
    /// Read again what is loaded already
    #[arg(long)]
    refetch: bool,
}

pub(super) async fn backfill(
    config: &Config,
    arguments: &BackfillArguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    let (config, range) = arguments.range.of(config)?;
    let wish = Wish {
        purpose: Purpose::Backfill,
        ranges: &[range],
        read_again: arguments.refetch,
        by_identity: false,
    };
    accounts::run_all(&config, screen, async |watched, stop| {
        let (request, report) = watched.fulfil(&wish, stop).await;
        if request.is_none() && report.was_idle {
            info!(
                account = watched.account(),
                "nothing to read: all of the range is loaded"
            );
        }
        report
    })
    .await
}
