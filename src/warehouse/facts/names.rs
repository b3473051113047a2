//! Queues and agents with their last names, and labels that tell namesakes apart.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::transform::facts::dimension_key;

use super::Counted;
use crate::ledger::LoadError;

/// By key.
type Seen<'a> = BTreeMap<&'a str, LastSeen<'a>>;

struct LastSeen<'a> {
    id: Option<&'a str>,
    at: DateTime<Utc>,
    /// The last one, and when it was sent.
    name: Option<(DateTime<Utc>, &'a str)>,
}

pub(super) async fn note(
    connection: &mut PgConnection,
    account_id: &str,
    counted: &[Counted<'_>],
) -> Result<(), LoadError> {
    let (mut queues, mut agents) = (Seen::new(), Seen::new());
    for (_, rows) in counted.iter().filter(|(_, rows)| !rows.session.is_shadow) {
        let started_at = rows.session.session_started_at;
        for queue in rows
            .destinations
            .iter()
            .filter(|destination| destination.is_queue())
        {
            let at = queue.entered_at.unwrap_or(started_at);
            see(
                &mut queues,
                at,
                queue.queue_id.as_deref(),
                queue.queue_name.as_deref(),
            );
        }
        for agent in &rows.agent_segments {
            let at = agent.assigned_at.or(agent.accepted_at).unwrap_or(started_at);
            see(
                &mut agents,
                at,
                agent.agent_id.as_deref(),
                agent.agent_name.as_deref(),
            );
        }
    }
    store(connection, account_id, "queue", &queues).await?;
    store(connection, account_id, "agent", &agents).await
}

fn see<'a>(seen: &mut Seen<'a>, at: DateTime<Utc>, id: Option<&'a str>, name: Option<&'a str>) {
    let name = name.map(|name| (at, name));
    let last = seen
        .entry(dimension_key(id, name.map(|(_, name)| name)))
        .or_insert(LastSeen { id, at, name });
    last.at = last.at.max(at);
    last.name = last.name.max(name);
}

/// `noun`: queue or agent.
async fn store(
    connection: &mut PgConnection,
    account_id: &str,
    noun: &str,
    seen: &Seen<'_>,
) -> Result<(), LoadError> {
    if seen.is_empty() {
        return Ok(());
    }
    let of_noun = |statement: &str| AssertSqlSafe(statement.replace("{noun}", noun));
    let values = || seen.values();
    let named = sqlx::query(of_noun(include_str!("name.sql")))
        .bind(account_id)
        .bind(Vec::from_iter(seen.keys()))
        .bind(Vec::from_iter(values().map(|last| last.id)))
        .bind(Vec::from_iter(
            values().map(|last| last.name.map(|(_, name)| name)),
        ))
        .bind(Vec::from_iter(values().map(|last| last.at)))
        .execute(&mut *connection)
        .await?;
    if named.rows_affected() > 0 {
        let label = sqlx::query(of_noun(include_str!("label.sql")));
        label.bind(account_id).execute(connection).await?;
    }
    Ok(())
}
