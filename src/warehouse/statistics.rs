//! What the planner knows of the values in tables: a sample of them, which outlives what was deleted
//! until somebody analyses the table, and which readers of the table may see (`pg_stats`).

use sqlx::AssertSqlSafe;

use crate::postgres::Pool;

use crate::ledger::LoadError;

/// The tables that hold values of records.
const TABLES: &str = "smartassist.sessions, smartassist.destinations, smartassist.agent_segments, \
     smartassist.consultations, smartassist.joined_users, smartassist.tags, smartassist.raw_interactions, smartassist_sync.rejected_records";

/// Analyses the tables that hold values of records. `false` where our role may not: the server then
/// leaves them out with no more than a notice.
///
/// # Errors
/// The database fails.
pub async fn renew(pool: &Pool) -> Result<bool, LoadError> {
    pool.transact_patiently(async |transaction| {
        let may: bool = sqlx::query_scalar(include_str!("may_analyze.sql"))
            .fetch_one(&mut *transaction)
            .await?;
        if may {
            // Of a table without rows ANALYZE keeps what it knew. So there is a row while it looks, which
            // says nothing and which nobody else sees.
            sqlx::raw_sql(include_str!("placeholder_rows.sql"))
                .execute(&mut *transaction)
                .await?;
            let analyze = AssertSqlSafe(format!("analyze {TABLES}"));
            sqlx::raw_sql(analyze).execute(&mut *transaction).await?;
            sqlx::raw_sql(
                "delete from smartassist.sessions where account_id = '-'; \
                 delete from smartassist_sync.rejected_records where account_id = '-'",
            )
            .execute(&mut *transaction)
            .await?;
        }
        Ok(may)
    })
    .await
}
