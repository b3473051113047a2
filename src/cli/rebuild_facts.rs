use serde_json::json;

use crate::config::Config;
use crate::sync;
use crate::time::pulse::Pulse;
use crate::warehouse::reporting::{self, MayChange};

use super::accounts::select;
use super::exit::CommandError;
use super::output::print_report;
use super::replay::ReprocessArguments;
use super::shell::{Shell, with_database};

pub(super) async fn rebuild_facts(
    config: &Config,
    arguments: &ReprocessArguments,
) -> Result<(), CommandError> {
    let config = select(config, arguments.account.as_deref())?;
    let rebuilt = with_database(&config, async |shell| rebuild(shell).await).await?;
    let accounts = rebuilt
        .iter()
        .map(|(account, interactions)| json!({ "account": account, "interactions": interactions }));
    let summary = json!({ "accounts": accounts.collect::<Vec<_>>() });
    print_report(arguments.json, &summary, || {
        let lines = rebuilt.iter().map(|(account, interactions)| {
            format!("{account}: facts of {interactions} interactions made anew\n")
        });
        lines.collect()
    })
}

async fn rebuild(shell: &Shell<'_>) -> Result<Vec<(String, u64)>, CommandError> {
    shell.apply_reporting(MayChange::Never).await?;
    let pool = &shell.database.pool;
    let mut all = Vec::new();
    for account in &shell.config.accounts {
        let ask = async || Ok::<_, CommandError>(reporting::rebuild(pool, &account.account_id).await?);
        shell.retry(&shell.stop, ask).await?;
        let mut interactions = 0;
        let rebuild = async || {
            interactions += sync::rebuild_facts(pool, account, &shell.stop, &Pulse::default()).await?;
            Ok::<_, CommandError>(())
        };
        shell.retry(&shell.stop, rebuild).await?;
        if shell.stop.is_cancelled() {
            return Err(CommandError::Interrupted);
        }
        all.push((account.name.clone(), interactions));
    }
    Ok(all)
}
