//! `migrate`: applies migrations.

use tokio_util::sync::CancellationToken;

use crate::config::Config;

use super::exit::CommandError;
use super::waiting;

pub(super) async fn migrate(config: &Config) -> Result<(), CommandError> {
    let (database, _) = waiting::open(config, &CancellationToken::new()).await?;
    database.close().await;
    Ok(())
}
