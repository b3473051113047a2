use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::postgres::Pool;
use crate::transform::{Interaction, Rejected, RowGroup};

use super::batch::{Batch, Constants, replace_raw, update_sessions};
use super::compare::{Change, Stored};
use super::{days, facts, missing};
use crate::ledger::{Counters, LoadError, conflict};

/// If more are refused, and all, the tables are at fault.
const MOST_OF_NOTHING_BUT_REFUSED: usize = 5;

const TOO_OLD_AT_ONCE: i64 = 1_000;

/// Writes all at once, or else by halves; returns what is refused even alone.
pub(super) async fn write_accepted<'a>(
    connection: &mut PgConnection,
    all: &[&'a Interaction],
    writer: &InteractionWriter<'_>,
) -> Result<(Counters, Vec<(&'a Interaction, LoadError)>), LoadError> {
    let (mut counters, mut refused, mut parts) = (Counters::default(), Vec::new(), vec![all]);
    while let Some(part) = parts.pop() {
        match (in_savepoint(connection, part, writer).await, part) {
            (Ok(written), _) => counters += written,
            (Err(error @ LoadError::Refused { .. }), [one]) => refused.push((*one, error)),
            (Err(LoadError::Refused { .. }), [_, _, ..]) => {
                let (first, rest) = part.split_at(part.len() / 2);
                parts.extend([rest, first]);
            }
            (Err(error), _) => return Err(error),
        }
    }
    let is_none_written = refused.len() == all.len();
    if is_none_written
        && refused.len() > MOST_OF_NOTHING_BUT_REFUSED
        && let Some((_, error)) = refused.pop()
    {
        return Err(error);
    }
    Ok((counters, refused))
}

/// All or nothing; the transaction continues either way.
async fn in_savepoint(
    connection: &mut PgConnection,
    interactions: &[&Interaction],
    writer: &InteractionWriter<'_>,
) -> Result<Counters, LoadError> {
    let mut savepoint = connection.begin().await?;
    match writer.write(&mut savepoint, interactions).await {
        Ok(written) => {
            savepoint.commit().await?;
            Ok(written)
        }
        Err(error) => {
            // If this fails too, its error tells less.
            let _ = savepoint.rollback().await;
            Err(error)
        }
    }
}

pub(super) fn rejected((interaction, error): &(&Interaction, LoadError)) -> Rejected {
    Rejected {
        key: Some(interaction.key),
        ids: vec![interaction.rows.session.ids()],
        identifiers: interaction.identifiers.clone(),
        ..Rejected::new(error.to_string(), interaction.payload.clone())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RawRecords {
    Keep,
    /// Old ones must not remain if `storage.raw` is off.
    Delete,
    /// Rows are made from them: these say nothing about what the API returns now.
    Leave,
}

impl RawRecords {
    pub(super) fn of(keep_raw: bool) -> Self {
        if keep_raw { Self::Keep } else { Self::Delete }
    }
}

#[derive(Debug)]
pub(super) struct InteractionWriter<'a> {
    pub(super) constants: Constants<'a>,
    pub(super) stored: &'a Stored,
    pub(super) raw: RawRecords,
}

impl InteractionWriter<'_> {
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        interactions: &[&Interaction],
    ) -> Result<Counters, LoadError> {
        let (constants, stored) = (self.constants, self.stored);
        let of = |change: Change| -> Vec<&Interaction> {
            let of_change = interactions
                .iter()
                .copied()
                .filter(|interaction| stored.change_of(interaction) == change);
            of_change.collect()
        };
        let (new, changed, unchanged) = (of(Change::New), of(Change::Content), of(Change::None));
        let missing_of = |some: &[&Interaction]| -> Vec<Uuid> {
            let keys = some.iter().map(|interaction| interaction.key);
            keys.filter(|key| stored.is_missing(*key)).collect()
        };
        let is_returned = self.raw != RawRecords::Leave;
        let back = missing_of(if is_returned { &unchanged } else { &[] });
        let still_missing = missing_of(if is_returned { &[] } else { &changed });

        let counted = new.iter().chain(&changed);
        let counted = counted.filter(|one| !still_missing.contains(&one.key));
        let counted: Vec<facts::Counted<'_>> = counted.map(|one| (one.key, &one.rows)).collect();
        let write_rows = async |connection: &mut PgConnection| {
            self.write_rows(connection, &new, &changed).await?;
            self.add_raw(connection, &unchanged).await
        };
        let (account_id, others) = (constants.account_id, (&still_missing[..], false));
        facts::replace(connection, account_id, &counted, others, write_rows).await?;
        if is_returned {
            missing::clear(connection, constants.written_at, &missing_of(interactions)).await?;
        }
        facts::rewrite(connection, account_id, &back).await?;
        Ok(Counters {
            inserted: new.len() as u64,
            updated: (changed.len() + back.len()) as u64,
            unchanged: (unchanged.len() - back.len()) as u64,
            ..Counters::default()
        })
    }

    async fn write_rows(
        &self,
        connection: &mut PgConnection,
        new: &[&Interaction],
        changed: &[&Interaction],
    ) -> Result<(), LoadError> {
        let (constants, stored) = (self.constants, self.stored);
        Batch::of_sessions(new, constants).copy(connection).await?;
        update_sessions(connection, changed, constants.written_at).await?;
        match self.raw {
            RawRecords::Keep => {
                Batch::of_raw(new, constants).copy(connection).await?;
                replace_raw(connection, changed, constants).await?;
            }
            RawRecords::Delete => delete(connection, "smartassist.raw_interactions", changed).await?,
            RawRecords::Leave => {}
        }
        write_children(connection, new, changed, stored).await?;
        let moves = new.iter().chain(changed).flat_map(|interaction| {
            let start = interaction.rows.session.session_started_at;
            let before = stored.started_at(interaction.key).map(|before| (before, -1));
            before.into_iter().chain([(start, 1)])
        });
        days::count(connection, constants.account_id, moves).await
    }

    /// Where `storage.raw` was off, or somebody deleted them. Not where rows were kept against what was read.
    async fn add_raw(
        &self,
        connection: &mut PgConnection,
        unchanged: &[&Interaction],
    ) -> Result<(), LoadError> {
        if self.raw != RawRecords::Keep || unchanged.is_empty() {
            return Ok(());
        }
        let keys: Vec<Uuid> = unchanged.iter().map(|interaction| interaction.key).collect();
        let mut there: BTreeSet<Uuid> = self.stored.kept.iter().copied().collect();
        let found: Vec<Uuid> = sqlx::query_scalar(
            "select interaction_key from smartassist.raw_interactions where interaction_key = any($1)",
        )
        .bind(keys)
        .fetch_all(&mut *connection)
        .await?;
        there.extend(found);
        let lacking = unchanged.iter().copied();
        let lacking: Vec<&Interaction> = lacking.filter(|one| !there.contains(&one.key)).collect();
        Batch::of_raw(&lacking, self.constants).copy(connection).await
    }
}

