//! A transaction that the server undid for the sake of others is tried again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tracing::warn;

use crate::telemetry::{self, chain};

use super::LoadError;

/// Tries beyond the first. Each of them may wait as long as a lock may take, so few.
const RETRIES: usize = 4;

const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Runs a transaction, and again a few times where PostgreSQL undid it for the sake of others: deadlock, serialization
/// failure, a lock that could not be taken in time, or a transaction in which nothing happened for too long, as where this
/// process was frozen.
///
/// # Errors
/// What was still wrong with the last try; anything else at once.
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
