//! `status`: how far each account is complete, for people or as JSON.

use serde_json::json;

use crate::config::Config;
use crate::database::Database;
use crate::load::LoadError;
use crate::load::status;
use crate::observe::render_status;

use super::exit::CommandError;
use super::output::print;

pub(super) async fn status(config: &Config, as_json: bool) -> Result<(), CommandError> {
    if !Database::is_made(config) {
        // Looking must not make a server.
        return Err(CommandError::other(
            "nothing has been loaded yet; run `smartassist-etl sync` first",
        ));
    }
    let database = Database::open(config).await?;
    let accounts = status::accounts(&database.pool).await;
    database.close().await;
    let accounts = accounts.map_err(|error| {
        if is_empty_database(&error) {
            CommandError::other("the database holds no tables of ours yet; run `smartassist-etl sync` first")
        } else {
            error.into()
        }
    })?;
    let text = if as_json {
        format!("{:#}\n", json!({ "accounts": accounts }))
    } else {
        render_status(&accounts)
    };
    print(&text)?;
    Ok(())
}

fn is_empty_database(error: &LoadError) -> bool {
    matches!(error, LoadError::Database(error) if crate::load::is_undefined(error))
}
