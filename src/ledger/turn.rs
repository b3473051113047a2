//! Who writes rows of an account takes turns with all others that do, in the database.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::LoadError;

/// Takes the account's turn until the transaction ends: windows, replays, retries and deletions
/// of one account write one after the other, so none writes over what it has not seen, and none
/// waits for rows of another that waits for its own.
///
/// The first statement of every transaction that writes rows. What has to be right at the moment
/// of writing is read by statements after it. Returns when the account's filters last became others.
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
