use chrono::{DateTime, Utc};
use sqlx::postgres::PgArgumentBuffer;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::ledger::LoadError;
use crate::postgres::DatabaseErrorKind;
use crate::transform::{Interaction, Jsonb, Rows, Session, TableRow, put};

/// Signature, flags, extension length: PostgreSQL manual, COPY, Binary Format.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

const CHUNK_BYTES: usize = 64 << 10;

const RAW: &str = "smartassist.raw_interactions";

#[derive(Debug, Clone, Copy)]
pub(super) struct Constants<'a> {
    pub(super) account_id: &'a str,
    pub(super) written_at: DateTime<Utc>,
    pub(super) time_zone_offset: i32,
}

/// New rows of one table, made while PostgreSQL stores others.
pub(super) struct Batch<'a> {
    table: &'static str,
    columns: Vec<&'static str>,
    next: Box<dyn FnMut(&mut PgArgumentBuffer) -> bool + Send + 'a>,
}

impl<'a> Batch<'a> {
    /// The key comes first, then `own` columns.
    fn new<T>(
        table: &'static str,
        (own, columns): (&[&'static str], &[&'static str]),
        mut rows: impl Iterator<Item = (Uuid, T)> + Send + 'a,
        encode: impl Fn(T, &mut PgArgumentBuffer) + Send + 'a,
    ) -> Self {
        let columns = [&["interaction_key"], own, columns].concat();
        let width = i16::try_from(columns.len()).unwrap_or(i16::MAX);
        let next = move |buffer: &mut PgArgumentBuffer| {
            let Some((key, row)) = rows.next() else {
                return false;
            };
            buffer.extend_from_slice(&width.to_be_bytes());
            put(key, buffer);
            encode(row, buffer);
            true
        };
        Self {
            table,
            columns,
            next: Box::new(next),
        }
    }

    pub(super) fn of_sessions(interactions: &'a [&'a Interaction], constants: Constants<'a>) -> Self {
        let own = ["account_id", "content_hash", "first_seen_at", "last_changed_at"];
        let (table, columns) = (Session::NAME, (&own[..], Session::COLUMNS));
        Self::new(table, columns, keyed(interactions), move |interaction, buffer| {
            put(constants.account_id, buffer);
            put(interaction.content_hash, buffer);
            put(constants.written_at, buffer);
            put(constants.written_at, buffer);
            interaction.rows.session.encode(buffer);
        })
    }

    pub(super) fn of_raw(interactions: &'a [&'a Interaction], constants: Constants<'a>) -> Self {
        let own = ["payload", "fetched_at", "time_zone_offset"];
        let columns = (&own[..], &[][..]);
        Self::new(RAW, columns, keyed(interactions), move |interaction, buffer| {
            put(Jsonb(&interaction.payload), buffer);
            put(constants.written_at, buffer);
            put(constants.time_zone_offset, buffer);
        })
    }

    pub(super) fn of_children<R: TableRow + Sync + 'a>(
        interactions: &'a [&'a Interaction],
        of: fn(&Rows) -> &[R],
    ) -> Self {
        let rows = interactions.iter().flat_map(move |interaction| {
            let rows = of(&interaction.rows).iter();
            rows.map(|row| (interaction.key, row))
        });
        Self::new(R::NAME, (&[], R::COLUMNS), rows, R::encode)
    }

    pub(super) fn of_facts<R: TableRow + 'a>(
        facts: impl Iterator<Item = (Uuid, &'a R)> + Send + 'a,
        account_id: &'a str,
    ) -> Self {
        let columns = (&["account_id"][..], R::COLUMNS);
        Self::new(R::NAME, columns, facts, move |fact, buffer| {
            put(account_id, buffer);
            fact.encode(buffer);
        })
    }

    pub(super) async fn copy(mut self, connection: &mut PgConnection) -> Result<(), LoadError> {
        let mut buffer = PgArgumentBuffer::default();
        buffer.extend_from_slice(HEADER);
        if !(self.next)(&mut buffer) {
            return Ok(());
        }
        let columns = self.columns.join(", ");
        let statement = format!("copy {} ({columns}) from stdin (format binary)", self.table);
        let mut expected = 1;
        let copied = async {
            let mut copy = connection.copy_in_raw(&statement).await?;
            while (self.next)(&mut buffer) {
                expected += 1;
                if buffer.len() >= CHUNK_BYTES {
                    copy.send(buffer.as_slice()).await?;
                    buffer.clear();
                }
            }
            buffer.extend_from_slice(&TRAILER);
            copy.send(buffer.as_slice()).await?;
            copy.finish().await
        };
        let copied = copied.await;
        check(self.table, copied, expected)
    }
}

