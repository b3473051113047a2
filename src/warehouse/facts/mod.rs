//! Facts: what reports are counted from. `smartassist.derived_*` say how each is made of the data; here they are
//! written in the transaction that writes the data, so that they never differ from it.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::postgres::Pool;

use super::siblings::MOST_SIBLINGS;
use crate::ledger::{LoadError, turn};

/// In the order in which they are written.
const KINDS: [&str; 3] = ["queue_visits", "agent_offers", "interactions"];

/// A transaction of a rebuilding.
const BATCH: i64 = 1_000;

/// A contact that came, went or moved: what comes before and after it has another neighbour.
type Touched = (Uuid, DateTime<Utc>);

/// Writes the facts of interactions that have none yet.
pub(super) async fn write(
    connection: &mut PgConnection,
    account_id: &str,
    new: &[Uuid],
) -> Result<(), LoadError> {
    if new.is_empty() {
        return Ok(());
    }
    let siblings = siblings(connection, account_id, new).await?;
    let earlier = without(&siblings, new);
    let touched = delete(connection, &earlier).await?;
    let written = [new, &earlier].concat();
    insert(connection, account_id, &written, &siblings, touched).await
}

/// Makes the facts of these interactions anew, also of those that the API no longer returns: they have none.
pub(super) async fn rewrite(
    connection: &mut PgConnection,
    account_id: &str,
    changed: &[Uuid],
) -> Result<(), LoadError> {
    if changed.is_empty() {
        return Ok(());
    }
    let siblings = siblings(connection, account_id, changed).await?;
    let written = [changed, &without(&siblings, changed)].concat();
    let touched = delete(connection, &written).await?;
    insert(connection, account_id, &written, &siblings, touched).await
}

/// Before interactions are deleted: what they counted for in others counts there again.
pub(super) async fn forget(
    connection: &mut PgConnection,
    account_id: &str,
    gone: &[Uuid],
) -> Result<(), LoadError> {
    if gone.is_empty() {
        return Ok(());
    }
    let siblings = without(&siblings(connection, account_id, gone).await?, gone);
    let mut touched = delete(connection, gone).await?;
    touched.extend(delete(connection, &siblings).await?);
    insert(connection, account_id, &siblings, &siblings, touched).await
}

fn without(keys: &[Uuid], others: &[Uuid]) -> Vec<Uuid> {
    let is_other = |key: &&Uuid| !others.contains(key);
    keys.iter().filter(is_other).copied().collect()
}

/// All records of the conversations of several records.
async fn siblings(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[Uuid],
) -> Result<Vec<Uuid>, LoadError> {
    Ok(sqlx::query_scalar(include_str!("siblings.sql"))
        .bind(account_id)
        .bind(keys)
        .bind(i64::try_from(MOST_SIBLINGS).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?)
}

async fn delete(connection: &mut PgConnection, keys: &[Uuid]) -> Result<Vec<Touched>, LoadError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    for kind in KINDS {
        let statement = format!("delete from smartassist.fact_{kind} where interaction_key = any($1)");
        sqlx::query(AssertSqlSafe(statement))
            .bind(keys)
            .execute(&mut *connection)
            .await?;
    }
    let touched = "delete from smartassist.fact_contacts where interaction_key = any($1) \
                   returning contact_key, session_started_at";
    Ok(sqlx::query_as(touched).bind(keys).fetch_all(connection).await?)
}

async fn insert(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[Uuid],
    siblings: &[Uuid],
    mut touched: Vec<Touched>,
) -> Result<(), LoadError> {
    for kind in KINDS {
        let statement = format!(
            "insert into smartassist.fact_{kind} select * from smartassist.derived_{kind} where interaction_key = any($1)"
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(keys)
            .execute(&mut *connection)
            .await?;
    }
    if !siblings.is_empty() {
        for count_once in [
            include_str!("count_visits_once.sql"),
            include_str!("count_offers_once.sql"),
            include_str!("count_conversations_once.sql"),
        ] {
            sqlx::query(count_once)
                .bind(siblings)
                .execute(&mut *connection)
                .await?;
        }
    }
    let contacts: Vec<Touched> = sqlx::query_as(include_str!("contacts.sql"))
        .bind(keys)
        .fetch_all(&mut *connection)
        .await?;
    touched.extend(contacts);
    order_contacts(connection, account_id, touched).await?;
    name(connection, account_id, keys).await
}

async fn order_contacts(
    connection: &mut PgConnection,
    account_id: &str,
    touched: Vec<Touched>,
) -> Result<(), LoadError> {
    if touched.is_empty() {
        return Ok(());
    }
    let (contacts, since): (Vec<Uuid>, Vec<DateTime<Utc>>) = touched.into_iter().unzip();
    sqlx::query(include_str!("next_contacts.sql"))
        .bind(account_id)
        .bind(contacts)
        .bind(since)
        .execute(connection)
        .await?;
    Ok(())
}

/// Queues and agents, with the names that they had last.
async fn name(connection: &mut PgConnection, account_id: &str, keys: &[Uuid]) -> Result<(), LoadError> {
    for (note, label) in [
        (include_str!("queues.sql"), include_str!("label_queues.sql")),
        (include_str!("agents.sql"), include_str!("label_agents.sql")),
    ] {
        let noted = sqlx::query(note).bind(account_id).bind(keys);
        if noted.execute(&mut *connection).await?.rows_affected() > 0 {
            sqlx::query(label)
                .bind(account_id)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// Forgets queues and agents that no fact names any more: old ones, and what privacy rules have renamed.
///
/// # Errors
/// Database failure.
pub async fn forget_unnamed(pool: &Pool, account_id: &str) -> Result<(), LoadError> {
    pool.transact_without_timeout(async |transaction| {
        turn::take(transaction, account_id).await?;
        for (dimension, key, facts) in [
            ("queues", "queue_key", "fact_queue_visits"),
            ("agents", "agent_key", "fact_agent_offers"),
        ] {
            let statement = format!(
                "delete from smartassist.{dimension} as dimension where account_id = $1 and {key} not in \
                 (select {key} from smartassist.{facts} where account_id = $1)"
            );
            sqlx::query(AssertSqlSafe(statement))
                .bind(account_id)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(())
    })
    .await
}

/// Makes the facts of the next interactions anew, if that is asked for; gives how many. Zero: all are done.
///
/// # Errors
/// Database failure.
pub async fn rebuild_some(pool: &Pool, account_id: &str) -> Result<u64, LoadError> {
    pool.transact(async |transaction| {
        turn::take(transaction, account_id).await?;
        let after: Option<Option<Uuid>> = sqlx::query_scalar(
            "select rebuild_after from smartassist.reporting where account_id = $1 for no key update",
        )
        .bind(account_id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(after) = after.flatten() else {
            return Ok(0);
        };
        sqlx::query("set local enable_seqscan = off")
            .execute(&mut *transaction)
            .await?;
        let keys: Vec<Uuid> = sqlx::query_scalar(
            "select interaction_key from smartassist.sessions where interaction_key > $2 and account_id = $1 \
             order by interaction_key limit $3",
        )
        .bind(account_id)
        .bind(after)
        .bind(BATCH)
        .fetch_all(&mut *transaction)
        .await?;
        rewrite(transaction, account_id, &keys).await?;
        sqlx::query("update smartassist.reporting set rebuild_after = $2 where account_id = $1")
            .bind(account_id)
            .bind(keys.last())
            .execute(&mut *transaction)
            .await?;
        Ok(keys.len() as u64)
    })
    .await
}
