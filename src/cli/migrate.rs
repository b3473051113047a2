//! `migrate`: apply migrations only.

use crate::config::Config;
use crate::database::{self, Database};

use super::exit::CommandError;

pub(super) async fn migrate(config: &Config) -> Result<(), CommandError> {
    let database = Database::open(config).await?;
    database.announce();
    let migrated = database::migrate(&database.pool).await;
    database.close().await;
    Ok(migrated?)
}
