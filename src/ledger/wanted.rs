use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::time::window::Window;

use super::{LoadError, windows_of};

/// Uncovered ranges, except gaps that are not due. They end `settle` before database time too: our clock may
/// be fast.
pub async fn unread(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    until: DateTime<Utc>,
    settle: Duration,
) -> Result<Vec<Window>, LoadError> {
    let stretches = sqlx::query_as(include_str!("unread_new.sql"))
        .bind(account_id)
        .bind(until)
        .bind(settle.as_secs_f64())
        .fetch_all(executor)
        .await?;
    Ok(windows_of(stretches))
}
