use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::LoadError;

/// First in each writing transaction: prevents deadlocks and stale reads. Returns when the filters changed.
pub(crate) async fn take(
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
