//! Transactions that stand in each other's way: prevented, and repeated.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tracing::warn;

use crate::telemetry::{self, chain};

use super::LoadError;

/// Each may wait a full lock timeout.
const RETRIES: usize = 4;

const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Deadlocks, serialization failures, lock and idle timeouts.
///
/// # Errors
/// The last conflict, or another error.
pub async fn retry<T, F>(account: &str, mut transaction: impl FnMut() -> F) -> Result<T, LoadError>
where
    F: Future<Output = Result<T, LoadError>>,
{
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_times(RETRIES)
        .with_jitter()
        .build();
    loop {
        let error = match transaction().await {
            Err(error) if error.is_conflict() => error,
            ended => return ended,
        };
        let Some(pause) = pauses.next() else {
            return Err(error);
        };
        telemetry::database_error(account, error.kind());
        warn!(error = %chain(&error), "a transaction was undone by the server, trying again");
        tokio::time::sleep(pause).await;
    }
}

/// First in each writing transaction: prevents deadlocks and stale reads. Returns when the filters changed.
pub(crate) async fn take_turn(
    connection: &mut PgConnection,
    account_id: &str,
) -> Result<Option<DateTime<Utc>>, LoadError> {
    let filters_changed_at: Option<Option<DateTime<Utc>>> = sqlx::query_scalar(
        "select filters_changed_at from smartassist_sync.accounts where account_id = $1 for no key update",
    )
    .bind(account_id)
    .fetch_optional(connection)
    .await?;
    Ok(filters_changed_at.flatten())
}
