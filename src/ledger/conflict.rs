//! Transactions that stand in each other's way: prevented, and repeated.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tracing::warn;

use crate::telemetry::{self, chain};

use super::LoadError;

/// Each may wait a full lock timeout.
const RETRIES: usize = 4;

const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Deadlocks, serialization failures, lock and idle timeouts, broken connections.
///
/// # Errors
/// The last conflict, or another error.
pub async fn retry<T, F>(account: &str, transaction: impl FnMut() -> F) -> Result<T, LoadError>
where
    F: Future<Output = Result<T, LoadError>>,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_times(RETRIES)
        .with_jitter();
    transaction
        .retry(pauses)
        .sleep(tokio::time::sleep)
        .when(LoadError::is_conflict)
        .notify(|error, _| {
            telemetry::database_error(account, error.kind());
            warn!(account, error = %chain(error), "a transaction was undone by the server, trying again");
        })
        .await
}

/// First in each writing transaction, against deadlocks and stale reads. Returns when the filters changed.
pub(crate) async fn lock_for_writing(
    connection: &mut PgConnection,
    account_id: &str,
) -> Result<Option<DateTime<Utc>>, LoadError> {
    let statement =
        "select filters_changed_at from smartassist_sync.accounts where account_id = $1 for no key update";
    lock(connection, account_id, statement).await
}

/// Without sequential scans: cached plans of empty tables would scan them whole later.
pub(crate) async fn lock_for_rows(
    connection: &mut PgConnection,
    account_id: &str,
) -> Result<Option<DateTime<Utc>>, LoadError> {
    let statement = "select filters_changed_at, set_config('enable_seqscan', 'off', true) \
                     from smartassist_sync.accounts where account_id = $1 for no key update";
    lock(connection, account_id, statement).await
}

async fn lock(
    connection: &mut PgConnection,
    account_id: &str,
    statement: &'static str,
) -> Result<Option<DateTime<Utc>>, LoadError> {
    let filters_changed_at: Option<Option<DateTime<Utc>>> = sqlx::query_scalar(statement)
        .bind(account_id)
        .fetch_optional(connection)
        .await?;
    Ok(filters_changed_at.flatten())
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    async fn attempts(kind: ErrorKind) -> u32 {
        let mut attempts = 0;
        let failed = retry("main", || {
            attempts += 1;
            let error = sqlx::Error::Io(Error::from(kind));
            async { Err::<(), _>(LoadError::Database(error)) }
        });
        assert!(failed.await.is_err());
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_broken_connection_undid_is_tried_again_and_what_cannot_connect_is_not() {
        assert_eq!(attempts(ErrorKind::BrokenPipe).await, 5);
        assert_eq!(attempts(ErrorKind::UnexpectedEof).await, 5);
        assert_eq!(attempts(ErrorKind::ConnectionRefused).await, 1);
    }
}