/// In place, but for when they were first seen, and whether they are missing.
pub(super) async fn update_sessions(
    connection: &mut PgConnection,
    interactions: &[&Interaction],
    at: DateTime<Utc>,
) -> Result<(), LoadError> {
    if interactions.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = interactions.iter().map(|one| one.key).collect();
    let hashes: Vec<&[u8]> = interactions.iter().map(|one| &one.content_hash[..]).collect();
    let rows: Vec<Json<&Session>> = interactions.iter().map(|one| Json(&one.rows.session)).collect();
    let columns = Session::COLUMNS.iter();
    let columns: Vec<String> = columns.map(|name| format!("{name} = read.{name}")).collect();
    let statement = format!(
        "update smartassist.sessions as stored \
         set content_hash = changed.content_hash, last_changed_at = $1, {} \
         from unnest($2::uuid[], $3::bytea[], $4::jsonb[]) as changed (interaction_key, content_hash, session) \
         cross join lateral jsonb_populate_record(null::smartassist.sessions, changed.session) as read \
         where stored.interaction_key = changed.interaction_key",
        columns.join(", ")
    );
    let updated = sqlx::query(AssertSqlSafe(statement))
        .bind(at)
        .bind(keys)
        .bind(hashes)
        .bind(rows)
        .execute(connection)
        .await;
    let updated = updated.map(|done| done.rows_affected());
    check(Session::NAME, updated, interactions.len() as u64)
}

pub(super) async fn replace_raw(
    connection: &mut PgConnection,
    interactions: &[&Interaction],
    constants: Constants<'_>,
) -> Result<(), LoadError> {
    if interactions.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = interactions.iter().map(|one| one.key).collect();
    let payloads: Vec<&str> = interactions.iter().map(|one| one.payload.as_str()).collect();
    let replaced = sqlx::query(
        "insert into smartassist.raw_interactions (interaction_key, payload, fetched_at, time_zone_offset) \
         select changed.interaction_key, changed.payload::jsonb, $1, $2 \
         from unnest($3::uuid[], $4::text[]) as changed (interaction_key, payload) \
         on conflict (interaction_key) do update set payload = excluded.payload, \
         fetched_at = excluded.fetched_at, time_zone_offset = excluded.time_zone_offset",
    )
    .bind(constants.written_at)
    .bind(constants.time_zone_offset)
    .bind(keys)
    .bind(payloads)
    .execute(connection)
    .await;
    let replaced = replaced.map(|done| done.rows_affected());
    check(RAW, replaced, interactions.len() as u64)
}

fn check(table: &'static str, written: Result<u64, sqlx::Error>, expected: u64) -> Result<(), LoadError> {
    match written {
        Ok(written) if written == expected => Ok(()),
        Ok(written) => Err(LoadError::RowCount {
            table,
            written,
            expected,
        }),
        Err(error) if DatabaseErrorKind::of(&error) == DatabaseErrorKind::Data => {
            Err(LoadError::Refused { table, error })
        }
        Err(error) => Err(error.into()),
    }
}

fn keyed<'a>(
    interactions: &'a [&'a Interaction],
) -> impl Iterator<Item = (Uuid, &'a Interaction)> + Send + 'a {
    interactions
        .iter()
        .map(|interaction| (interaction.key, *interaction))
}
