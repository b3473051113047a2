//! `confirm-missing`: marks interactions that are missing in bulk.

use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::Config;
use crate::ledger::LoadError;
use crate::postgres::Pool;
use crate::time::clock::{Clock, SystemClock};
use crate::warehouse::bulk;

use super::exit::CommandError;
use super::output::print;
use super::range::only;
use super::waiting;

/// What `confirm-missing` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
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

pub(super) async fn confirm_missing(config: &Config, arguments: &Arguments) -> Result<(), CommandError> {
    config.require_accounts()?;
    let config = only(config, Some(&arguments.account))?;
    let stop = CancellationToken::new();
    let (database, waiting) = waiting::open(&config, &stop).await?;
    let mut interactions = 0;
    let confirm = async || confirm(&config, &database.pool, arguments.dry_run, &mut interactions).await;
    let confirmed = waiting.through(&database, &stop, confirm).await;
    database.close().await;
    confirmed.map_err(|error| waiting.verdict(error.into()))?;
    let (account, dry_run) = (&arguments.account, arguments.dry_run);
    if arguments.json {
        let told = json!({ "account": account, "interactions": interactions, "dry_run": dry_run });
        print(&format!("{told}\n"))?;
    } else if dry_run {
        print(&format!(
            "{account}: {interactions} interactions would be marked as missing\n"
        ))?;
    } else {
        print(&format!(
            "{account}: {interactions} interactions are marked as missing\n"
        ))?;
    }
    Ok(())
}

async fn confirm(
    config: &Config,
    pool: &Pool,
    dry_run: bool,
    interactions: &mut u64,
) -> Result<(), LoadError> {
    let account = &config.accounts[0];
    if dry_run {
        *interactions = bulk::withheld(pool, &account.account_id).await?;
        return Ok(());
    }
    let known_as = (account.account_id.as_str(), account.name.as_str());
    bulk::confirm(pool, known_as, SystemClock.now(), interactions).await?;
    info!(
        account = account.name,
        interactions, "interactions that are missing in bulk are marked, as confirmed"
    );
    Ok(())
}