/// Of changed interactions, only groups that differ. Parents first: foreign keys.
async fn write_children(
    connection: &mut PgConnection,
    new: &[&Interaction],
    changed: &[&Interaction],
    stored: &Stored,
) -> Result<(), LoadError> {
    let differing = |group| -> Vec<&Interaction> {
        let changed = changed.iter().copied();
        changed
            .filter(|interaction| !stored.is_same(group, interaction))
            .collect()
    };
    let (destinations, tags) = (differing(RowGroup::Destinations), differing(RowGroup::Tags));
    // All rows below destinations go with them.
    delete(connection, "smartassist.destinations", &destinations).await?;
    delete(connection, "smartassist.tags", &tags).await?;
    let (destinations, tags) = ([new, &destinations].concat(), [new, &tags].concat());
    for batch in [
        Batch::of_children(&destinations, |rows| &rows.destinations),
        Batch::of_children(&destinations, |rows| &rows.agent_segments),
        Batch::of_children(&destinations, |rows| &rows.consultations),
        Batch::of_children(&destinations, |rows| &rows.joined_users),
        Batch::of_children(&tags, |rows| &rows.tags),
    ] {
        batch.copy(connection).await?;
    }
    Ok(())
}

async fn delete(
    connection: &mut PgConnection,
    table: &str,
    interactions: &[&Interaction],
) -> Result<(), LoadError> {
    if interactions.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = interactions.iter().map(|interaction| interaction.key).collect();
    sqlx::query(AssertSqlSafe(format!(
        "delete from {table} where interaction_key = any($1)"
    )))
    .bind(keys)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn delete_interactions(
    connection: &mut PgConnection,
    account_id: &str,
    keys: &[Uuid],
) -> Result<(), LoadError> {
    facts::forget(connection, account_id, keys).await?;
    let starts: Vec<DateTime<Utc>> = sqlx::query_scalar(
        "delete from smartassist.sessions where interaction_key = any($1) returning session_started_at",
    )
    .bind(keys)
    .fetch_all(&mut *connection)
    .await?;
    missing::forget(connection, keys).await?;
    let starts = starts.into_iter().map(|start| (start, -1));
    days::count(connection, account_id, starts).await
}

/// The earlier of both clocks, since deletion is final.
pub async fn cautious_now(pool: &Pool, now: DateTime<Utc>) -> Result<DateTime<Utc>, LoadError> {
    Ok(sqlx::query_scalar("select least($1, clock_timestamp())")
        .bind(now)
        .fetch_one(pool)
        .await?)
}

/// Deletes and uncovers a batch; call until zero.
pub async fn delete_old(pool: &Pool, account_id: &str, kept_from: DateTime<Utc>) -> Result<u64, LoadError> {
    pool.transact(async |transaction| {
        conflict::lock_for_writing(transaction, account_id).await?;
        // Read again if more is kept later.
        sqlx::query(include_str!("uncover_old.sql"))
            .bind(account_id)
            .bind(kept_from)
            .execute(&mut *transaction)
            .await?;
        let keys: Vec<Uuid> = sqlx::query_scalar(
            "select interaction_key from smartassist.sessions \
             where account_id = $1 and session_started_at < $2 order by session_started_at limit $3",
        )
        .bind(account_id)
        .bind(kept_from)
        .bind(TOO_OLD_AT_ONCE)
        .fetch_all(&mut *transaction)
        .await?;
        delete_interactions(transaction, account_id, &keys).await?;
        Ok(keys.len() as u64)
    })
    .await
}

/// Call until zero.
pub async fn delete_old_rejected(
    pool: &Pool,
    account_id: &str,
    kept_from: DateTime<Utc>,
) -> Result<u64, LoadError> {
    pool.transact(async |transaction| {
        conflict::lock_for_writing(transaction, account_id).await?;
        let deleted = sqlx::query(
            "delete from smartassist_sync.rejected_records where id in (select id \
             from smartassist_sync.rejected_records where account_id = $1 and upper(range) <= $2 limit $3)",
        )
        .bind(account_id)
        .bind(kept_from)
        .bind(TOO_OLD_AT_ONCE)
        .execute(&mut *transaction)
        .await?;
        Ok(deleted.rows_affected())
    })
    .await
}
