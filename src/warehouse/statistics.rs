//! Renews planner statistics, which show samples of deleted values (`pg_stats`).

use sqlx::AssertSqlSafe;

use crate::postgres::Pool;

use crate::ledger::LoadError;

/// Those that have an account's id; the others follow the interaction.
const TABLES_OF_ACCOUNTS: [&str; 9] = [
    "smartassist.sessions",
    "smartassist_sync.rejected_records",
    "smartassist.reporting",
    "smartassist.queues",
    "smartassist.agents",
    "smartassist.fact_queue_visits",
    "smartassist.fact_agent_offers",
    "smartassist.fact_interactions",
    "smartassist.fact_contacts",
];

const CHILDREN: [&str; 6] = [
    "smartassist.destinations",
    "smartassist.agent_segments",
    "smartassist.consultations",
    "smartassist.joined_users",
    "smartassist.tags",
    "smartassist.raw_interactions",
];

/// Analyzes record tables, if permitted.
///
/// # Errors
/// Database failure.
pub async fn renew(pool: &Pool) -> Result<bool, LoadError> {
    pool.transact_without_timeout(async |transaction| {
        let may: bool = sqlx::query_scalar(include_str!("may_analyze.sql"))
            .fetch_one(&mut *transaction)
            .await?;
        if may {
            // Of Citus, else without meaning: tables on this node are written as those on others are, so that ANALYZE may follow.
            sqlx::raw_sql("set local citus.enable_local_execution = off")
                .execute(&mut *transaction)
                .await?;
            // ANALYZE keeps the statistics of empty tables, so add an invisible row.
            sqlx::raw_sql(include_str!("placeholder_rows.sql"))
                .execute(&mut *transaction)
                .await?;
            let analyze = AssertSqlSafe(format!(
                "analyze {}",
                [&TABLES_OF_ACCOUNTS[..], &CHILDREN].concat().join(", ")
            ));
            sqlx::raw_sql(analyze).execute(&mut *transaction).await?;
            for table in TABLES_OF_ACCOUNTS {
                let delete = AssertSqlSafe(format!("delete from {table} where account_id = '-'"));
                sqlx::raw_sql(delete).execute(&mut *transaction).await?;
            }
        }
        Ok(may)
    })
    .await
}
