//! Removes deleted values from PostgreSQL's planner statistics.

use tracing::warn;

use crate::postgres::Pool;
use crate::telemetry::chain;
use crate::warehouse::statistics;

const REMEDY: &str = "have the owner of the tables of schema smartassist and of smartassist_sync.rejected_records run `analyze` on them: \
     until then pg_stats may show deleted values to whoever reads the tables";

/// Data stays deleted on failure.
pub(super) async fn renew(pool: &Pool) {
    match statistics::renew(pool).await {
        Ok(true) => {}
        Ok(false) => warn!(
            remedy = REMEDY,
            "the role of the daemon may not renew the planner's statistics"
        ),
        Err(error) => warn!(
            error = %chain(&error),
            remedy = REMEDY,
            "could not renew the planner's statistics"
        ),
    }
}
