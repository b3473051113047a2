use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
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
