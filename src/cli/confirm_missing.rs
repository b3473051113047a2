//! `confirm-missing`: marks interactions that are missing in bulk.

use clap::Args;
use serde_json::json;
use tracing::info;

use crate::config::Config;
use crate::time::clock::{Clock, SystemClock};
use crate::warehouse::bulk;

use super::accounts::select;
use super::exit::CommandError;
use super::output::print_report;
use super::shell::{Shell, with_database};

#[derive(Debug, Args)]
pub(super) struct ConfirmMissingArguments {
    /// The account, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    account: String,
    /// Only count what would be marked
    #[arg(long)]
    dry_run: bool,
    /// One JSON object for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn confirm_missing(
    config: &Config,
    arguments: &ConfirmMissingArguments,
) -> Result<(), CommandError> {
    let (account, dry_run) = (&arguments.account, arguments.dry_run);
    let config = select(config, Some(account))?;
    let interactions = with_database(&config, async |shell| confirm(shell, dry_run).await).await?;
    let summary = json!({ "account": account, "interactions": interactions, "dry_run": dry_run });
    let are = if dry_run { "would be" } else { "are" };
    print_report(arguments.json, &summary, || {
        format!("{account}: {interactions} interactions {are} marked as missing\n")
    })
}

async fn confirm(shell: &Shell<'_>, dry_run: bool) -> Result<u64, CommandError> {
    let pool = &shell.database.pool;
    let account = &shell.config.accounts[0];
    if dry_run {
        let count = async || Ok(bulk::withheld(pool, &account.account_id).await?);
        return shell.retry(&shell.stop, count).await;
    }
    let names = (account.account_id.as_str(), account.name.as_str());
    let mut interactions = 0;
    let confirm = async || Ok(bulk::confirm(pool, names, SystemClock.now(), &mut interactions).await?);
    shell.retry(&shell.stop, confirm).await?;
    info!(
        account = account.name,
        interactions, "interactions that are missing in bulk are marked, as confirmed"
    );
    Ok(interactions)
}
